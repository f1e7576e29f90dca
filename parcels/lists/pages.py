"""Pages of parcels by id: a page costs the same however deep it lies, and stands still under inserts."""

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
# Less than any id: what is newer than that is the whole list, its oldest page first.
_BELOW_ALL: Final = -1


@dataclass(frozen=True, slots=True)
class Page:
    """Some parcels with their names, newest first, and the ids to go on from; None is an end."""

    parcels: list[Parcel]
    before: int | None = None
    after: int | None = None
    # Where the look for what matches was broken off; None when the page is full or the list is at its end.
    broken_off: int | None = None


def page_of(
    found: ParcelFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    oldest: bool = False,
    size: int,
) -> Page:
    """Return the page of what was booked before, or after, a parcel; without either, the newest or oldest.

    A page back that is not full is the newest page: parcels booked since fill it. One that has nothing
    on its side is the newest page as well.
    """
    if oldest and after is None:
        after = _BELOW_ALL
    with nullcontext() if found.is_few else in_index_order():
        page = page_at(
            partial(_stretch, found, size),
            _BY_ID.place_of,
            older_than=_place(before),
            newer_than=_place(after),
            is_last=oldest,
            size=size,
        )
        return Page(
            found.queryset.named(page.rows),
            before=_id(page.older),
            after=_id(page.newer),
            broken_off=_id(page.broken_off),
        )


def read_place(number: str) -> int | None:
    """The id of a tracking number to go on from; None for a text that is none."""
    try:
        return parse_tracking_number(number) if number else None
    except InvalidTrackingNumber:
        return None


def _stretch(
    found: ParcelFilter, size: int, *, older_than: Place | None = None, newer_than: Place | None = None
) -> Stretch[Parcel]:
    end = None
    if found.looks_at_each:
        walked = _side(found.among, older_than, newer_than).values_list("pk", flat=True)
        end = next(iter(walked[LOOKED_AT - 1 : LOOKED_AT]), None)
    matching = _side(found.qs, older_than, newer_than)
    if end is not None:
        matching = matching.filter(pk__gte=end) if newer_than is None else matching.filter(pk__lte=end)
    return Stretch(list(matching[: size + 1]), _place(end))


def _side(parcels: ParcelQuerySet, older_than: Place | None, newer_than: Place | None) -> ParcelQuerySet:
    return _BY_ID.older(parcels, older_than) if newer_than is None else _BY_ID.newer(parcels, newer_than)


def _place(pk: int | None) -> Place | None:
    return None if pk is None else (pk,)


def _id(place: Place | None) -> int | None:
    return None if place is None else int(place[0])
