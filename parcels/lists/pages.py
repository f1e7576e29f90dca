"""Cursor pages of parcels by id: a page costs the same at any depth, and does not shift on inserts."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final

from alliance.cursors import Order, Place, Stretch, number, page_at
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import in_index_order
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import ParcelQuerySet
from parcels.lists.filters import LOOKED_AT, ParcelFilter

_BY_ID: Final = Order((("pk", number),))
# Less than any id: the page after it is the oldest one.
_BELOW_ALL: Final = -1


@dataclass(frozen=True, slots=True)
class Page:
    """Parcels with their names, newest first, and the ids of the neighbour pages; None at an end."""

    parcels: list[Parcel]
    before: int | None = None
    after: int | None = None
    # Where the search for matching parcels was stopped; None if the page is full or the list ends.
    broken_off: int | None = None
    is_past_end: bool = False


def page_of(
    filters: ParcelFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    oldest: bool = False,
    is_exact: bool = False,
    size: int,
) -> Page:
    """Return the page of parcels booked before or after a parcel; without one, the newest or oldest page.

    If a page of newer parcels is not full, return the newest page instead, unless `is_exact`.
    """
    if oldest and after is None:
        after = _BELOW_ALL
    with nullcontext() if filters.is_few else in_index_order():
        page = page_at(
            partial(_stretch, filters, size),
            _BY_ID.place_of,
            older_than=_place(before),
            newer_than=_place(after),
            is_last=oldest,
            is_exact=is_exact,
            size=size,
        )
        return Page(
            filters.queryset.named(page.rows),
            before=_id(page.older),
            after=_id(page.newer),
            broken_off=_id(page.broken_off),
            is_past_end=page.is_past_end,
        )


def read_place(number: str) -> int | None:
    """Return the id of a tracking number; None for an invalid one."""
    try:
        return parse_tracking_number(number) if number else None
    except InvalidTrackingNumber:
        return None


def _stretch(
    filters: ParcelFilter, size: int, *, older_than: Place | None = None, newer_than: Place | None = None
) -> Stretch[Parcel]:
    end = None
    if filters.looks_at_each:
        ids = _side(filters.among, older_than, newer_than).values_list("pk", flat=True)
        end = next(iter(ids[LOOKED_AT - 1 : LOOKED_AT]), None)
    matching = _side(filters.qs, older_than, newer_than)
    if end is not None:
        matching = matching.filter(pk__gte=end) if newer_than is None else matching.filter(pk__lte=end)
    return Stretch(list(matching[: size + 1]), _place(end))


def _side(parcels: ParcelQuerySet, older_than: Place | None, newer_than: Place | None) -> ParcelQuerySet:
    return _BY_ID.older(parcels, older_than) if newer_than is None else _BY_ID.newer(parcels, newer_than)


def _place(pk: int | None) -> Place | None:
    return None if pk is None else (pk,)


def _id(place: Place | None) -> int | None:
    return None if place is None else int(place[0])
