"""Forms of webhooks: an endpoint, the filters of its deliveries, and what is to be sent again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.portal.forms import FilterForm
from alliance.tenancy import Actor
from parcels.choices import DeliveryState, ReplayKind
from parcels.models import WebhookEndpoint
from parcels.webhooks.addresses import problem_of
from parcels.webhooks.rules import DESCRIPTION_LENGTH, PREFIX_LENGTH, URL_LENGTH
from parcels.webhooks.services.endpoints import Draft
from parcels.webhooks.topics import SUBJECTS, TOPICS, topics_for


@dataclass(frozen=True, slots=True)
class Box:
    """An event that may be chosen."""

    name: str
    about: str | Promise
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """Events about one thing."""

    label: str | Promise
    boxes: list[Box]


class EndpointForm(forms.Form):
    """An address, and which events are sent to it."""

    url = forms.CharField(
        label=pgettext_lazy("webhook", "Address"),
        max_length=URL_LENGTH,
        help_text=_("Begins with https:// and answers each message within 15 seconds."),
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.com/alliance"}),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=DESCRIPTION_LENGTH,
        required=False,
        help_text=_("What your people call it."),
    )
    reference_prefix = forms.CharField(
        label=_("Reference begins with"),
        max_length=PREFIX_LENGTH,
        required=False,
        help_text=_(
            "For one shop of several: only events of parcels whose reference begins so. Capital and small"
            " letters differ. Leave it empty for all."
        ),
    )
    topics = forms.MultipleChoiceField(label=_("Events"), widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, *args: Any, actor: Actor, endpoint: WebhookEndpoint | None = None, **kwargs: Any
    ) -> None:
        if endpoint is not None:
            kwargs["initial"] = {
                "url": endpoint.url,
                "description": endpoint.description,
                "reference_prefix": endpoint.reference_prefix,
                "topics": endpoint.topics,
            }
        super().__init__(*args, **kwargs)
        self._names = topics_for(actor)
        self.fields["topics"].choices = [(name, name) for name in self._names]  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        # Told beside what else is missing: the service looks at it once all is there.
        url: str = self.cleaned_data["url"]
        if problem := problem_of(url):
            raise forms.ValidationError(problem, code="url")
        return url

    @property
    def subjects(self) -> list[Subject]:
        """Return the events that may be chosen, by subject."""
        ticked = set(self["topics"].value() or ())
        found = [
            Subject(label, [
                Box(name, TOPICS[name].about, name in ticked)
                for name in self._names if name.partition(".")[0] in prefixes
            ])
            for label, prefixes in SUBJECTS
        ]  # fmt: skip
        return [subject for subject in found if subject.boxes]

    @property
    def draft(self) -> Draft:
        data = self.cleaned_data
        return Draft(data["url"], data["topics"], data["description"], data["reference_prefix"])


class DeliveryFilterForm(FilterForm):
    """Which deliveries are listed."""

    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("All")), *DeliveryState.choices], required=False
    )
    topic = forms.ChoiceField(
        label=_("Event"), choices=[("", _("All")), *((name, name) for name in TOPICS)], required=False
    )
    number = forms.CharField(label=_("Tracking number"), required=False, max_length=40)

    def clean_number(self) -> int | None:
        text = self.cleaned_data["number"]
        try:
            return parse_tracking_number(text) if text.strip() else None
        except InvalidTrackingNumber as error:
            raise forms.ValidationError(str(error)) from None


class ReplayForm(forms.Form):
    """What is to be sent again, and since when."""

    kind = forms.ChoiceField(label=_("What"), choices=ReplayKind.choices)
    start = forms.DateTimeField(
        label=pgettext_lazy("time", "From"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    end = forms.DateTimeField(
        label=pgettext_lazy("time", "Until"),
        required=False,
        help_text=_("Left empty: until now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def __init__(self, *args: Any, since: datetime | None = None, **kwargs: Any) -> None:
        begin = since or timezone.now() - timedelta(days=1)
        kwargs["initial"] = {"start": timezone.localtime(begin).strftime("%Y-%m-%dT%H:%M")}
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            is_list = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if is_list else "form-control"
