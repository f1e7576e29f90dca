"""Cursor pages of parcels by id: a page costs the same at any depth, and does not shift on inserts."""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final

from alliance.cursors import Order, Place, Stretch, number, page_at
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import in_index_order
from couriers.homes.lists import at_homes, parcel_ids
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import ParcelQuerySet
from parcels.lists.filters import LOOKED_AT, ParcelFilter
from slas.listed import with_names

_BY_ID: Final = Order((("pk", number),))
# Less and more than any id: the page on the inner side of one of them is the last of the list.
_BELOW_ALL: Final = -1
_ABOVE_ALL: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Parcels with their names, and the ids at which the neighbour pages begin; None at an end of the list.

    "Older" is what comes next in the list, also in one that begins with the oldest parcel.
    """

    parcels: list[Parcel]
    older: int | None = None
    newer: int | None = None
    # Where the search for matching parcels was stopped; None if the page is full or the list ends.
    broken_off: int | None = None
    is_past_end: bool = False


def page_of(
    filters: ParcelFilter,
    *,
    older_than: int | None = None,
    newer_than: int | None = None,
    ascending: bool = False,
    is_last: bool = False,
    is_exact: bool = False,
    size: int,
) -> Page:
    """Return the page after or before a parcel of the list; without one, the first or the last page.

    If a page before a parcel is not full, return the first page instead, unless `is_exact`.
    """
    order = _BY_ID.reversed() if ascending else _BY_ID
    if is_last and newer_than is None:
        newer_than = _ABOVE_ALL if ascending else _BELOW_ALL
    with nullcontext() if filters.is_few else in_index_order():
        page = page_at(
            partial(_stretch, filters, order, size),
            order.place_of,
            older_than=_place(older_than),
            newer_than=_place(newer_than),
            is_last=is_last,
            is_exact=is_exact,
            size=size,
        )
        return Page(
            with_names(page.rows),
            older=_id(page.older),
            newer=_id(page.newer),
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
    filters: ParcelFilter,
    order: Order,
    size: int,
    *,
    older_than: Place | None = None,
    newer_than: Place | None = None,
) -> Stretch[Parcel]:
    def side(parcels: ParcelQuerySet) -> ParcelQuerySet:
        return order.older(parcels, older_than) if newer_than is None else order.newer(parcels, newer_than)

    end = None
    goes_up = order.ascending == (newer_than is None)
    if filters.looks_at_each:
        end = _end(side(filters.among), goes_up=goes_up)
    matching = side(filters.qs)
    if end is not None:
        matching = matching.filter(pk__lte=end) if goes_up else matching.filter(pk__gte=end)
    return Stretch(list(at_homes(matching, most=size + 1)[: size + 1]), _place(end))


def _end(parcels: ParcelQuerySet, *, goes_up: bool) -> int | None:
    """Return the last parcel that is examined; None if that is the list's."""
    # On a cluster, each of a courier's homes examines as many.
    ids = parcel_ids(parcels[LOOKED_AT - 1 : LOOKED_AT])
    return (ids[0] if goes_up else ids[-1]) if ids else None


def _place(pk: int | None) -> Place | None:
    return None if pk is None else (pk,)


def _id(place: Place | None) -> int | None:
    return None if place is None else int(place[0])
