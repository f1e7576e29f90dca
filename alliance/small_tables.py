"""Rows of small tables, kept in each process for some seconds: nearly every page names the same few."""

import time
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model

from alliance.models import City

Row = TypeVar("Row", bound=Model)
_SECONDS: Final = 2.0
_REMEMBERED: Final = 10_000
_tables: "Final[list[SmallTable[Any]]]" = []


class SmallTable(Generic[Row]):
    """A table that every tenant reads, and that changes with a release or by ops, if at all."""

    def __init__(self, model: type[Row]) -> None:
        self._model = model
        # By key: a row, and when it was read.
        self._recent: dict[int, tuple[Row, float]] = {}
        self._every: tuple[list[Row], float] = ([], -_SECONDS)
        _tables.append(self)

    def rows(self, keys: Iterable[int]) -> dict[int, Row]:
        """Return the rows with these keys, as they were seconds ago at most; do not change them."""
        wanted, recent, oldest = {*keys}, self._recent, time.monotonic() - _SECONDS
        known = {key: recent[key] for key in wanted if key in recent}
        found = {key: row for key, (row, read_at) in known.items() if read_at > oldest}
        if missing := wanted - found.keys():
            read = self._model._default_manager.in_bulk(missing)
            found |= read
            # Limited: a process may come to see every row there is.
            if len(recent) >= _REMEMBERED:
                # Another one: threads are reading this.
                self._recent = recent = {}
            recent.update((key, (row, time.monotonic())) for key, row in read.items())
        return found

    def every(self) -> list[Row]:
        """Return all rows in their order, with the same limits; for tables of a few rows."""
        rows, read_at = self._every
        if read_at <= time.monotonic() - _SECONDS:
            rows, read_at = self._every = list(self._model._default_manager.all()), time.monotonic()
        return rows

    def forget(self) -> None:
        self._recent = {}
        self._every = [], -_SECONDS


def forget_small_tables() -> None:
    for table in _tables:
        table.forget()


CITIES: Final = SmallTable(City)
