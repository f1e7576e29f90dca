"""Promises that were not kept, the newest first."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.tenancy import Actor, require
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.models import BreachListing
from slas.outcomes import is_breach
from slas.querysets import JudgedQuerySet

PAGE = 50


class BreachState(models.TextChoices):
    """What became of a broken promise since."""

    MISSING = "missing", gettext_lazy("Overdue now: still missing")
    LATE = "late", gettext_lazy("Reached late")
    EXCUSED = "excused", gettext_lazy("Excused")
    WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")


class BreachFilterForm(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All breaches")), *BreachState.choices],
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Milestone"),
        required=False,
        choices=[("", gettext_lazy("Pickup and delivery")), *CommitmentKind.choices],
    )
    tier = forms.ChoiceField(
        label=gettext_lazy("Service"),
        required=False,
        choices=[("", gettext_lazy("All services")), *TierCode.choices],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select"

    @property
    def asked(self) -> dict[str, str]:
        """What was asked for and makes sense; the rest is as if not asked."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins or ends: the columns the list is in the order of."""

    opened_at: datetime
    parcel_id: int
    kind: str

    @classmethod
    def read(cls, text: str) -> "Place | None":
        opened_at, _bar, rest = text.partition("|")
        parcel_id, _bar, kind = rest.partition("|")
        moment = _moment(opened_at)
        # Larger numbers would not fit the column.
        if moment is None or not re.fullmatch("[0-9]{1,18}|[0-8][0-9]{18}", parcel_id):
            return None
        return cls(moment, int(parcel_id), kind)

    @classmethod
    def of(cls, breach: BreachListing) -> "Place":
        return cls(breach.opened_at, breach.parcel_id, breach.kind)

    def __str__(self) -> str:
        return f"{self.opened_at.isoformat()}|{self.parcel_id}|{self.kind}"

    def beyond(self, step: str) -> Q:
        """What lies after this place in the list (step "lt"), or before it ("gt")."""
        moment, parcel = Q(opened_at=self.opened_at), Q(parcel_id=self.parcel_id)
        # The first condition alone is a range of the index; the others decide within a moment.
        return Q(**{f"opened_at__{step}e": self.opened_at}) & (
            Q(**{f"opened_at__{step}": self.opened_at})
            | (moment & Q(**{f"parcel_id__{step}": self.parcel_id}))
            | (moment & parcel & Q(**{f"kind__{step}": self.kind}))
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A breach as the page tells it, in the time of the place where it fell due."""

    breach: BreachListing
    zone: str
    # For how long it was late, or is by now; empty when the breach stands no more.
    lateness: str

    @property
    def is_missing(self) -> bool:
        return self.breach.outcome == Outcome.OVERDUE


@require_safe
@login_required
def breach_list(request: HttpRequest) -> HttpResponse:
    """List the actor's breaches by cursor: what was promised, what came of it, and how late."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    require(actor, Capability.VIEW_RATES)
    form = BreachFilterForm(request.GET)
    asked = form.asked
    found = _filtered(BreachListing.objects.visible_to(actor), asked).select_related(
        "courier__organisation", "merchant", "tier", "origin", "destination"
    )
    breaches, newer, older = _page(found, request.GET.get("after", ""), request.GET.get("before", ""))
    now = timezone.now()
    context = {
        "form": form,
        "lines": [_line(breach, now) for breach in breaches],
        "next_url": _url({**asked, "after": older}) if older else "",
        "previous_url": _url({**asked, "before": newer}) if newer else "",
        "asked": asked,
        "may_export": actor.can(Capability.EXPORT),
    }
    return render(request, "slas/breach_list.html", context)


def _filtered(breaches: JudgedQuerySet, asked: dict[str, str]) -> JudgedQuerySet:
    if "kind" in asked:
        breaches = breaches.filter(kind=asked["kind"])
    if "tier" in asked:
        breaches = breaches.filter(tier__code=asked["tier"])
    match asked.get("state"):
        case BreachState.MISSING:
            return breaches.filter(outcome=Outcome.OVERDUE)
        case BreachState.LATE:
            return breaches.filter(outcome=Outcome.LATE)
        case BreachState.EXCUSED:
            return breaches.filter(excused=True, withdrawn_at=None)
        case BreachState.WITHDRAWN:
            return breaches.exclude(withdrawn_at=None)
    return breaches


def _page(
    found: JudgedQuerySet, after: str, before: str
) -> tuple[list[BreachListing], Place | None, Place | None]:
    """A page, and the places to go on from: back to newer ones, on to older ones. None is the end.

    A page back that is not full is the newest page: breaches opened since fill it.
    """
    order = ("-opened_at", "-parcel_id", "-kind")
    if (place := Place.read(before)) is not None:
        rows = list(found.filter(place.beyond("gt")).order_by(*(name[1:] for name in order))[: PAGE + 1])
        if len(rows) > PAGE:
            shown = rows[:PAGE][::-1]
            return shown, Place.of(shown[0]), Place.of(shown[-1])
        after = ""
    start = Place.read(after)
    rows = list((found.filter(start.beyond("lt")) if start else found).order_by(*order)[: PAGE + 1])
    if start and not rows:
        # What came after has been filtered out since: begin again.
        return _page(found, "", "")
    shown = rows[:PAGE]
    newer = Place.of(shown[0]) if start else None
    return shown, newer, Place.of(shown[-1]) if len(rows) > PAGE else None


def _line(breach: BreachListing, now: datetime) -> Line:
    city = breach.origin if breach.kind == CommitmentKind.PICKUP else breach.destination
    stands = is_breach(Outcome(breach.outcome))
    late = timesince(breach.due_at, breach.reached_at or now, depth=2) if stands else ""
    return Line(breach, city.time_zone, late)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _url(query: dict[str, Any]) -> str:
    return f"?{urlencode(query)}"
