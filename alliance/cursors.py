"""Pages of long lists by cursor: a page costs the same however deep it lies, and stands still under inserts.

A list goes from its newest row to its oldest, and a place in it is the values of a row in the columns it is
in the order of.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

Row = TypeVar("Row")
Rows = TypeVar("Rows", bound=QuerySet[Any])
Place = tuple[Any, ...]

# Beyond these, a zone's offset can lead out of the calendar.
_YEARS: Final = range(1900, 3000)
# Larger ones would not fit the column.
_NUMBER: Final = re.compile("[0-9]{1,18}|[0-8][0-9]{18}")
_BETWEEN: Final = "|"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list, newest first: columns, each with what reads its values; the last tell rows apart.

    An index has to begin with what the list is narrowed by, and go on with the first column.
    """

    columns: tuple[tuple[str, Callable[[str], Any]], ...]
    # What the list is narrowed to a single value of, where that may be NULL: the planner takes such a value
    # for none, and rows in the order of the index for rows in no order, unless the order begins with it.
    led_by: tuple[str, ...] = ()

    def older(self, rows: Rows, than: Place | None) -> Rows:
        """The rows behind a place, those next to it first; all of them, newest first, without a place."""
        newest_first = [*self.led_by, *(f"-{column}" for column, _read in self.columns)]
        return (rows if than is None else rows.filter(self._beyond(than, "lt"))).order_by(*newest_first)

    def newer(self, rows: Rows, than: Place) -> Rows:
        """The rows before a place, those next to it first."""
        oldest_first = [*(f"-{lead}" for lead in self.led_by), *(column for column, _read in self.columns)]
        return rows.filter(self._beyond(than, "gt")).order_by(*oldest_first)

    def place_of(self, row: Any) -> Place:
        return tuple(getattr(row, column) for column, _read in self.columns)

    def read(self, text: str) -> Place | None:
        """Read what written() wrote; None for anything else."""
        parts = text.split(_BETWEEN)
        if len(parts) != len(self.columns):
            return None
        values = tuple(read(part) for part, (_column, read) in zip(parts, self.columns, strict=True))
        return None if None in values else values

    def _beyond(self, place: Place, step: str) -> Q:
        beyond, same = Q(), Q()
        for (column, _read), value in zip(self.columns, place, strict=True):
            beyond |= same & Q(**{f"{column}__{step}": value})
            same &= Q(**{column: value})
        if len(place) == 1:
            return beyond
        # The first condition alone is a range of the index; the others decide among equals.
        return Q(**{f"{self.columns[0][0]}__{step}e": place[0]}) & beyond


def written(place: Place | None) -> str:
    """A place as addresses carry it; "" for none."""
    return _BETWEEN.join(v.isoformat() if isinstance(v, datetime) else str(v) for v in place or ())


# --- a page ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Row]):
    """Rows on one side of a place, the nearest first, one more than a page has if there are as many."""

    rows: list[Row]
    # Where the look for what matches was broken off; None when the page is full or the list is at its end.
    end: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, newest first, and the places to go on from; None is an end."""

    rows: list[Row]
    older: Place | None = None
    newer: Place | None = None
    broken_off: Place | None = None


class Look(Protocol[Row]):
    """Reads a stretch behind a place or before one; without a place, from the newest row on."""

    def __call__(
        self, *, older_than: Place | None = None, newer_than: Place | None = None
    ) -> Stretch[Row]: ...


def page_at(
    look: Look[Row],
    place_of: Callable[[Row], Place],
    *,
    older_than: Place | None = None,
    newer_than: Place | None = None,
    is_last: bool = False,
    size: int,
) -> Page[Row]:
    """Return the page behind a place, or before one; without either, the newest.

    A page before a place that is not full is the newest page: rows that are newer since fill it. Only the
    last page of a list may be as short as it is. One that has nothing on its side is the newest as well.
    """
    if older_than is not None:
        stretch = look(older_than=older_than)
        if stretch.rows or stretch.end is not None:
            return _older(stretch, place_of, size)
    elif newer_than is not None:
        stretch = look(newer_than=newer_than)
        if len(stretch.rows) > size or stretch.end is not None or (is_last and stretch.rows):
            return _newer(stretch, place_of, size, is_last=is_last)
    return replace(_older(look(), place_of, size), newer=None)


def _older(stretch: Stretch[Row], place_of: Callable[[Row], Place], size: int) -> Page[Row]:
    shown = stretch.rows[:size]
    newer = place_of(shown[0]) if shown else None
    if len(stretch.rows) > size:
        return Page(shown, older=place_of(shown[-1]), newer=newer)
    return Page(shown, older=stretch.end, newer=newer, broken_off=stretch.end)


def _newer(stretch: Stretch[Row], place_of: Callable[[Row], Place], size: int, *, is_last: bool) -> Page[Row]:
    shown = stretch.rows[:size][::-1]
    older = None if is_last or not shown else place_of(shown[-1])
    if len(stretch.rows) > size:
        return Page(shown, older=older, newer=place_of(shown[0]))
    return Page(shown, older=older, newer=stretch.end, broken_off=stretch.end)


# --- values ----------------------------------------------------------------------------------


def moment(text: str) -> datetime | None:
    """Read a moment of a place; None for what is none."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and is_comparable(found) else None


def number(text: str) -> int | None:
    """Read a number of a place; None for what is none."""
    return int(text) if _NUMBER.fullmatch(text) else None


def word(text: str) -> str | None:
    """Read a word of a place; None for what the database takes for no text."""
    return text if is_comparable(text) else None


def is_comparable(value: Any) -> bool:
    """Whether the database can compare a value that came with an address to one of a column."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, datetime) and not is_aware(value):
        return False
    return not hasattr(value, "year") or value.year in _YEARS
