"""The dashboard of couriers and merchants: today's parcels and on-time rates.

Rates and due counts are read from folded cells, so the cost does not depend on the number of parcels.
Only a merchant's bookings of today are counted from parcels, up to a limit.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.figures import kept, unless_away
from alliance.templatetags.ui import count
from alliance.tenancy import Actor, require
from alliance.web.requests import ActorRequest
from alliance.wording import server_zone_text
from parcels.models import Parcel
from parcels.portal.watch_list import WatchRow, urgent_rows
from slas.choices import CommitmentKind
from slas.models import Offer
from slas.rates.charts import trend_chart
from slas.rates.names import ends_of
from slas.rates.queries import MONTH, WEEK, RateSummary, rates_for, summary_for
from slas.rates.rules import GroupBy, RateRow

# Exact counts beyond this are of no use, and would cost more than the rest of the page.
MOST_COUNTED = 10_000
# Parcels of the watch list to begin with.
MOST_URGENT = 5
PERIODS = (WEEK, MONTH)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the page, which polls for them every minute."""

    delivery: RateSummary
    pickup: RateSummary
    # For a merchant; None for a courier, or while a worker is away.
    booked_today: int | None

    @property
    def is_empty(self) -> bool:
        kinds = (self.delivery, self.pickup)
        return not any(kind.month.promised or kind.month.void or kind.overdue_now for kind in kinds)


@dataclass(frozen=True, slots=True)
class Card:
    """One count, and the list it links to."""

    label: str
    value: str
    icon: str
    note: str = ""
    tone: str = ""
    # The URL name of a page; not linked if there is no such page.
    page: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class RateCard:
    """One period's raw and accountable rate of one milestone."""

    label: str
    row: RateRow
    query: str


@require_safe
@login_required
@never_cache
def dashboard_view(request: ActorRequest) -> HttpResponse:
    """Show today's parcels, due and overdue counts, and on-time rates; for htmx only the figures."""
    actor = request.actor
    if actor.is_ops:
        return redirect("admin:index")
    require(actor, Capability.VIEW_RATES)
    today = timezone.localdate()
    figures = _figures(actor, today)
    days = MONTH if request.GET.get("days") == str(MONTH) else WEEK
    no_rows: list[WatchRow] = []
    context: dict[str, Any] = {
        "cards": _cards(figures, today),
        "rates": _rates(figures, days),
        "days": days,
        "periods": PERIODS,
        "urgent": unless_away(lambda: urgent_rows(actor, size=MOST_URGENT), otherwise=no_rows),
        "today": today,
        "zone": server_zone_text(),
    }
    if request.htmx:
        return render(request, "parcels/dashboard_figures.html", context)
    context["missing"] = _missing(actor, figures)
    context["may_start"] = actor.can(
        Capability.MANAGE_OFFERS if actor.is_courier else Capability.BOOK_PARCELS
    )
    context["main_work"] = _main_work(actor)
    if context["missing"] != "everything":
        context |= _record(actor, figures, today)
    return render(request, "parcels/dashboard.html", context)


def _main_work(actor: Actor) -> str:
    """What the page's main button does: the first of these that the role may do, or nothing."""
    works = (
        (Capability.BOOK_PARCELS, "book"),
        (Capability.SEND_SCANS, "scan"),
        (Capability.VIEW_FINANCE, "books"),
    )
    return next((work for capability, work in works if actor.can(capability)), "")


def _figures(actor: Actor, today: date) -> Figures:
    return Figures(
        delivery=summary_for(actor=actor, today=today, kind=CommitmentKind.DELIVERY),
        pickup=summary_for(actor=actor, today=today, kind=CommitmentKind.PICKUP),
        booked_today=_booked_on(actor, today) if actor.is_merchant else None,
    )


def _booked_on(actor: Actor, day: date) -> int | None:
    """How many parcels were booked on a day, counted up to one more than MOST_COUNTED; None if unknown."""
    zone = ZoneInfo(settings.TIME_ZONE)
    parcels = Parcel.objects.visible_to(actor).booked_between(day, day, zone=zone)
    return kept(f"booked:{day}", actor, parcels.order_by()[: MOST_COUNTED + 1].count, otherwise=None)


def _cards(figures: Figures, today: date) -> list[Card]:
    """Counts of what is due today, and of everything overdue."""
    cards = [
        _due_card(_("Pickups due today"), figures.pickup, _("%(count)s not picked up yet"), "package-import"),
        _due_card(_("Deliveries due today"), figures.delivery, _("%(count)s not delivered yet"), "truck"),
    ]
    overdue = _overdue_card(_("Deliveries overdue now"), figures.delivery, CommitmentKind.DELIVERY)
    if figures.booked_today is None:
        return [
            *cards,
            overdue,
            _overdue_card(_("Pickups overdue now"), figures.pickup, CommitmentKind.PICKUP),
        ]
    # Pickups are the courier's task: a merchant sees overdue pickups only as a note.
    if figures.pickup.overdue_now:
        note = _("Pickups overdue: %(count)s") % {"count": count(figures.pickup.overdue_now)}
        overdue = replace(overdue, note=note)
    return [_booked_card(figures.booked_today, today), *cards, overdue]


def _booked_card(booked: int, today: date) -> Card:
    value = _("over %(count)s") % {"count": count(MOST_COUNTED)} if booked > MOST_COUNTED else count(booked)
    return Card(
        label=_("Booked today"),
        value=value,
        icon="package-export",
        page="parcels:parcel_list",
        query=f"?booked_from={today}&booked_to={today}",
    )


def _due_card(label: str, summary: RateSummary, note: str, icon: str) -> Card:
    note_text = note % {"count": count(summary.open_today)} if summary.due_today else ""
    return Card(label=label, value=count(summary.due_today), icon=icon, note=note_text)


def _overdue_card(label: str, summary: RateSummary, kind: CommitmentKind) -> Card:
    return Card(
        label=label,
        value=count(summary.overdue_now),
        icon="alarm",
        tone="danger" if summary.overdue_now else "",
        page="slas:breach_list",
        query=f"?state=missing&kind={kind.value}",
    )


def _rates(figures: Figures, days: int) -> list[RateCard]:
    delivery, pickup = figures.delivery, figures.pickup
    rows = (delivery.month, pickup.month) if days == MONTH else (delivery.week, pickup.week)
    return [
        _rate_card(_("Delivered on time"), rows[0], days, CommitmentKind.DELIVERY),
        _rate_card(_("Picked up on time"), rows[1], days, CommitmentKind.PICKUP),
    ]


def _rate_card(label: str, row: RateRow, days: int, kind: CommitmentKind) -> RateCard:
    return RateCard(label, row, f"?period={days}&kind={kind.value}")


def _missing(actor: Actor, figures: Figures) -> str:
    """What a new organisation lacks: "everything" shows only the first steps, "offers" a reminder."""
    if actor.is_courier:
        if Offer.objects.visible_to(actor).on_sale().exists():
            return ""
        return "everything" if figures.is_empty else "offers"
    if figures.is_empty and not Parcel.objects.visible_to(actor).exists():
        return "everything"
    return ""


def _record(actor: Actor, figures: Figures, today: date) -> dict[str, Any]:
    """The on-time record of the last 30 days: by day, and by lane or courier."""
    group_by = GroupBy.LANE if actor.is_courier else GroupBy.COURIER
    first = today - timedelta(days=MONTH - 1)
    rows = rates_for(actor=actor, first=first, last=today, today=today, group_by=group_by)
    return {
        "trend": trend_chart(figures.delivery.trend, id="trend", title=_("Deliveries on time by day")),
        "ends": ends_of(rows, group_by),
        "group_by": group_by.value,
    }
