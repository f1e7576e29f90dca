"""Queries of the watch list for pages and the API: filtered, ordered by urgency, in cursor pages."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Max, Q
from django.utils import timezone

from alliance.cursors import Order, Stretch, fraction, moment, number, page_at, place_text
from alliance.cursors import Place as Cells
from alliance.figures import kept
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.tenancy import Actor
from couriers.homes.lists import at_homes, told_at_homes
from parcels.bookings.models import Parcel
from parcels.tracking.queries import states_of
from parcels.tracking.state import ParcelState
from slas.choices import Stage, WatchReason
from slas.forecasts.querysets import WatchItemQuerySet
from slas.forecasts.services.watch_list import count_watched
from slas.forecasts.watch_rules import URGENCY
from slas.listed import with_names
from slas.models import WatchItem

# An organisation's list is what is due within a day or overdue: short enough to be sorted.
BY_DUE: Final = Order((("due_at", moment), ("parcel_id", number)))
BY_CHANCE: Final = Order((("chance", fraction), ("due_at", moment), ("parcel_id", number)))
# More likely late than not.
LIKELY: Final = 0.5
_RANK: Final = {reason: rank for rank, reason in enumerate(URGENCY)}
_FIELDS: Final = ("is_in_trouble", "is_past", "distance", "due_at", "chance", "parcel_id")


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """The filters of the list; None means all.

    Without `chance`, only parcels that need a look: none with just a small risk.
    """

    reason: WatchReason | None = None
    tier: str | None = None
    # The least chance of being late, 0 to 1.
    chance: float | None = None

    def of(self, actor: Actor) -> WatchItemQuerySet:
        """Return the matching rows: one per parcel and reason."""
        items = WatchItem.objects.visible_to(actor)
        items = items.needing_a_look() if self.chance is None else items.filter(chance__gte=self.chance)
        if self.tier is not None:
            items = items.filter(tier__code=self.tier)
        return items if self.reason is None else items.filter(reason=self.reason)


@dataclass(frozen=True, slots=True)
class Place:
    """The place where a page begins or ends, and the moment of its order."""

    at: datetime
    is_in_trouble: bool
    due_at: datetime
    chance: float
    parcel_id: int

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """Parse the result of str(); None for any other text."""
        parts = text.split("~")
        if len(parts) != 5 or parts[1] not in ("0", "1"):
            return None
        try:
            at, due_at = moment(parts[0]), moment(parts[2])
            chance, parcel_id = float(parts[3]), parse_tracking_number(parts[4])
        except (ValueError, InvalidTrackingNumber):
            return None
        if at is None or due_at is None or not 0 <= chance <= 1:
            return None
        return cls(at, parts[1] == "1", due_at, chance, parcel_id)

    def __str__(self) -> str:
        return "~".join(
            (
                self.at.isoformat(),
                str(int(self.is_in_trouble)),
                self.due_at.isoformat(),
                repr(self.chance),
                tracking_number(self.parcel_id),
            )
        )

    def beyond(self, *, backwards: bool) -> Q:
        """Return the condition of items after this place in the order of urgency, or before it."""
        same = Q(is_in_trouble=self.is_in_trouble) & self._beyond(backwards=backwards)
        # All parcels in trouble come before all others.
        if self.is_in_trouble == backwards:
            return same
        return same | Q(is_in_trouble=backwards)

    def _beyond(self, *, backwards: bool) -> Q:
        more, less = ("lt", "gt") if backwards else ("gt", "lt")
        is_past = self.due_at < self.at
        # Overdue items come after the others, and in reverse order of time.
        later = less if is_past else more
        within = Q(**{f"due_at__{later}": self.due_at}) | (
            Q(due_at=self.due_at)
            & (
                Q(**{f"chance__{less}": self.chance})
                | Q(chance=self.chance, **{f"parcel_id__{more}": self.parcel_id})
            )
        )
        ahead, past = Q(due_at__gte=self.at), Q(due_at__lt=self.at)
        if is_past:
            return (past & within) | ahead if backwards else past & within
        return ahead & within if backwards else (ahead & within) | past


@dataclass(frozen=True, slots=True)
class Watched:
    """One parcel of the watch list with all its reasons, the most urgent first."""

    item: WatchItem
    reasons: list[WatchReason]
    # The parcel as it stands now, while the reasons are those of the last refresh.
    parcel: Parcel
    state: ParcelState

    @property
    def stage(self) -> Stage:
        return Stage(self.item.stage)

    @property
    def percent(self) -> int:
        return round(self.item.chance * 100)

    @property
    def is_likely(self) -> bool:
        return self.item.chance >= LIKELY


@dataclass(frozen=True, slots=True)
class WatchPage:
    """Parcels in order of urgency, and the places of the neighbour pages; None at an end."""

    watched: list[Watched]
    before: Place | str | None = None
    after: Place | str | None = None
    # Nothing is left after the place that was asked for.
    is_past_end: bool = False


def page_of_watched(
    actor: Actor,
    query: WatchQuery,
    *,
    size: int,
    now: datetime,
    after: str = "",
    before: str = "",
    is_exact: bool = False,
) -> WatchPage:
    """Return the page after or before a place; without a place, or with an invalid one, the first page.

    The order uses the moment at which the first page was read, so that no item moves between pages. If a page
    before a place is not full, return the first page; with `is_exact`, what there is before it.
    """
    items = query.of(actor)
    if (place := Place.read(before)) is not None:
        keys = _keys(items.filter(place.beyond(backwards=True)), place.at, size, backwards=True)
        if len(keys) > size or is_exact:
            has_before = len(keys) > size
            return _page(actor, keys[:size][::-1], place.at, has_before=has_before, has_after=True)
        now = place.at
    elif (place := Place.read(after)) is not None:
        keys = _keys(items.filter(place.beyond(backwards=False)), place.at, size)
        if not keys:
            return WatchPage([], is_past_end=True)
        return _page(actor, keys[:size], place.at, has_before=True, has_after=len(keys) > size)
    keys = _keys(items, now, size)
    return _page(actor, keys[:size], now, has_before=False, has_after=len(keys) > size)


def page_in_order(
    actor: Actor, query: WatchQuery, order: Order, *, size: int, after: str = "", before: str = ""
) -> WatchPage:
    """Return the page after or before a place of the list by due time or by risk; else the first page."""
    # The rows of a parcel differ only in their reason.
    items = query.of(actor).values_list(*(column for column, _read in order.columns), named=True).distinct()

    def look(*, older_than: Cells | None = None, newer_than: Cells | None = None) -> Stretch[Any]:
        side = order.older(items, older_than) if newer_than is None else order.newer(items, newer_than)
        return Stretch(list(at_homes(side, most=size + 1)[: size + 1]))

    newer_than = order.read(before)
    older_than = order.read(after) if newer_than is None else None
    page = page_at(look, order.place_of, older_than=older_than, newer_than=newer_than, size=size)
    return WatchPage(
        _watched_parcels(actor, [row.parcel_id for row in page.rows], now=timezone.now()),
        before=place_text(page.newer),
        after=place_text(page.older),
        is_past_end=page.is_past_end,
    )


def count_of(actor: Actor, query: WatchQuery) -> int:
    """Count the parcels of a list, up to MOST_COUNTED; on a cluster, half a minute ago."""
    name = f"watched:{query.reason}:{query.tier}:{query.chance}"
    return kept(name, actor, lambda: count_watched(actor=actor, found=query.of(actor)), otherwise=0)


def reason_counts(actor: Actor, query: WatchQuery) -> dict[WatchReason, int]:
    """Count the parcels per reason, ignoring the filter by reason; the most urgent first."""
    nothing: dict[WatchReason, int] = {}
    name = f"watched-reasons:{query.tier}:{query.chance}"
    return kept(name, actor, lambda: _reason_counts(actor, query), otherwise=nothing)


def _reason_counts(actor: Actor, query: WatchQuery) -> dict[WatchReason, int]:
    rows = replace(query, reason=None).of(actor).order_by().values("reason").annotate(n=Count("id"))
    told = told_at_homes(rows)
    counts = Counter[str]()
    for row in rows if told is None else told:
        counts[row["reason"]] += row["n"]
    return {reason: counts[reason] for reason in URGENCY if reason in counts}


def refreshed_at(actor: Actor) -> datetime | None:
    """Return when the items that the actor sees were calculated."""
    return kept("watch-refreshed", actor, lambda: _refreshed_at(actor), otherwise=None)


def _refreshed_at(actor: Actor) -> datetime | None:
    items = WatchItem.objects.visible_to(actor)
    told = told_at_homes(items.order_by("-refreshed_at").values("refreshed_at")[:1])
    if told is not None:
        return max((datetime.fromisoformat(row["refreshed_at"]) for row in told), default=None)
    newest: datetime | None = items.aggregate(at=Max("refreshed_at"))["at"]
    return newest


def _keys(
    items: WatchItemQuerySet, at: datetime, size: int, *, backwards: bool = False
) -> list[dict[str, Any]]:
    by_urgency = items.by_urgency(at)
    # The rows of a parcel differ only in their reason.
    keys = (by_urgency.reverse() if backwards else by_urgency).values(*_FIELDS).distinct()
    return list(at_homes(keys, most=size + 1)[: size + 1])


def _page(
    actor: Actor, keys: list[dict[str, Any]], at: datetime, *, has_before: bool, has_after: bool
) -> WatchPage:
    places = [Place(at, key["is_in_trouble"], key["due_at"], key["chance"], key["parcel_id"]) for key in keys]
    watched = _watched_parcels(actor, [place.parcel_id for place in places], now=timezone.now())
    return WatchPage(
        watched,
        before=places[0] if has_before and places else None,
        after=places[-1] if has_after and places else None,
    )


def _watched_parcels(actor: Actor, parcel_ids: Iterable[int], *, now: datetime) -> list[Watched]:
    ids = list(parcel_ids)
    listed = with_names(Parcel.objects.visible_to(actor).filter(pk__in=ids))
    parcels = {parcel.pk: parcel for parcel in listed}
    states = states_of(actor=actor, parcels=listed, now=now)
    items: dict[int, list[WatchItem]] = {}
    for item in WatchItem.objects.visible_to(actor).filter(parcel_id__in=ids):
        items.setdefault(item.parcel_id, []).append(item)
    return [
        Watched(
            item=items[parcel_id][0],
            reasons=sorted((WatchReason(item.reason) for item in items[parcel_id]), key=_RANK.__getitem__),
            parcel=parcels[parcel_id],
            state=states[parcel_id],
        )
        for parcel_id in ids
        if parcel_id in parcels and parcel_id in items
    ]
