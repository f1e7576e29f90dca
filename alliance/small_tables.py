"""Rows of small tables, kept in each process for some seconds: nearly every page names the same few."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model

from alliance.models import City

Row = TypeVar("Row", bound=Model)
Value = TypeVar("Value")
_SECONDS: Final = 2.0
_REMEMBERED: Final = 10_000
_tables: "Final[list[Recent[Any]]]" = []


class Recent(Generic[Value]):
    """What was read by key in the last seconds."""

    def __init__(self, read: Callable[[set[int]], dict[int, Value]], *, seconds: float | None = None) -> None:
        self._read = read
        self._seconds = seconds
        # By key: a value, and when it was read.
        self._recent: dict[int, tuple[Value, float]] = {}
        _tables.append(self)

    def of(self, keys: Iterable[int]) -> dict[int, Value]:
        """Return the values of these keys, as they were seconds ago at most; do not change them."""
        seconds = _SECONDS if self._seconds is None else self._seconds
        wanted, recent, oldest = {*keys}, self._recent, time.monotonic() - seconds
        known = {key: recent[key] for key in wanted if key in recent}
        found = {key: value for key, (value, read_at) in known.items() if read_at > oldest}
        if missing := wanted - found.keys():
            read = self._read(missing)
            found |= read
            # Limited: a process may come to see every row there is.
            if len(recent) >= _REMEMBERED:
                # Another one: threads are reading this.
                self._recent = recent = {}
            recent.update((key, (value, time.monotonic())) for key, value in read.items())
        return found

    def forget(self) -> None:
        self._recent = {}


class SmallTable(Recent[Row]):
    """A table that every tenant reads, and that changes with a release or by ops, if at all."""

    def __init__(self, model: type[Row]) -> None:
        super().__init__(lambda keys: model._default_manager.in_bulk(keys))
        self._model = model
        self._every: tuple[list[Row], float] = ([], -_SECONDS)

    def rows(self, keys: Iterable[int]) -> dict[int, Row]:
        """Return the rows with these keys, as they were seconds ago at most; do not change them."""
        return self.of(keys)

    def every(self) -> list[Row]:
        """Return all rows in their order, with the same limits; for tables of a few rows."""
        rows, read_at = self._every
        if read_at <= time.monotonic() - _SECONDS:
            rows, read_at = self._every = list(self._model._default_manager.all()), time.monotonic()
        return rows

    def forget(self) -> None:
        super().forget()
        self._every = [], -_SECONDS


def forget_small_tables() -> None:
    for table in _tables:
        table.forget()


CITIES: Final = SmallTable(City)
