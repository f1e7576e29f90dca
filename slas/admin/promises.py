"""The admin page "What would have been promised": compare the answers of a tier's versions."""

# unfold's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from alliance.city_fields import CityField
from alliance.clocks import local_clock, wall_clock
from alliance.errors import InvalidInput, NotFound
from alliance.web.requests import actor_of
from slas.admin.tier_forms import add_errors, text_input
from slas.models import ServiceTier, TierVersion
from slas.promises.replays import Answer, Question, range_text, would_promise
from slas.promises.texts import Ends, explained, moment_text, rolled_text


class PromisedForm(forms.Form):
    """A journey and its times; times without an offset are the origin's wall clock."""

    origin = CityField(
        label=gettext_lazy("From"), help_text=gettext_lazy("City, by name or code."), widget=text_input()
    )
    destination = CityField(
        label=gettext_lazy("To"), help_text=gettext_lazy("City, by name or code."), widget=text_input()
    )
    tier = forms.ModelChoiceField(
        ServiceTier.objects.all(),
        label=gettext_lazy("Tier"),
        widget=UnfoldAdminSelectWidget,
        empty_label=None,
    )
    version = forms.IntegerField(
        label=gettext_lazy("Version"),
        required=False,
        min_value=1,
        help_text=gettext_lazy("Version number. Leave empty for all of them."),
        widget=text_input("number"),
    )
    booked_at = forms.CharField(
        label=gettext_lazy("Booked at"),
        help_text=gettext_lazy("Local time at the origin."),
        widget=text_input("datetime-local"),
    )
    ready_at = forms.CharField(
        label=gettext_lazy("Ready at"),
        required=False,
        help_text=gettext_lazy("Leave empty for the time of booking."),
        widget=text_input("datetime-local"),
    )
    known_at = forms.CharField(
        label=gettext_lazy("Closures announced by"),
        required=False,
        help_text=gettext_lazy(
            "Leave empty for the time of booking: later closures do not change a promise."
        ),
        widget=text_input("datetime-local"),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if origin := cleaned.get("origin"):
            for name in ("booked_at", "ready_at", "known_at"):
                cleaned[name] = self._moment(name, origin.time_zone)
        return cleaned

    def _moment(self, name: str, zone: str) -> datetime | None:
        text = self.cleaned_data.get(name, "").strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            if moment.utcoffset() is None:
                return wall_clock(moment.date(), moment.time(), zone)
            return local_clock(moment, zone)
        except OverflowError:
            self.add_error(name, range_text())
        except ValueError:
            self.add_error(name, _("Enter a day and a time, such as 2026-09-30 17:40."))
        return None

    @property
    def question(self) -> Question:
        data = self.cleaned_data
        booked_at = data["booked_at"]
        return Question(
            origin=data["origin"],
            destination=data["destination"],
            booked_at=booked_at,
            ready_at=data["ready_at"] or booked_at,
            known_at=data["known_at"] or booked_at,
        )

    @property
    def version_id(self) -> int | None:
        """Raises NotFound for a number the tier has no version of."""
        number = self.cleaned_data["version"]
        if number is None:
            return None
        version = TierVersion.objects.filter(tier=self.cleaned_data["tier"], number=number).first()
        if version is None:
            raise NotFound(_("This tier has no version with that number."))
        return version.pk


@dataclass(frozen=True, slots=True)
class AnswerTexts:
    """One version's answer as text."""

    version: TierVersion
    is_in_force: bool
    valid_from: str
    pickup: str
    delivery: str
    rolled: str
    sentences: list[str]
    refusal: str
    url: str


class PromisedMixin:
    """Adds the page to the admin of tier versions."""

    @action(
        description=gettext_lazy("Promise calculator"),
        url_path="promised",
        icon="rule_settings",
        permissions=["view"],
    )
    def promised(self, request: HttpRequest) -> HttpResponse:
        """Answer the question in the URL, so that the link can be shared; without one, show the form."""
        form = PromisedForm(request.GET or None, initial=_first_values())
        texts: list[AnswerTexts] = []
        if form.is_bound and form.is_valid():
            texts = list(_answers(request, form))
        context = {
            **self.admin_site.each_context(request),  # type: ignore[attr-defined]
            "opts": self.opts,  # type: ignore[attr-defined]
            "title": _("Promise calculator"),
            "form": form,
            "told": texts,
            "differ": len({(answer.pickup, answer.delivery) for answer in texts}) > 1,
            "back": reverse("admin:slas_tierversion_changelist"),
        }
        return render(request, "admin/slas/promised.html", context, status=422 if form.errors else 200)

    @action(
        description=gettext_lazy("Calculate promises with this version"),
        url_path="promised-by",
        icon="rule_settings",
        permissions=["view"],
    )
    def promised_by(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Redirect from a version's page to the question about this version."""
        versions: QuerySet[TierVersion] = TierVersion.objects.filter(pk=object_id)
        version = versions.first() if object_id.isdecimal() else None
        if version is None:
            raise NotFound
        query = {**_first_values(), "tier": version.tier_id, "version": version.number}
        return redirect(f"{reverse('admin:slas_tierversion_promised')}?{urlencode(query)}")


def _first_values() -> dict[str, Any]:
    now = timezone.localtime()
    return {"origin": "CN-HGH", "destination": "CN-CTU", "booked_at": f"{now:%Y-%m-%dT%H:%M}"}


def _answers(request: HttpRequest, form: PromisedForm) -> Iterator[AnswerTexts]:
    try:
        answers = would_promise(
            actor=actor_of(request),
            question=form.question,
            tier_id=form.cleaned_data["tier"].pk,
            version_id=form.version_id,
        )
    except InvalidInput as error:
        add_errors(form, error)
        return
    except NotFound as error:
        form.add_error("version", error.detail)
        return
    ends = Ends(form.question.origin.name, form.question.destination.name)
    for answer in answers:
        yield _texts_of(answer, ends)


def _texts_of(answer: Answer, ends: Ends) -> AnswerTexts:
    promised = answer.promise
    return AnswerTexts(
        version=answer.version,
        is_in_force=answer.is_in_force,
        valid_from=moment_text(timezone.localtime(answer.version.valid_from)),
        pickup=moment_text(promised.pickup_by) if promised else "",
        delivery=moment_text(promised.deliver_by) if promised else "",
        rolled=rolled_text(promised, ends) if promised else "",
        sentences=explained(promised, ends) if promised else [],
        refusal=answer.refusal,
        url=reverse("admin:slas_tierversion_change", args=[answer.version.pk]),
    )
