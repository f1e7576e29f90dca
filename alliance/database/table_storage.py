"""How the hot tables are stored and cleaned, and why.

Each app has a module of this name for its own tables. A partitioned table takes no parameters, its months
do: they get them when they are made. `make_partitions` compares all of them with PARAMETERS every few hours,
so a change reaches every month and database.
"""

from typing import Final

from django.db import connection

from alliance.registry import Registry

# Rows of the past are rewritten never or hardly; the first vacuum may freeze them for good, and no later
# one (against wraparound, of a month that has long been forgotten) has to write them again.
WRITTEN_ONCE: Final[dict[str, str]] = {
    "autovacuum_freeze_min_age": "0",
    # Vacuumed after 5 % of new rows: index-only scans and freezing go by it.
    "autovacuum_vacuum_insert_scale_factor": "0.05",
}
# A queue is empty most of the time, and its length says nothing about how many dead rows it holds: cleaned
# after so many of them, at full speed, or its readers walk over them. New rows alone are worth no vacuum.
QUEUE: Final[dict[str, str]] = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "5000",
    "autovacuum_vacuum_insert_threshold": "-1",
    "autovacuum_vacuum_cost_delay": "0",
}
# Counted up in place. None of the columns that change is indexed, so with room on its page a row is updated
# within it (HOT) and no index grows.
COUNTERS: Final[dict[str, str]] = {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"}

# Table -> its storage parameters.
PARAMETERS: Final[Registry[str, dict[str, str]]] = Registry(
    "table",
    {
        "alliance_event": WRITTEN_ONCE,
        # A day's answers go each hour, large ones out of line (whose table goes by these parameters, too).
        "alliance_idempotentrequest": {"autovacuum_vacuum_scale_factor": "0.05"},
    },
)


def set_parameters(table: str, *, of: str) -> bool:
    """Give a table, or a month of one, the parameters of `of`; return whether that changed anything.

    Takes a lock that readers and writers go on under. Rows already there stay as they lie.
    """
    wanted = PARAMETERS.get(of, {})
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)", [table])
        found = cursor.fetchone()
        if found is None:
            return False
        present = dict(option.split("=", 1) for option in found[0] or [])
        if present == wanted:
            return False
        gone = ", ".join(present.keys() - wanted.keys())
        if gone:
            cursor.execute(f"ALTER TABLE {table} RESET ({gone})")
        if wanted:
            values = ", ".join(f"{name} = {value}" for name, value in wanted.items())
            cursor.execute(f"ALTER TABLE {table} SET ({values})")
    return True
