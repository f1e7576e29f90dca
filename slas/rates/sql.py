"""SQL of the fold: what deletes the oldest tallies of a queue and adds them to cells.

On one server a statement does both. On a cluster the tallies are at home and the cells on the coordinator: a
statement at home deletes tallies and returns their sums, as arrays in text, which the coordinator adds in the
same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alliance.database.postgresql.messages import Settings
from alliance.database.stored_functions import StoredStatement
from alliance.database.work_shares import in_share
from slas.commitments.sql_counts import COUNTS

_SUMMED: Final = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)
_SUMS: Final = ", ".join(f"sum({name})" for name in _SUMMED)
_ADDED: Final = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _SUMMED)
# Most tallies have no marks: nothing is late.
_MARKS: Final = "slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL)"
_MARKED: Final = (
    "marks = CASE WHEN excluded.marks IS NULL THEN r.marks ELSE array_cat(r.marks, excluded.marks) END"
)
_LANE: Final = "kind, tier_id, origin_id, destination_id, due_date"
_CELL: Final = f"courier_id, merchant_id, {_LANE}"
# Read the queue by its key: it is mostly empty and full of dead rows, so its statistics are useless.
BY_INDEX: Final = Settings(
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_bitmapscan = off"
)
# Group by hash and sort the groups: sorting all tallies by seven columns first takes longer.
_BY_HASH: Final = Settings(f"{BY_INDEX}; SET LOCAL enable_sort = off")


def _cells(organisation: str, counterpart: str, by: str) -> str:
    # In the order of the key: neighbours are read and written on the same pages. OFFSET keeps the planner
    # from sorting before it groups.
    return f"""
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, {_LANE}, {", ".join(_SUMMED)}, marks)
    SELECT * FROM (
        SELECT {organisation} AS organisation_id, {counterpart} AS counterpart_id, {_LANE}, {_SUMS}, {_MARKS}
        FROM taken GROUP BY {by}, {_LANE} OFFSET 0
    ) AS summed
    ORDER BY organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET {_ADDED}, {_MARKED}
    RETURNING 1"""  # noqa: S608 -- built of constants


def _overdue(organisation: str, counterpart: str, by: str) -> str:
    return f"""
    INSERT INTO slas_overduecount AS r (organisation_id, counterpart_id, kind, overdue)
    SELECT {organisation}, {counterpart}, kind, sum(overdue) FROM taken
    GROUP BY {by}, kind HAVING sum(overdue) <> 0
    ORDER BY {organisation}, kind, {counterpart}
    ON CONFLICT (organisation_id, kind, counterpart_id) DO UPDATE SET overdue = r.overdue + excluded.overdue
    RETURNING 1"""  # noqa: S608 -- built of constants


@dataclass(frozen=True)
class Queue:
    """A queue of tallies: how it is read, and the statements that fold it."""

    planning: Settings
    # Deletes up to `limit` tallies of a share and adds them to the cells; returns their number.
    fold: str
    # The same in two: deletes at home and returns the number and the sums; adds the sums.
    take: StoredStatement
    add: str


def taking(prefix: str, *, queue: str, sums: str, columns: Mapping[str, str]) -> StoredStatement:
    """Return the statement that deletes tallies `taken` at home, and returns the columns of `sums`."""
    arrays = ", ".join(f"array_agg({name})::text" for name in columns)
    return StoredStatement(
        prefix,
        parameters={"home": "bigint", "share": "int", "shares": "int", "limit": "int"},
        returns={"folded": "bigint", **dict.fromkeys(columns, "text")},
        at_home=True,
        body=f"""
BEGIN
    RETURN QUERY
    WITH taken AS (
        DELETE FROM {queue} WHERE {oldest(queue)} RETURNING *
    ),
    sums AS ({sums})
    SELECT (SELECT count(*) FROM taken), {arrays} FROM sums;
END""",  # noqa: S608 -- built of constants
    )


def taken_before(columns: Mapping[str, str]) -> str:
    """Return the rows of the columns that a statement of taking() returned."""
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in columns.items())
    return f"SELECT * FROM unnest({arrays}) AS sums ({', '.join(columns)})"  # noqa: S608 -- of constants


def oldest(queue: str) -> str:
    """Return the condition that selects the oldest `limit` tallies of a share of a queue."""
    share = in_share("courier_id")
    last = f"SELECT id FROM {queue} WHERE {share} ORDER BY id OFFSET %(limit)s - 1 LIMIT 1"  # noqa: S608
    # The outer SELECT keeps coalesce() out of the condition: under row-level security the index would not be
    # used for it, as coalesce() might leak rows hidden by the policies.
    return f"{share} AND id <= (SELECT coalesce(({last}), {2**63 - 1}))"


_ADDING: Final = f"""
couriers AS ({_cells("courier_id", "NULL::bigint", "courier_id")}),
merchants AS ({_cells("merchant_id", "courier_id", "merchant_id, courier_id")}),
courier_overdue AS ({_overdue("courier_id", "NULL::bigint", "courier_id")}),
merchant_overdue AS ({_overdue("merchant_id", "courier_id", "merchant_id, courier_id")})
SELECT count(*) FROM taken
"""  # noqa: S608 -- built of constants
# The columns of a cell's sums -> type; marks are arrays themselves, and text in an array.
_SUM_COLUMNS: Final = {
    **{"courier_id": "bigint", "merchant_id": "bigint"},
    **{"kind": "text", "tier_id": "int", "origin_id": "int", "destination_id": "int", "due_date": "date"},
    **dict.fromkeys(_SUMMED, "int"),
    "marks": "text",
}

# Oldest first, so that a count never falls below zero in between: a change's tally has a higher id than the
# tally it builds on. Cells are written in the order of their keys, so that of two folds of one courier's
# shards the second waits for the first.
TALLIES: Final = Queue(
    planning=_BY_HASH,
    fold=f"""
WITH taken AS (
    DELETE FROM slas_tally WHERE {oldest("slas_tally")} RETURNING *
),{_ADDING}""",  # noqa: S608 -- built of constants
    take=taking(
        "slas_take_tallies",
        queue="slas_tally",
        sums=f"""
        SELECT {_CELL},
            {", ".join(f"sum({name}) AS {name}" for name in _SUMMED)},
            {_MARKS}::text AS marks
        FROM taken GROUP BY {_CELL}""",  # noqa: S608 -- built of constants
        columns=_SUM_COLUMNS,
    ),
    add=f"""
WITH taken AS (
    SELECT {_CELL}, {", ".join(_SUMMED)}, marks::int[] AS marks FROM ({taken_before(_SUM_COLUMNS)}) AS sums
),{_ADDING}""",  # noqa: S608 -- built of constants
)
