"""Operations of migrations that make indexes while others write: for migrations with `atomic = False`.

`migrate` may be interrupted, or give up waiting for a lock, and be called again: what it left unfinished is
dropped and made anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres import operations
from django.db.models import Model

from alliance.database.partitions import months_of

# Postgres cuts longer names.
_LONGEST_NAME = 63


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Make an index without a lock against writers; not for partitioned tables."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._ensure_not_in_transaction(schema_editor)
        if schema_editor.collect_sql:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        with patient(schema_editor):
            if not is_made(schema_editor, self.index.name):
                super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddIndexToMonths(operations.AddIndexConcurrently):
    """Make an index of a partitioned table, month by month, without a lock against writers.

    The table itself is locked for a moment, without looking at a row. Months made later get the index by
    themselves.
    """

    def describe(self) -> str:
        return f"Create index {self.index.name} of {self.model_name} month by month"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._ensure_not_in_transaction(schema_editor)
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.collect_sql:
            schema_editor.execute(f"-- Concurrently, for each month: {self._sql(model, schema_editor)}", None)
            return
        quote = schema_editor.quote_name
        table, name = model._meta.db_table, self.index.name
        # Invalid until the last month has it.
        is_valid = _validity(schema_editor, name)
        if is_valid:
            return
        if is_valid is None:
            schema_editor.execute(self._sql(model, schema_editor, table=f"ONLY {quote(table)}"))
        for month in months_of(table):
            child = f"{table}_{month}_{name}"
            if len(child) > _LONGEST_NAME:
                raise ValueError(f"{child} is too long a name: shorten {name}.")
            if _is_attached(schema_editor, child):
                continue
            with patient(schema_editor):
                if not is_made(schema_editor, child):
                    schema_editor.execute(
                        self._sql(
                            model,
                            schema_editor,
                            name=child,
                            table=quote(f"{table}_{month}"),
                            concurrently=True,
                        )
                    )
            schema_editor.execute(f"ALTER INDEX {quote(name)} ATTACH PARTITION {quote(child)}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        # Its months' go with it, which CONCURRENTLY cannot do.
        self._ensure_not_in_transaction(schema_editor)
        schema_editor.execute(f"DROP INDEX IF EXISTS {schema_editor.quote_name(self.index.name)}")

    def _sql(
        self, model: type[Model], editor: Any, *, table: str = "", name: str = "", concurrently: bool = False
    ) -> Any:
        statement: Any = self.index.create_sql(model, editor, concurrently=concurrently)
        if table:
            statement.parts["table"] = table
        if name:
            statement.parts["name"] = editor.quote_name(name)
        return statement


@contextmanager
def patient(editor: Any) -> Iterator[None]:
    """Run a block without a lock_timeout: CONCURRENTLY waits for transactions, and nobody waits for it."""
    with editor.connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        (before,) = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        yield
        # After an error, `migrate` sets it again.
        cursor.execute("SET lock_timeout = %s", [before])


def is_made(editor: Any, name: str) -> bool:
    """Tell whether an index is there and whole; one that an earlier attempt left unfinished is dropped."""
    is_valid = _validity(editor, name)
    if is_valid is False:
        # On a cluster not every shard has got it.
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {editor.quote_name(name)}")
    return bool(is_valid)


def _validity(editor: Any, name: str) -> bool | None:
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    return row[0] if row else None


def _is_attached(editor: Any, name: str) -> bool:
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [name])
        return cursor.fetchone() is not None
