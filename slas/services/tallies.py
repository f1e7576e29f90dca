"""The fold: waiting tallies are consumed and added to the on-time rates."""

import time
from typing import NamedTuple

from alliance.tenancy import Scope, raw_rows, scope
from slas.counting import COUNTS

# Tallies a transaction, and how long one call may go on before it leaves the rest to the next. The more at
# once, the more of them fall into the same cells.
BATCH = 50_000
BUDGET_SECONDS = 60.0
_LOCK = 5_264_003


class Folded(NamedTuple):
    """How many tallies were consumed, in how many transactions, and whether another fold was at it."""

    tallies: int = 0
    batches: int = 0
    busy: bool = False


_SUMMED = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)
_SUMS = ", ".join(f"sum({name})" for name in _SUMMED)
_ADDED = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _SUMMED)
# Most tallies have no marks: nothing is late.
_MARKS = "slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL)"
_MARKED = "marks = CASE WHEN excluded.marks IS NULL THEN r.marks ELSE array_cat(r.marks, excluded.marks) END"
_LANE = "kind, tier_id, origin_id, destination_id, due_date"
# The queue by its key. It is mostly empty, and full of what was consumed: its statistics say nothing.
_BY_INDEX = """
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off
"""


def _cells(organisation: str, counterpart: str, by: str) -> str:
    # In the order of the key: neighbours are found, and laid down, on the same pages.
    return f"""
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, {_LANE}, {", ".join(_SUMMED)}, marks)
    SELECT {organisation}, {counterpart}, {_LANE}, {_SUMS}, {_MARKS} FROM taken GROUP BY {by}, {_LANE}
    ORDER BY {organisation}, due_date, kind, tier_id, {counterpart}, origin_id, destination_id
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


# Oldest first, so that a count never falls below zero on the way: a change's tally has a higher
# id than the one it builds on.
_FOLD = f"""
WITH taken AS (
    DELETE FROM slas_tally
    WHERE id <= coalesce((SELECT id FROM slas_tally ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {2**63 - 1})
    RETURNING *
),
couriers AS ({_cells("courier_id", "NULL::bigint", "courier_id")}),
merchants AS ({_cells("merchant_id", "courier_id", "merchant_id, courier_id")}),
courier_overdue AS ({_overdue("courier_id", "NULL::bigint", "courier_id")}),
merchant_overdue AS ({_overdue("merchant_id", "courier_id", "merchant_id, courier_id")})
SELECT count(*) FROM taken
"""  # noqa: S608 -- built of constants


def fold_tallies(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Add waiting tallies to the on-time rates until none is left or the time is up."""
    return fold(_FOLD, lock=_LOCK, limit=limit, budget=budget)


def fold(statement: str, *, lock: int, limit: int, budget: float) -> Folded:
    """Run a statement that consumes up to `limit` of a queue, and says how many, until none is left.

    May run twice, side by side (`lock` keeps one of them out), or be killed anywhere: what is consumed is
    counted in the same statement, so it counts exactly once.
    """
    until = time.monotonic() + budget
    tallies = batches = 0
    while True:
        with scope(Scope.everything()):
            [(mine,)] = raw_rows("SELECT pg_try_advisory_xact_lock(%s)", [lock])
            if not mine:
                return Folded(tallies, batches, busy=True)
            raw_rows(_BY_INDEX)
            [(taken,)] = raw_rows(statement, {"limit": limit})
        tallies += taken
        batches += 1 if taken else 0
        if taken < limit or time.monotonic() > until:
            return Folded(tallies, batches)
