"""An operation of migrations that takes a column into a primary key while others write."""

from typing import Any

from django.db import transaction
from django.db.migrations.operations.base import Operation

from alliance.database import cluster
from alliance.database.online_indexes import is_made, patient


class AddParcelToKey(Operation):
    """Make (id, parcel_id) the primary key of a table by parcel.

    In a migration with `atomic = False`; in the one that makes the table, after CreateModel.

    On a cluster every key has the column by which rows are placed. The id comes first: ids grow, so the
    index is written at its end, and serves whoever looks for an id. Django's state keeps `id` as the key,
    because the admin takes no model with a composite one; an id is unique by its sequence.
    """

    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name.lower()

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models do not change."""

    def describe(self) -> str:
        return f"Take parcel_id into the primary key of {self.model_name}"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._swap(to_state.apps.get_model(app_label, self.model_name), schema_editor, ["id", "parcel_id"])

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._swap(to_state.apps.get_model(app_label, self.model_name), schema_editor, ["id"])

    def _swap(self, model: Any, editor: Any, columns: list[str]) -> None:
        table = model._meta.db_table
        key, index = f"{table}_pkey", f"{table}_next_key"
        concurrently = "" if editor.atomic_migration else "CONCURRENTLY "
        make = f"CREATE UNIQUE INDEX {concurrently}{index} ON {table} ({', '.join(columns)})"
        # A moment's lock: neither rows nor the index are read.
        swap = (
            f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {index}"
        )
        if editor.collect_sql:
            editor.execute(make, None)
            editor.execute(swap, None)
            return
        if _columns_of(editor, key) == columns:
            return
        if cluster.is_distributed(using=editor.connection.alias):
            # A table that is on every node until now, thus small: Citus takes no index for a key.
            with transaction.atomic(using=editor.connection.alias):
                editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key}")
                editor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {key} PRIMARY KEY ({', '.join(columns)})")
            return
        with patient(editor):
            if not is_made(editor, index):
                editor.execute(make)
        editor.execute(swap)


def _columns_of(editor: Any, index: str) -> list[str]:
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) ORDER BY attnum", [index]
        )
        return [name for (name,) in cursor.fetchall()]
