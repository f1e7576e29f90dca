"""Pages of a list by cursor: a page costs the same however deep it lies, and stands still under inserts."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from alliance.tenancy import in_index_order


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and the places to go on from; "" is an end."""

    rows: list[Any]
    newer: str = ""
    older: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The order of a list, newest first: by a moment, within a moment by a number, then by texts."""

    columns: tuple[str, ...]

    def page(self, found: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        """Return the page behind a place, or before one; for places that are none, the newest.

        A page back that is not full is the newest page: rows that are newer since fill it.
        """
        # Left alone, policies and joined names make the planner sort all there is for each page.
        with in_index_order():
            return self._page(found, after=after, before=before, size=size)

    def _page(self, found: QuerySet[Any], *, after: str, before: str, size: int) -> Page:
        order = [f"-{column}" for column in self.columns]
        if (place := self._read(before)) is not None:
            rows = list(found.filter(self._beyond(place, "gt")).order_by(*self.columns)[: size + 1])
            if len(rows) > size:
                shown = rows[:size][::-1]
                return Page(shown, self._place(shown[0]), self._place(shown[-1]))
            after = ""
        start = self._read(after)
        behind = found.filter(self._beyond(start, "lt")) if start else found
        rows = list(behind.order_by(*order)[: size + 1])
        if start and not rows:
            # What came after has been filtered out since: begin again.
            return self._page(found, after="", before="", size=size)
        shown = rows[:size]
        newer = self._place(shown[0]) if start else ""
        return Page(shown, newer, self._place(shown[-1]) if len(rows) > size else "")

    def _place(self, row: Any) -> str:
        moment, *rest = (getattr(row, column) for column in self.columns)
        return "|".join([moment.isoformat(), *map(str, rest)])

    def _read(self, text: str) -> tuple[Any, ...] | None:
        moment, *rest = text.split("|")
        at = _moment(moment)
        # Larger numbers would not fit the column.
        if at is None or len(rest) != len(self.columns) - 1 or not re.fullmatch(_NUMBER, rest[0]):
            return None
        return at, int(rest[0]), *rest[1:]

    def _beyond(self, place: tuple[Any, ...], step: str) -> Q:
        """What lies after a place in the list (step "lt"), or before it ("gt")."""
        first, moment = self.columns[0], place[0]
        beyond, same = Q(), Q()
        for column, value in zip(self.columns, place, strict=True):
            beyond |= same & Q(**{f"{column}__{step}": value})
            same &= Q(**{column: value})
        # The first condition alone is a range of the index; the others decide within a moment.
        return Q(**{f"{first}__{step}e": moment}) & beyond


_NUMBER = "[0-9]{1,18}|[0-8][0-9]{18}"


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
