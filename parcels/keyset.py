"""Pages of parcels by id: a page costs the same however deep it lies, and stands still under inserts."""

from dataclasses import dataclass

from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from parcels.models import Parcel
from parcels.querysets import ParcelQuerySet


@dataclass(frozen=True, slots=True)
class Page:
    """Some parcels with their names, newest first, and the numbers to go on from; "" is an end."""

    parcels: list[Parcel]
    before: str = ""
    after: str = ""


def page_of(found: ParcelQuerySet, *, before: str = "", after: str = "", size: int) -> Page:
    """Return the page of what was booked before, or after, a parcel; without either, the newest.

    A page back that is not full is the newest page: parcels booked since fill it. A number that is
    none, or has nothing on its side, gives the newest page as well.
    """
    if (cursor := _read(before)) is not None:
        rows = list(found.filter(pk__lt=cursor).order_by("-pk")[: size + 1])
        if rows:
            return Page(found.named(rows[:size]), before=_end(rows, size), after=rows[0].number)
    elif (cursor := _read(after)) is not None:
        rows = list(found.filter(pk__gt=cursor).order_by("pk")[: size + 1])
        if len(rows) > size:
            shown = rows[:size][::-1]
            return Page(found.named(shown), before=shown[-1].number, after=shown[0].number)
    rows = list(found.order_by("-pk")[: size + 1])
    return Page(found.named(rows[:size]), before=_end(rows, size))


def _end(rows: list[Parcel], size: int) -> str:
    return tracking_number(rows[size - 1].pk) if len(rows) > size else ""


def _read(cursor: str) -> int | None:
    try:
        return parse_tracking_number(cursor) if cursor else None
    except InvalidTrackingNumber:
        return None
