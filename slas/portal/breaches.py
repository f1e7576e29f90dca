"""The list of breaches, newest first."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.contrib.auth.decorators import login_required
from django.db import models
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.cursors import Order, moment, number, word
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.portal.forms import FilterForm
from alliance.portal.paging import Listing, Sort
from alliance.portal.view_lists import OwnViews
from alliance.tenancy import require
from alliance.web.addresses import address
from alliance.web.requests import ActorRequest
from alliance.web.stencils import filled
from couriers.homes.lists import at_homes
from slas.choices import CommitmentKind, Outcome, TierCode
from slas.commitments.querysets import JudgedQuerySet
from slas.commitments.rules import is_breach
from slas.listed import with_names
from slas.models import BreachListing, Commitment

PAGE = 50
LIST = Listing(
    "breaches",
    {
        "opened": Sort(
            pgettext_lazy("breach", "Opened"),
            Order((("opened_at", moment), ("parcel_id", number), ("kind", word))),
        )
    },
    has_views=True,
)


class BreachState(models.TextChoices):
    """The current state of a breach."""

    MISSING = "missing", gettext_lazy("Still overdue")
    LATE = "late", gettext_lazy("Reached late")
    EXCUSED = "excused", gettext_lazy("Exempt")
    WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")


class BreachFilterForm(FilterForm):
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


@dataclass(frozen=True, slots=True)
class Line:
    """A breach as shown on the page, in the local time of its place."""

    breach: BreachListing
    zone: str
    # How late it was, or is by now; empty if it is no longer a breach.
    lateness: str
    for_courier: bool

    @property
    def is_missing(self) -> bool:
        return self.breach.outcome == Outcome.OVERDUE

    @property
    def html(self) -> SafeString:
        breach, number = self.breach, self.breach.number
        party = breach.merchant if self.for_courier else breach.courier.organisation
        texts = {
            "number": number,
            "url": address("parcels:breach_detail", number, breach.kind),
            "origin": breach.origin.name,
            "destination": breach.destination.name,
            "party": party.name,
            "due": self._moment(breach.due_at),
            "kind": str(CommitmentKind(breach.kind).label),
            "tier": breach.tier.name,
            "reached": self._moment(breach.reached_at) if breach.reached_at else "",
            "lateness": self.lateness,
            "opened": self._moment(breach.opened_at),
        }
        shape = {
            "for_courier": self.for_courier,
            "is_missing": self.is_missing,
            "outcome": breach.outcome,
            "excused": breach.excused,
            "is_withdrawn": breach.withdrawn_at is not None,
        }
        return filled("slas/breach_row.html", texts, shape)

    def _moment(self, at: datetime) -> str:
        return date_text(local_clock(at, self.zone), "DATETIME_FORMAT")


@require_safe
@login_required
def breach_list(request: ActorRequest) -> HttpResponse:
    """List the actor's breaches by cursor: the promise, the outcome and the lateness."""
    actor = request.actor
    require(actor, Capability.VIEW_RATES)
    views = OwnViews.of(actor, "breaches")
    if url := views.default_url(request.GET):
        return redirect(url)
    form = BreachFilterForm(request.GET)
    filters = form.filters
    breaches = _filter(form.among(BreachListing.objects.visible_to(actor)), filters)
    asked = LIST.asked(request, form.params)
    page = LIST.page(breaches, asked, size=PAGE, complete=with_names, narrow=at_homes)
    now = timezone.now()
    context = {
        "form": form,
        "lines": [_line(breach, now, for_courier=actor.is_courier) for breach in page.rows],
        "asked": filters,
        "may_export": actor.can(Capability.EXPORT),
        "views": views.chips(asked),
        **page.context,
    }
    return render(request, "slas/breach_list.html", context, status=max(form.status, page.status))


def _filter(breaches: JudgedQuerySet, filters: dict[str, str]) -> JudgedQuerySet:
    if "kind" in filters:
        breaches = breaches.filter(kind=filters["kind"])
    if "tier" in filters:
        breaches = breaches.filter(tier__code=filters["tier"])
    match filters.get("state"):
        case BreachState.MISSING:
            gone = Commitment.objects.never_to_come().values("parcel_id")
            return breaches.filter(outcome=Outcome.OVERDUE).exclude(parcel_id__in=gone)
        case BreachState.LATE:
            return breaches.filter(outcome=Outcome.LATE)
        case BreachState.EXCUSED:
            return breaches.filter(excused=True, withdrawn_at=None)
        case BreachState.WITHDRAWN:
            return breaches.exclude(withdrawn_at=None)
    return breaches


def _line(breach: BreachListing, now: datetime, *, for_courier: bool) -> Line:
    city = breach.origin if breach.kind == CommitmentKind.PICKUP else breach.destination
    is_current = is_breach(Outcome(breach.outcome))
    late = duration_text((breach.reached_at or now) - breach.due_at) if is_current else ""
    return Line(breach, city.time_zone, late, for_courier)
