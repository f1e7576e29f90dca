"""Tables of the coordinator alone, which stay plain tables of PostgreSQL.

A foreign key to a table that is on every node has Citus take over the table, and whatever is tied to it by
keys: it then plans each of their statements, anew for each call. So a cluster has no keys between tables of
the coordinator and others. `distribute` drops those of one server, migrations leave them out
(alliance/database/postgresql/schema.py), and what they hold is the services' alone there.
"""

from dataclasses import dataclass

from django.db import transaction

from alliance.database.distribution.nodes import rows
from alliance.database.distribution.remaking import take_back
from alliance.database.distribution.tables import counted, keep_managed, kinds
from alliance.database.placements import BY_PARCEL, LOCAL, REFERENCE
from alliance.database.together import PLANNED_BY_CITUS


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key: its table, name and definition."""

    table: str
    name: str
    definition: str

    def drop(self) -> None:
        rows(f"ALTER TABLE {self.table} DROP CONSTRAINT {self.name}")

    def add(self) -> None:
        rows(f"ALTER TABLE {self.table} ADD CONSTRAINT {self.name} {self.definition}")


_KEYS = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND conparentid = 0 AND connamespace = current_schema()::regnamespace AND {condition}
    ORDER BY 1, 2
"""
_CROSSING = _KEYS.format(
    condition="(conrelid::regclass::text = ANY(%(tables)s)) <> (confrelid::regclass::text = ANY(%(tables)s))"
)
_TOUCHING = _KEYS.format(
    condition="(conrelid::regclass::text = ANY(%(tables)s) OR confrelid::regclass::text = ANY(%(tables)s))"
)


def crossing_keys() -> list[Key]:
    """Return the keys between tables of the coordinator alone and others."""
    return [Key(*row) for row in rows(_CROSSING, {"tables": [*BY_PARCEL, *REFERENCE]})]


def drop_crossing_keys() -> int:
    """Drop them all, and return how many. In one transaction."""
    with transaction.atomic():
        keys = crossing_keys()
        for key in keys:
            key.drop()
    return len(keys)


def taken_over() -> list[str]:
    """Return tables of the coordinator that Citus has: an earlier release had them on every node."""
    found = kinds()
    return [table for table in LOCAL if table in found and table != PLANNED_BY_CITUS]


def take_all_back() -> int:
    """Make them plain tables of the coordinator again, and return how many. In one transaction.

    No key leads to others any more. Raises RowsDiffer.
    """
    with transaction.atomic():
        # Else dropping their keys would have Citus give them back, which fails.
        keep_managed()
        tables = taken_over()
        keys = [Key(*row) for row in rows(_TOUCHING, {"tables": tables})]
        for key in keys:
            key.drop()
        for table in tables:
            with counted(table):
                take_back(table)
        for key in keys:
            key.add()
    return len(tables)


def have_one_planned() -> bool:
    """Have Citus know the table whose writes make commits prepared; return whether it did not yet."""
    if PLANNED_BY_CITUS in kinds():
        return False
    rows("SELECT citus_add_local_table_to_metadata(%s::regclass)", [PLANNED_BY_CITUS])
    return True
