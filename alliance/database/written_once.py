"""Queries whose text is written once: for a few rows by a key, Django takes longer to write the text again
than PostgreSQL takes to run it."""

import inspect
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

from alliance.tenancy import raw_rows

Row = TypeVar("Row", bound=Model)
# Values that stand for the arguments while the text is written; no query of ours has them.
_FIRST_MARK: Final = 1_900_000_019


class _Text(NamedTuple):
    sql: str
    # The statement's parameters; those that are marks are replaced.
    parameters: tuple[Any, ...]
    compiler: Any


class WrittenOnce(Generic[Row]):
    """A queryset that differs from call to call in the ids given to the function that builds it.

    Nothing else in it may change: neither with the ids, nor with time or language.
    """

    def __init__(self, build: Callable[..., QuerySet[Row]]) -> None:
        self._build = build
        self._names = [*inspect.signature(build).parameters]
        self._text: _Text | None = None
        self._lock = threading.Lock()

    def rows(self, *ids: int) -> list[Row]:
        """Return the rows as objects, with what the query selects of related ones."""
        compiler, found = self._run(ids)
        select, info = compiler.select, compiler.klass_info
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column[0].target.attname for column in select[first:last]]
        # The stubs are those of the next Django.
        related = get_related_populators(info, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]
        rows = []
        for values in compiler.results_iter([found]):
            row = info["model"].from_db(DEFAULT_DB_ALIAS, names, values[first:last])
            for populator in related:
                populator.populate(values, row)
            rows.append(row)
        return rows

    def count(self, *ids: int) -> int:
        _compiler, [[count]] = self._run(ids, "SELECT count(*) FROM ({}) AS rows")
        return int(count)

    def _run(self, ids: tuple[int, ...], around: str = "{}") -> tuple[Any, list[tuple[Any, ...]]]:
        text = self._text or self._write()
        values = {_FIRST_MARK + place: value for place, value in enumerate(ids)}
        parameters = [values.get(value, value) for value in text.parameters]
        return text.compiler, raw_rows(around.replace("{}", text.sql), parameters)

    def _write(self) -> _Text:
        with self._lock:
            marks = [_FIRST_MARK + place for place, _name in enumerate(self._names)]
            compiler = self._build(*marks).query.get_compiler(DEFAULT_DB_ALIAS)
            sql, parameters = compiler.as_sql()
            if not set(marks) <= set(parameters):
                raise ValueError(f"an id is no parameter of {sql}")
            self._text = _Text(sql, tuple(parameters), compiler)
            return self._text
