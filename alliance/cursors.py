"""Cursor (keyset) pagination: a page costs the same at any depth, and does not shift when rows are added.

A list goes from its newest row to its oldest, or the other way round: "older" is what comes after a place,
"newer" what comes before it, whatever the order. A place is the values of a row in the columns that the list
is ordered by.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

Row = TypeVar("Row")
Rows = TypeVar("Rows", bound=QuerySet[Any])
Place = tuple[Any, ...]

# Outside these years, adding a zone's offset can overflow datetime.
_YEARS: Final = range(1900, 3000)
# Larger ones would not fit the column.
_NUMBER: Final = re.compile("[0-9]{1,18}|[0-8][0-9]{18}")
_BETWEEN: Final = "|"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list, greatest values first: columns with their parsers, unique together.

    An index has to begin with the columns the list is filtered by, followed by the first column. It is read
    backwards for the opposite order.
    """

    columns: tuple[tuple[str, Callable[[str], Any]], ...]
    # A nullable column that the list is filtered by to a single value. Unless ORDER BY begins with it, the
    # planner does not see that the index already gives the rows in order.
    led_by: tuple[str, ...] = ()
    # Least values first.
    ascending: bool = False

    def reversed(self) -> Self:
        return replace(self, ascending=not self.ascending)

    def older(self, rows: Rows, than: Place | None) -> Rows:
        """Return the rows after a place, nearest first; without a place all rows."""
        step = "gt" if self.ascending else "lt"
        found = rows if than is None else rows.filter(self._beyond(than, step))
        return found.order_by(*self._columns(ascending=self.ascending))

    def newer(self, rows: Rows, than: Place) -> Rows:
        """Return the rows before a place, nearest first."""
        step = "lt" if self.ascending else "gt"
        found = rows.filter(self._beyond(than, step))
        return found.order_by(*self._columns(ascending=not self.ascending))

    def place_of(self, row: Any) -> Place:
        return tuple(attrgetter(column.replace("__", "."))(row) for column, _read in self.columns)

    def read(self, text: str) -> Place | None:
        """Parse the result of place_text(); None for any other text."""
        parts = text.split(_BETWEEN)
        if len(parts) != len(self.columns):
            return None
        values = tuple(read(part) for part, (_column, read) in zip(parts, self.columns, strict=True))
        return None if None in values else values

    def _columns(self, *, ascending: bool) -> list[str]:
        # Both parts run the same way along the index.
        leads = [f"-{lead}" if ascending else lead for lead in self.led_by]
        return [*leads, *(column if ascending else f"-{column}" for column, _read in self.columns)]

    def _beyond(self, place: Place, step: str) -> Q:
        beyond, same = Q(), Q()
        for (column, _read), value in zip(self.columns, place, strict=True):
            beyond |= same & Q(**{f"{column}__{step}": value})
            same &= Q(**{column: value})
        if len(place) == 1:
            return beyond
        # The first condition is a range of the index; the others compare rows with equal values.
        return Q(**{f"{self.columns[0][0]}__{step}e": place[0]}) & beyond


def place_text(place: Place | None) -> str:
    """Return a place as text for a URL; "" for none."""
    return _BETWEEN.join(v.isoformat() if isinstance(v, datetime) else str(v) for v in place or ())


# --- a page ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Row]):
    """Rows on one side of a place, nearest first; one more than the page size if there are more."""

    rows: list[Row]
    # Where the search for matching rows was stopped; None if the page is full or the list ends.
    end: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of a page, newest first, and the places of its neighbours; None at an end of the list."""

    rows: list[Row]
    older: Place | None = None
    newer: Place | None = None
    broken_off: Place | None = None
    # Nothing is left beyond the place that was asked for: the rows that were there are gone.
    is_past_end: bool = False


class Look(Protocol[Row]):
    """Reads rows older or newer than a place; without a place, from the newest row on."""

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
    is_exact: bool = False,
    size: int,
) -> Page[Row]:
    """Return the page older or newer than a place; without a place, the newest page.

    A page has no row of the other side of its place: who walks a shrinking list reads no row twice. Only if
    fewer rows than a page are newer than the place, people get the newest page instead, so that only the
    last page of a list is short; with `is_exact` they are all that is returned.
    """
    if older_than is not None:
        stretch = look(older_than=older_than)
        if stretch.rows or stretch.end is not None:
            return _older(stretch, place_of, size)
        return Page([], is_past_end=True)
    if newer_than is not None:
        stretch = look(newer_than=newer_than)
        if len(stretch.rows) > size or stretch.end is not None or (stretch.rows and (is_last or is_exact)):
            return _newer(stretch, place_of, size, is_last=is_last)
        if is_exact:
            return Page([], is_past_end=True)
    return replace(_older(look(), place_of, size), newer=None)


def _older(stretch: Stretch[Row], place_of: Callable[[Row], Place], size: int) -> Page[Row]:
    rows = stretch.rows[:size]
    newer = place_of(rows[0]) if rows else None
    if len(stretch.rows) > size:
        return Page(rows, older=place_of(rows[-1]), newer=newer)
    return Page(rows, older=stretch.end, newer=newer, broken_off=stretch.end)


def _newer(stretch: Stretch[Row], place_of: Callable[[Row], Place], size: int, *, is_last: bool) -> Page[Row]:
    rows = stretch.rows[:size][::-1]
    older = None if is_last or not rows else place_of(rows[-1])
    if len(stretch.rows) > size:
        return Page(rows, older=older, newer=place_of(rows[0]))
    return Page(rows, older=older, newer=stretch.end, broken_off=stretch.end)


# --- values ----------------------------------------------------------------------------------


def moment(text: str) -> datetime | None:
    """Parse a moment; None for an invalid one."""
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    return value if value is not None and is_comparable(value) else None


def number(text: str) -> int | None:
    """Parse a number; None for an invalid one."""
    return int(text) if _NUMBER.fullmatch(text) else None


def fraction(text: str) -> float | None:
    """Parse a number from 0 to 1; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def word(text: str) -> str | None:
    """Parse a word; None for text that the database refuses."""
    return text if is_comparable(text) else None


def is_comparable(value: Any) -> bool:
    """Whether the database can compare a value from a URL to a column."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, datetime) and not is_aware(value):
        return False
    return not hasattr(value, "year") or value.year in _YEARS
