"""Pages of a list by cursor: a page costs the same however deep it lies, and stands still under inserts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode

from alliance.tenancy import in_index_order


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the places to go on from; "" is an end."""

    rows: list[Any]
    newer: str = ""
    older: str = ""

    def links(self, asked: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Addresses of the pages on both sides, for the pager; `asked` is what the list is narrowed by."""
        places = {"next_url": ("after", self.older), "previous_url": ("before", self.newer)}
        return {
            name: f"?{urlencode({**(asked or {}), side: place})}" if place else ""
            for name, (side, place) in places.items()
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """The order of a list, newest first: columns, each with what reads its values; the last tell rows apart.

    An index has to begin with what the list is narrowed by, and go on with the first column.
    """

    columns: tuple[tuple[str, Callable[[str], Any]], ...]
    # What the list is narrowed to a single value of, where that may be NULL: the planner takes such a value
    # for none, and rows in the order of the index for rows in no order, unless the order begins with it.
    led_by: tuple[str, ...] = ()

    def page(self, found: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        """Return the page behind a place, or before one; for places that are none, the newest.

        A page back that is not full is the newest page: rows that are newer since fill it.
        """
        # Left alone, policies and joined names make the planner sort all there is for each page.
        with in_index_order():
            return self._page(found, after=after, before=before, size=size)

    def _page(self, found: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        older_first = [*(f"-{lead}" for lead in self.led_by), *(column for column, _read in self.columns)]
        newer_first = [*self.led_by, *(f"-{column}" for column, _read in self.columns)]
        if (place := self._read(before)) is not None:
            rows = list(found.filter(self._beyond(place, "gt")).order_by(*older_first)[: size + 1])
            if len(rows) > size:
                shown = rows[:size][::-1]
                return Page(shown, self._place(shown[0]), self._place(shown[-1]))
            after = ""
        start = self._read(after)
        behind = found.filter(self._beyond(start, "lt")) if start else found
        rows = list(behind.order_by(*newer_first)[: size + 1])
        if start and not rows:
            # What came after has been filtered out since: begin again.
            return self._page(found, after="", before="", size=size)
        shown = rows[:size]
        newer = self._place(shown[0]) if start else ""
        return Page(shown, newer, self._place(shown[-1]) if len(rows) > size else "")

    def _place(self, row: Any) -> str:
        values = [getattr(row, column) for column, _read in self.columns]
        return "|".join(v.isoformat() if isinstance(v, datetime) else str(v) for v in values)

    def _read(self, text: str) -> tuple[Any, ...] | None:
        parts = text.split("|")
        if len(parts) != len(self.columns):
            return None
        values = tuple(read(part) for part, (_column, read) in zip(parts, self.columns, strict=True))
        return None if None in values else values

    def _beyond(self, place: tuple[Any, ...], step: str) -> Q:
        """What lies after a place in the list (step "lt"), or before it ("gt")."""
        beyond, same = Q(), Q()
        for (column, _read), value in zip(self.columns, place, strict=True):
            beyond |= same & Q(**{f"{column}__{step}": value})
            same &= Q(**{column: value})
        # The first condition alone is a range of the index; the others decide among equals.
        return Q(**{f"{self.columns[0][0]}__{step}e": place[0]}) & beyond


def moment(text: str) -> datetime | None:
    """Read a moment of a place; None for what is none."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None and found.year in _YEARS else None


def number(text: str) -> int | None:
    """Read a number of a place; None for what is none."""
    return int(text) if re.fullmatch(_NUMBER, text) else None


def word(text: str) -> str | None:
    """Read a word of a place; None for what the database takes for no text."""
    return None if "\0" in text else text


# Larger ones would not fit the column.
_NUMBER = "[0-9]{1,18}|[0-8][0-9]{18}"
# Beyond these, a zone's offset can lead out of the calendar.
_YEARS = range(1900, 3000)

# Of lists whose rows are numbered as they come.
NEWEST_FIRST = Listing((("pk", number),))
