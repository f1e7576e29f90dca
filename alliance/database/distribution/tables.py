"""Moving a table of one server to where it belongs in a cluster, and what to know about it before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from django.db import transaction

from alliance.database.distribution.nodes import rows, value
from alliance.database.distribution.remaking import take_back
from alliance.database.partitions import months_of
from alliance.database.placements import BY_PARCEL, group_table

# Of the table of parcels; all others have as many.
DEFAULT_SHARDS = 32
# Ids that a worker draws have its number above these bits.
_BITS_OF_COORDINATOR = 48


class Kind(Enum):
    """What a table is to Citus."""

    BY_PARCEL = "by parcel"
    REFERENCE = "on every node"
    # On the coordinator, and known to the others.
    MANAGED = "on the coordinator, known to all nodes"
    LOCAL = "on the coordinator"


class RowsDiffer(Exception):
    """A copy has not as many rows as its original; the original was left as it was."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a table without reading it."""

    months: int
    # An estimate of the last ANALYZE; None if there was none.
    rows: int | None
    bytes: int
    # How many relations a shard of it is: months, indexes, tables of long values.
    relations: int


_FACTS = """
    WITH part AS (
        SELECT oid, relispartition, relkind, reltuples FROM pg_class WHERE oid = to_regclass(%(table)s)
        UNION ALL
        SELECT oid, relispartition, relkind, reltuples FROM pg_class
        JOIN pg_inherits ON inhrelid = oid WHERE inhparent = to_regclass(%(table)s)
    )
    SELECT count(*) FILTER (WHERE relispartition),
        CASE WHEN min(reltuples) FILTER (WHERE pg_relation_size(oid) > 0) < 0 THEN NULL
            ELSE coalesce(sum(reltuples) FILTER (WHERE reltuples > 0 AND relkind = 'r'), 0)::bigint END,
        coalesce(sum(pg_total_relation_size(oid)), 0)::bigint,
        (count(*) + (SELECT count(*) FROM pg_index WHERE indrelid IN (SELECT oid FROM part)))::integer
    FROM part
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key to another table."""

    name: str
    definition: str
    target: str


_KEYS = """
    SELECT quote_ident(conname), pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND conrelid = to_regclass(%s) AND confrelid <> conrelid ORDER BY conname
"""


def facts(table: str) -> Facts:
    return Facts(*rows(_FACTS, {"table": table})[0])


def kinds() -> dict[str, Kind]:
    """Return the tables that are Citus's; all others are on the coordinator."""
    found = rows("SELECT logicalrelid::regclass::text, partmethod, repmodel FROM pg_dist_partition")
    return {
        table: Kind.BY_PARCEL if method == "h" else Kind.REFERENCE if model == "t" else Kind.MANAGED
        for table, method, model in found
    }


def is_there(table: str) -> bool:
    return bool(value("SELECT to_regclass(%s) IS NOT NULL", [table]))


def count(table: str) -> int:
    return int(value(f"SELECT count(*) FROM {table}"))  # noqa: S608 -- a name of ours


def spread(table: str, *, shards: int = DEFAULT_SHARDS) -> None:
    """Divide a table into shards by parcel, with its months. In one transaction.

    What its foreign keys point to is copied to every node with it: Citus would take over a table with keys to
    such a copy, and could not divide it any more. One that was on every node itself, or was taken over for
    a key of another table's, is taken back before. Raises RowsDiffer.
    """
    with transaction.atomic(), counted(table):
        rows(f"SET LOCAL citus.shard_count = {int(shards)}")
        # Triggers of ours look at their own row only.
        rows("SET LOCAL citus.enable_unsafe_triggers = on")
        # A key to a copy on every node is made over one connection to each.
        rows("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        # Else dropping its keys would have Citus give it back, which fails.
        keep_managed()
        keys = keys_of(table)
        for key in keys:
            rows(f"ALTER TABLE {table} DROP CONSTRAINT {key.name}")
        if table in kinds():
            take_back(table)
        # The first one defines the ranges of the shards, and the others take them over.
        group = "none" if table == group_table() else group_table()
        rows("SELECT create_distributed_table(%s, %s, colocate_with := %s)", [table, BY_PARCEL[table], group])
        for target in {key.target for key in keys}:
            if kinds().get(target) is not Kind.REFERENCE:
                copy_to_nodes(target)
        for key in keys:
            rows(f"ALTER TABLE {table} ADD CONSTRAINT {key.name} {key.definition}")


def copy_to_nodes(table: str) -> None:
    """Put a copy of a table on every node. In one transaction. Raises RowsDiffer."""
    with transaction.atomic(), counted(table):
        rows("SELECT create_reference_table(%s)", [table])


@contextmanager
def counted(table: str) -> Iterator[None]:
    """Count rows before and after, while nobody else writes any."""
    rows(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    before = count(table)
    yield
    after = count(table)
    if after != before:
        raise RowsDiffer(f"{table} had {before:,} rows and its copy has {after:,}")


def keys_of(table: str) -> list[Key]:
    return [Key(*row) for row in rows(_KEYS, [table])]


def keep_managed() -> int:
    """Have Citus keep what it took over for a foreign key; return how many tables.

    Otherwise it would give them back when the key is dropped, which fails for a table with an identity.
    """
    found = rows("SELECT logicalrelid::regclass::text FROM pg_dist_partition WHERE autoconverted ORDER BY 1")
    for (table,) in found:
        rows("SELECT citus_add_local_table_to_metadata(%s)", [table])
    return len(found)


def left_behind(table: str) -> list[str]:
    """Return which parts of a table hold rows in the coordinator's own files, where nobody sees them."""
    parts = [f"{table}_{month}" for month in months_of(table)] or [table]
    return [part for part in parts if value("SELECT pg_relation_size(%s::regclass)", [part])]


def empty_left_behind(part: str) -> None:
    rows("SELECT truncate_local_data_after_distributing_table(%s::regclass)", [part])


_IDENTITIES = """
    SELECT c.oid::regclass::text, quote_ident(a.attname),
        pg_get_serial_sequence(c.oid::regclass::text, a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE a.attidentity <> '' AND c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition
    AND c.relowner = current_user::regrole ORDER BY 1
"""


_LAST = f"""
    SELECT last_value, is_called,
        (SELECT max({{column}}) FROM {{table}} WHERE {{column}} < {1 << _BITS_OF_COORDINATOR})
    FROM {{sequence}}
"""  # noqa: S608 -- built of constants


def behind() -> list[tuple[str, int]]:
    """Return the sequences of ids that would draw one that is taken, each with the highest taken.

    What Citus takes over gets new sequences, which begin at 1.
    """
    found = []
    for table, column, sequence in rows(_IDENTITIES):
        statement = _LAST.format(column=column, table=table, sequence=sequence)
        last, is_called, highest = rows(statement)[0]
        if highest is not None and (highest > last or (highest == last and not is_called)):
            found.append((sequence, highest))
    return found


def set_on(sequence: str, highest: int) -> None:
    rows("SELECT setval(%s, %s)", [sequence, highest])
