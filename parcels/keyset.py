"""Pages of parcels by id: a page costs the same however deep it lies, and stands still under inserts."""

from dataclasses import dataclass

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import in_index_order
from parcels.filters import LOOKED_AT, ParcelFilter
from parcels.models import Parcel
from parcels.querysets import ParcelQuerySet


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
    if found.is_few:
        return _page(found, before, after, oldest, size)
    with in_index_order():
        return _page(found, before, after, oldest, size)


def read_place(number: str) -> int | None:
    """The id of a tracking number to go on from; None for a text that is none."""
    try:
        return parse_tracking_number(number) if number else None
    except InvalidTrackingNumber:
        return None


def _page(found: ParcelFilter, before: int | None, after: int | None, oldest: bool, size: int) -> Page:
    if before is not None:
        rows, end = _stretch(found, size, older_than=before)
        if rows or end is not None:
            return _older(found, rows, end, size)
    elif after is not None or oldest:
        rows, end = _stretch(found, size, newer_than=-1 if after is None else after)
        if len(rows) > size or end is not None or (oldest and rows):
            return _newer(found, rows, end, size, is_last=oldest)
    rows, end = _stretch(found, size)
    page = _older(found, rows, end, size)
    return Page(page.parcels, before=page.before, broken_off=page.broken_off)


def _older(found: ParcelFilter, rows: list[Parcel], end: int | None, size: int) -> Page:
    newest = rows[0].pk if rows else None
    if len(rows) > size:
        return Page(found.queryset.named(rows[:size]), before=rows[size - 1].pk, after=newest)
    return Page(found.queryset.named(rows), before=end, after=newest, broken_off=end)


def _newer(found: ParcelFilter, rows: list[Parcel], end: int | None, size: int, *, is_last: bool) -> Page:
    shown = rows[:size][::-1]
    more = shown[0].pk if len(rows) > size else end
    before = None if is_last or not shown else shown[-1].pk
    broken_off = end if len(rows) <= size else None
    return Page(found.queryset.named(shown), before=before, after=more, broken_off=broken_off)


def _stretch(
    found: ParcelFilter, size: int, *, older_than: int | None = None, newer_than: int | None = None
) -> tuple[list[Parcel], int | None]:
    """Parcels on one side of a place, one more than a page has; and where looking ended, when it did."""
    end = None
    if found.looks_at_each:
        walked = _side(found.among, older_than, newer_than).values_list("pk", flat=True)
        end = next(iter(walked[LOOKED_AT - 1 : LOOKED_AT]), None)
    matching = _side(found.qs, older_than, newer_than)
    if end is not None:
        matching = matching.filter(pk__gte=end) if newer_than is None else matching.filter(pk__lte=end)
    return list(matching[: size + 1]), end


def _side(parcels: ParcelQuerySet, older_than: int | None, newer_than: int | None) -> ParcelQuerySet:
    if newer_than is not None:
        return parcels.filter(pk__gt=newer_than).order_by("pk")
    if older_than is not None:
        parcels = parcels.filter(pk__lt=older_than)
    return parcels.order_by("-pk")
