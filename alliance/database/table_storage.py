"""Storage parameters of the hot tables: fillfactor and autovacuum.

Each app has a module of this name for its own tables. A partitioned table has no parameters, its partitions
have: they get them when they are created. Each `migrate` compares all of them with PARAMETERS, so a change
reaches every partition and database.
"""

from collections.abc import Mapping
from typing import Final

from django.db import connection

from alliance.registry import Registry

# Old rows are hardly ever updated. The first vacuum freezes them, so that no later vacuum against wraparound
# has to write the pages of an old month again.
WRITTEN_ONCE: Final[dict[str, str]] = {
    "autovacuum_freeze_min_age": "0",
    # Vacuum after 5 % of new rows: index-only scans need the visibility map, and rows get frozen.
    "autovacuum_vacuum_insert_scale_factor": "0.05",
}
# A queue is mostly empty, so a scale factor of its live rows is useless: vacuum after a fixed number of dead
# rows, at full speed, because readers of the queue scan dead rows. Inserts alone need no vacuum.
QUEUE: Final[dict[str, str]] = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "5000",
    "autovacuum_vacuum_insert_threshold": "-1",
    "autovacuum_vacuum_cost_delay": "0",
}
# Counters updated in place. No changing column is indexed, so with free space on the page an update is a HOT
# update and no index grows.
COUNTERS: Final[dict[str, str]] = {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"}

# Table -> its storage parameters.
PARAMETERS: Final[Registry[str, dict[str, str]]] = Registry(
    "table",
    {
        "alliance_event": WRITTEN_ONCE,
        # Responses older than a day are deleted every hour; large ones are in the TOAST table, which uses
        # these parameters, too.
        "alliance_idempotentrequest": {"autovacuum_vacuum_scale_factor": "0.05"},
    },
)


def set_parameters(table: str, *, of: str) -> bool:
    """Set the parameters of `of` on a table or partition; return whether any changed.

    Takes a lock that does not block reads and writes. Existing rows are not rewritten.
    """
    expected = PARAMETERS.get(of, {})
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
        if row is None:
            return False
        current = dict(option.split("=", 1) for option in row[0] or [])
        if current == expected:
            return False
        removed = ", ".join(current.keys() - expected.keys())
        if removed:
            cursor.execute(f"ALTER TABLE {table} RESET ({removed})")
        if expected:
            cursor.execute(f"ALTER TABLE {table} SET ({as_sql(expected)})")
    return True


def as_sql(parameters: Mapping[str, str]) -> str:
    """Return parameters as ALTER TABLE takes them."""
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())
