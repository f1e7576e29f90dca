"""The page of the watch list: parcels that are late or may become late."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alliance.choices import Capability
from alliance.clocks import local_clock
from alliance.dates import date_text
from alliance.durations import duration_text
from alliance.portal.badges import badge_for
from alliance.portal.forms import FilterForm
from alliance.portal.paging import Asked, Listing, Sort
from alliance.portal.view_lists import OwnViews
from alliance.tenancy import Actor, require
from alliance.web.addresses import address
from alliance.web.requests import ActorRequest
from alliance.web.stencils import filled
from parcels.tracking.advice import title_of
from parcels.tracking.state import ParcelState
from parcels.watch_list.queries import (
    BY_CHANCE,
    BY_DUE,
    Watched,
    WatchPage,
    WatchQuery,
    count_of,
    page_in_order,
    page_of_watched,
    reason_counts,
    refreshed_at,
)
from slas.choices import TierCode, WatchReason
from slas.forecasts.services.watch_list import MOST_COUNTED

PAGE_SIZE = 50
CHANCES: Final = ("5", "20", "50", "80")
BY_URGENCY: Final = "urgency"
LIST: Final = Listing(
    "watch list",
    {
        BY_URGENCY: Sort(gettext_lazy("Urgency")),
        "chance": Sort(gettext_lazy("Chance of being late"), BY_CHANCE),
        "due": Sort(gettext_lazy("Due"), BY_DUE, ascends_first=True),
    },
    has_views=True,
)
VIEWS: Final = "watch"


class WatchFilterForm(FilterForm):
    """The filters, shown as links instead of fields."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason"), required=False, choices=WatchReason.choices)
    tier = forms.ChoiceField(label=gettext_lazy("Service"), required=False, choices=TierCode.choices)
    chance = forms.ChoiceField(
        label=gettext_lazy("Chance of being late"),
        required=False,
        choices=[(value, value) for value in CHANCES],
    )


@dataclass(frozen=True, slots=True)
class Chip:
    """A link that sets or clears one filter."""

    label: str | Promise
    url: str
    active: bool
    count: int | None = None


@dataclass(frozen=True, slots=True)
class WatchRow:
    """A parcel of the list, with its margin as text."""

    watched: Watched
    margin: str
    # Past its promise without an attempt in time. After an attempt in time the promise is kept.
    is_missed: bool

    @property
    def state(self) -> ParcelState:
        return self.watched.state

    @property
    def title(self) -> str:
        return title_of(self.state)

    @property
    def due_at(self) -> datetime:
        """The day agreed now, as on the parcel's page."""
        return _due_at(self.watched)


@require_safe
@login_required
@never_cache
def watch_list(request: ActorRequest) -> HttpResponse:
    """List the parcels to check, the most urgent first; the list polls every minute."""
    actor = request.actor
    require(actor, Capability.VIEW_PARCELS)
    form = WatchFilterForm(request.GET)
    filters = form.filters
    query = _query(filters)
    now = timezone.now()
    views = OwnViews.of(actor, VIEWS)
    if url := views.default_url(request.GET):
        return redirect(url)
    asked = LIST.asked(request, form.params)
    page = WatchPage([])
    if form.is_valid() and not asked.is_refused:
        page = _page(actor, query, asked, now)
    total = count_of(actor, query)
    rows = [_row(watched, now) for watched in page.watched]
    context = {
        "form": form,
        "rows": rows,
        "lines": [_line(row, for_courier=actor.is_courier) for row in rows],
        "reasons": _reason_chips(actor, query, asked),
        "tiers": _chips("tier", asked, [("", _("All services")), *TierCode.choices]),
        "chances": _chips("chance", asked, [("", _("Needs attention")), *_chance_labels()]),
        "is_filtered": bool(filters),
        "total": total,
        "is_many": total >= MOST_COUNTED,
        "refreshed_at": refreshed_at(actor),
        "here": _url(request.GET.dict()),
        "sorting": asked,
        "views": views.chips(asked),
        "next_url": asked.place_url("after", str(page.after or "")),
        "previous_url": asked.place_url("before", str(page.before or "")),
        "newest_url": asked.url() if page.is_past_end or asked.is_refused else "",
    }
    status = 422 if asked.is_refused else form.status
    return render(request, "parcels/watch_list.html", context, status=status)


def _page(actor: Actor, query: WatchQuery, asked: Asked, now: datetime) -> WatchPage:
    after, before = asked.after, asked.before
    if asked.column == BY_URGENCY:
        return page_of_watched(actor, query, size=PAGE_SIZE, now=now, after=after, before=before)
    return page_in_order(actor, query, asked.order, size=PAGE_SIZE, after=after, before=before)


def urgent_rows(actor: Actor, *, size: int) -> list[WatchRow]:
    """Return the parcels to look at first, for a page that shows a few."""
    now = timezone.now()
    page = page_of_watched(actor, WatchQuery(), size=size, now=now)
    return [_row(watched, now) for watched in page.watched]


def _query(filters: dict[str, str]) -> WatchQuery:
    return WatchQuery(
        reason=WatchReason(filters["reason"]) if "reason" in filters else None,
        tier=filters.get("tier"),
        chance=int(filters["chance"]) / 100 if "chance" in filters else None,
    )


def _row(watched: Watched, now: datetime) -> WatchRow:
    past = now - _due_at(watched)
    is_past = past > timedelta(0)
    params = {"time": duration_text(past)}
    text = _("%(time)s ago") % params if is_past else _("in %(time)s") % params
    return WatchRow(watched, text, is_missed=is_past and watched.item.chance > 0)


def _line(row: WatchRow, *, for_courier: bool) -> SafeString:
    """A row as the list writes it, in the time of the city of destination."""
    watched, state, parcel = row.watched, row.state, row.watched.parcel
    party = parcel.merchant if for_courier else parcel.courier

    def text(at: datetime, form: str = "DATETIME_FORMAT") -> str:
        return date_text(local_clock(at, parcel.destination.time_zone), form)

    texts = {
        "number": parcel.number,
        "url": address("parcels:parcel_detail", parcel.number),
        "origin": parcel.origin.name,
        "destination": parcel.destination.name,
        "tier": parcel.tier.name,
        "percent": str(watched.percent),
        "due": text(row.due_at),
        "margin": row.margin,
        "last": text(parcel.last_scan_at) if parcel.last_scan_at else "",
        "party": party.organisation.name,
        "reference": parcel.reference,
    }
    if WatchReason.CONTRADICTION in watched.reasons:
        texts["contradiction"] = parcel.get_contradiction_display()
    if arrival := state.arrival:
        form = "DATE_FORMAT" if arrival.precision == arrival.precision.DAY else "DATETIME_FORMAT"
        texts["expected"] = text(arrival.p50_at, form)
        texts["latest"] = text(arrival.p90_at, form) if arrival.p90_at != arrival.p50_at else ""
    shape = {
        "for_courier": for_courier,
        "badges": tuple(watched.reasons),
        "is_likely": watched.is_likely,
        "is_missed": row.is_missed,
        "status": state.shown_status,
        "title": row.title,
    }
    return filled("parcels/watch_row.html", texts, shape)


def _due_at(watched: Watched) -> datetime:
    promise = watched.state.promise
    return promise.deliver_by if promise and promise.is_moved else watched.item.due_at


def _reason_chips(actor: Actor, query: WatchQuery, asked: Asked) -> list[Chip]:
    """All reasons, and each reason in the list; the chosen reason even if no parcel has it."""
    counts = reason_counts(actor, query)
    if query.reason is not None:
        counts.setdefault(query.reason, 0)
    chips = [Chip(_("All reasons"), asked.filtered_url(reason=""), query.reason is None)]
    for reason, number in counts.items():
        url = asked.filtered_url(reason=reason.value)
        chips.append(Chip(badge_for("watch", reason.value).label, url, query.reason == reason, number))
    return chips


def _chips(name: str, asked: Asked, choices: list[tuple[str, Any]]) -> list[Chip]:
    *_others, chosen = asked.filters.get(name, [""])
    return [Chip(label, asked.filtered_url(**{name: value}), chosen == value) for value, label in choices]


def _chance_labels() -> list[tuple[str, str]]:
    return [(value, _("≥ %(percent)s %%") % {"percent": value}) for value in CHANCES]


def _url(query: dict[str, Any]) -> str:
    return f"{reverse('parcels:watch_list')}?{urlencode(query)}".rstrip("?")
