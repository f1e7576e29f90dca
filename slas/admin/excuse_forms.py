"""Forms of excuses: reasons, filters, decisions, declared events."""

import re
from datetime import date
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from alliance.city_fields import CityField
from alliance.figures import unless_away
from couriers.models import Courier
from slas.admin.commitments import LARGEST_ID
from slas.admin.tier_forms import text_input
from slas.choices import (
    CommitmentKind,
    Decision,
    DisruptionReason,
    ExcuseReason,
    ExcuseSource,
    ExcuseState,
)
from slas.excuses.querysets import ExcuseQuerySet
from slas.excuses.services.decisions import STEPS
from slas.excuses.services.disruptions import MOST_RECOVERY_HOURS, RECOVERY_HOURS
from slas.excuses.services.permissions import MOST_TEXT, ExcuseKey
from slas.models import Closure, Disruption, Excuse

# Excuse.key in an address or a form.
_KEY: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})").fullmatch
NOTE_ROWS = {"rows": 3, "maxlength": MOST_TEXT}


def _closures_with_excuses() -> list[int]:
    return list(Excuse.objects.exclude(closure=None).order_by().values_list("closure", flat=True).distinct())


def note_field(label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, required=False, help_text=help_text, widget=UnfoldAdminTextareaWidget(attrs=NOTE_ROWS)
    )


def _any(choices: Any, empty: Any) -> forms.ChoiceField:
    return forms.ChoiceField(required=False, choices=[("", empty), *choices], widget=UnfoldAdminSelectWidget)


class ExcuseForm(forms.Form):
    """The reason why breaches were not the courier's fault."""

    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", "---------"), *ExcuseReason.choices],
        widget=UnfoldAdminSelectWidget,
    )
    note = note_field(gettext_lazy("Note"))


class DecisionFilterForm(forms.Form):
    """The filter of excuses to decide on together."""

    state = _any(
        [(state.value, state.label) for state in (ExcuseState.CLAIMED, ExcuseState.GRANTED)],
        gettext_lazy("Waiting for a decision"),
    )
    courier = forms.ModelChoiceField(
        Courier.objects.none(),
        required=False,
        empty_label=gettext_lazy("All couriers"),
        widget=UnfoldAdminSelectWidget,
    )
    reason = _any(ExcuseReason.choices, gettext_lazy("All reasons"))
    source = _any(ExcuseSource.choices, gettext_lazy("All requesters"))
    disruption = forms.ModelChoiceField(
        Disruption.objects.none(),
        required=False,
        empty_label=gettext_lazy("With or without a disruption"),
        widget=UnfoldAdminSelectWidget,
    )
    closure = forms.ModelChoiceField(
        Closure.objects.none(),
        required=False,
        empty_label=gettext_lazy("With or without a closure"),
        widget=UnfoldAdminSelectWidget,
    )
    kind = _any(CommitmentKind.choices, gettext_lazy("Pickup and delivery"))
    first = forms.DateField(required=False, widget=text_input("date"))
    last = forms.DateField(required=False, widget=text_input("date"))
    # The keys of those selected on the list.
    ids = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "state": _("State"), "courier": _("Courier"), "reason": _("Reason"), "source": _("Requested by"),
            "disruption": _("Disruption"), "closure": _("Closure"), "kind": _("Milestone"),
            "first": _("Requested from"), "last": _("Requested to"),
        }  # fmt: skip
        for name, label in labels.items():
            self.fields[name].label = label
        # Fields are built when the module is loaded; the choices are read when a page is.
        no_closures: list[int] = []
        choices: dict[str, Any] = {
            "courier": Courier.objects.order_by("legal_name"),
            "disruption": Disruption.objects.all(),
            "closure": Closure.objects.filter(
                pk__in=unless_away(_closures_with_excuses, otherwise=no_closures)
            ),
        }
        for name, queryset in choices.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined]

    def clean_ids(self) -> list[ExcuseKey]:
        texts = self.cleaned_data["ids"].replace(",", " ").split()
        keys = [(int(key[1]), int(key[2])) for key in map(_KEY, texts) if key]
        if len(keys) < len(texts) or any(number > LARGEST_ID for key in keys for number in key):
            raise forms.ValidationError(_("Invalid exemptions."), code="invalid")
        return keys

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in self.data:
            if name not in self.fields:
                # Ignoring it would widen the set of excuses decided on.
                problem = _("Unknown filter “%(name)s”.") % {"name": name}
                self.add_error(None, forms.ValidationError(problem, code="unknown"))
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("The last day is before the first."))
        for name in ("first", "last"):
            day = cleaned.get(name)
            if day and not date(2016, 1, 1) <= day <= date(2085, 1, 1):
                self.add_error(name, _("The date is out of range."))
        return cleaned

    @property
    def selected_state(self) -> ExcuseState:
        return ExcuseState(self.cleaned_data.get("state") or ExcuseState.CLAIMED)

    def excuses(self) -> ExcuseQuerySet:
        """The excuses that match the filter."""
        filters = dict(self.cleaned_data)
        keys = filters.pop("ids")
        # Bulk decisions concern claimed or granted excuses only.
        excuses: ExcuseQuerySet = Excuse.objects.matching(**{**filters, "state": self.selected_state})
        if not keys:
            return excuses
        # An id is one row's; by the parcels, a cluster finds their workers.
        parcel_ids, ids = zip(*keys, strict=True)
        return excuses.filter(parcel_id__in=set(parcel_ids), pk__in=ids)


class BulkDecisionForm(forms.Form):
    """The decision on all excuses found, and the note."""

    decision = forms.ChoiceField(label=gettext_lazy("Decision"), widget=UnfoldAdminRadioSelectWidget)
    note = note_field(
        gettext_lazy("Note"),
        gettext_lazy("Both parties read it. Required to decline or revoke."),
    )
    # The newest excuse that was shown: later ones are not decided on unseen.
    newest = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, state: ExcuseState, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        steps = [step for step in Decision if STEPS[step][0] == state]
        self.fields["decision"].choices = [(step.value, step.label) for step in steps]  # type: ignore[attr-defined]


class PlaceForm(forms.Form):
    """The place of a declaration: a city, else a province, else a country."""

    city = CityField(
        label=gettext_lazy("City"),
        required=False,
        help_text=gettext_lazy("Name or code. Leave empty for the whole province or country."),
        widget=text_input(),
    )
    province = forms.CharField(
        label=gettext_lazy("Province"),
        required=False,
        help_text=gettext_lazy("For example: Zhejiang or 浙江. Not needed with a city."),
        widget=text_input(),
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        max_length=2,
        initial="CN",
        help_text=gettext_lazy("Two letters."),
        widget=text_input(),
    )

    def clean_province(self) -> str:
        return str(self.cleaned_data["province"]).strip()

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).upper()


class DisruptionForm(PlaceForm):
    """A force-majeure event: name, reason, place and period."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("For example: Typhoon Bebinca."),
        widget=text_input(),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"), choices=DisruptionReason.choices, widget=UnfoldAdminSelectWidget
    )
    starts_at = forms.DateTimeField(
        label=gettext_lazy("From"),
        help_text=gettext_lazy("Server time."),
        widget=text_input("datetime-local"),
    )
    ends_at = forms.DateTimeField(label=gettext_lazy("To"), widget=text_input("datetime-local"))
    recovery_hours = forms.IntegerField(
        label=gettext_lazy("Hours to recover"),
        initial=RECOVERY_HOURS,
        min_value=0,
        max_value=MOST_RECOVERY_HOURS,
        help_text=gettext_lazy("Anything due within this time after the end also counts as affected."),
        widget=text_input("number"),
    )

    field_order = ("name", "reason", "starts_at", "ends_at", "recovery_hours", "city", "province", "country")


class ProposalForm(forms.Form):
    """Excuses for all breaches an event affected: the reason, and whether to grant them at once."""

    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"), choices=DisruptionReason.choices, widget=UnfoldAdminSelectWidget
    )
    recovery_hours = forms.IntegerField(
        label=gettext_lazy("Hours to recover"),
        min_value=0,
        max_value=MOST_RECOVERY_HOURS,
        help_text=gettext_lazy("Anything due within this time after the end also counts as affected."),
        widget=text_input("number"),
    )
    note = note_field(
        gettext_lazy("Note"), gettext_lazy("Both parties read it. Leave empty to use the event's name.")
    )
    grant = forms.BooleanField(
        label=gettext_lazy("Grant at once"),
        required=False,
        help_text=gettext_lazy("Otherwise each waits for a decision."),
        widget=UnfoldBooleanSwitchWidget,
    )
    # The number shown in the preview.
    seen = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, of_closure: bool, may_grant: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not of_closure:
            # A disruption has its own.
            del self.fields["reason"], self.fields["recovery_hours"]
        if not may_grant:
            del self.fields["grant"]
