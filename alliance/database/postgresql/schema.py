"""Migrations on a cluster: each statement in a message of its own, and new tables where they belong."""

from typing import Any

import sqlparse
from django.db.backends.ddl_references import Statement
from django.db.backends.postgresql import schema
from django.db.models import Model

from alliance.database import cluster
from alliance.database.placements import can_be_joined

_SETTINGS = (
    # As `migrate` waits on the coordinator: the workers have to be told.
    "lock_timeout = '2s'",
    # A table gets a key to one that is on every node only over one connection to each node.
    "citus.multi_shard_modify_mode = 'sequential'",
    # Triggers of ours look at their own row only.
    "citus.enable_unsafe_triggers = on",
)


def _makes_crossing_key(statement: Statement) -> bool:
    """Whether a statement makes a key that a cluster does not have: see distribution/coordinator.py."""
    if "to_table" not in statement.parts:
        return False
    table, target = statement.parts["table"].table, statement.parts["to_table"].table
    return can_be_joined(table) != can_be_joined(target)


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """On one server it is Django's."""

    def __enter__(self) -> "DatabaseSchemaEditor":
        super().__enter__()
        if self._is_on_cluster():
            # Keys are made by statements of their own.
            self.sql_create_column_inline_fk = ""
            if self.atomic_migration:
                for setting in _SETTINGS:
                    super().execute(f"SET LOCAL {setting}")
        return self

    def execute(self, sql: Any, params: Any = ()) -> None:
        if not self._is_on_cluster():
            super().execute(sql, params)
            return
        if isinstance(sql, Statement) and _makes_crossing_key(sql):
            return
        if params is not None:
            sql = self.connection.ops.compose_sql(str(sql), params)
        # Citus takes one change a message, where Django and RunSQL may have several.
        for statement in sqlparse.split(str(sql)):
            if plain := sqlparse.format(statement, strip_comments=True).rstrip("; \n"):
                super().execute(plain, None)

    def create_model(self, model: type[Model]) -> None:
        """Make a table and, on a cluster, put it in its place before it has foreign keys."""
        super().create_model(model)
        if self._is_on_cluster():
            from alliance.database.distribution import following  # noqa: PLC0415 -- it needs connections

            following.place(model._meta.db_table)

    def _is_on_cluster(self) -> bool:
        return not self.collect_sql and cluster.is_distributed(using=self.connection.alias)
