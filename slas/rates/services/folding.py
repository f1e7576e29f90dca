"""The fold: waiting tallies are deleted and added to the on-time rates."""

import time
from typing import NamedTuple

from alliance.database.postgresql.messages import Settings
from alliance.database.work_shares import Share, in_share, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import raw_rows
from slas.commitments.sql_counts import COUNTS

# Tallies per transaction, and how long one call may run before it leaves the rest to the next. Larger batches
# have more tallies of the same cells.
BATCH = 50_000
BUDGET_SECONDS = 60.0


class Folded(NamedTuple):
    """How many tallies were folded, in how many transactions, and whether other folds held all shares."""

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
# Read the queue by its key: it is mostly empty and full of dead rows, so its statistics are useless.
BY_INDEX = Settings(
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_bitmapscan = off"
)
# Group by hash and sort the groups: sorting all tallies by seven columns first takes longer.
_BY_HASH = Settings(f"{BY_INDEX}; SET LOCAL enable_sort = off")


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


def oldest(queue: str) -> str:
    """Return the condition that selects the oldest `limit` tallies of a share of a queue."""
    share = in_share("courier_id")
    last = f"SELECT id FROM {queue} WHERE {share} ORDER BY id OFFSET %(limit)s - 1 LIMIT 1"  # noqa: S608
    # The outer SELECT keeps coalesce() out of the condition: under row-level security the index would not be
    # used for it, as coalesce() might leak rows hidden by the policies.
    return f"{share} AND id <= (SELECT coalesce(({last}), {2**63 - 1}))"


# Oldest first, so that a count never falls below zero in between: a change's tally has a higher id than the
# tally it builds on.
_FOLD = f"""
WITH taken AS (
    DELETE FROM slas_tally WHERE {oldest("slas_tally")} RETURNING *
),
couriers AS ({_cells("courier_id", "NULL::bigint", "courier_id")}),
merchants AS ({_cells("merchant_id", "courier_id", "merchant_id, courier_id")}),
courier_overdue AS ({_overdue("courier_id", "NULL::bigint", "courier_id")}),
merchant_overdue AS ({_overdue("merchant_id", "courier_id", "merchant_id, courier_id")})
SELECT count(*) FROM taken
"""  # noqa: S608 -- built of constants


def fold_tallies(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Fold waiting tallies into the on-time rates until none is left or the time is up."""
    return fold(_FOLD, planner_settings=_BY_HASH, lock=Lock.FOLD_TALLIES, limit=limit, budget=budget)


def fold(statement: str, *, planner_settings: Settings, lock: Lock, limit: int, budget: float) -> Folded:
    """Repeat a statement that deletes up to `limit` rows of a queue's share and returns their number, until
    none is left.

    May run twice, side by side (each at other shares, by `lock`), or be killed anywhere: rows are deleted and
    counted in the same statement, so each counts exactly once.
    """
    until = time.monotonic() + budget
    batches: list[int] = []

    def work(share: Share) -> bool:
        raw_rows(planner_settings)
        [(folded,)] = raw_rows(statement, {"limit": limit, **share.parameters})
        if folded:
            batches.append(folded)
        return bool(folded == limit and time.monotonic() <= until)

    got_a_share = work_in_shares(work, lock=lock)
    return Folded(sum(batches), len(batches), busy=not got_a_share)


def no_longer_overdue(commitments: str) -> None:
    """Subtract the overdue promises of a detached month of commitments from the overdue counts.

    Must run once, in the transaction that records that it was done; needs the scope of everything.
    """
    # Waits for a running fold and blocks the next: each writes rows in an order of its own.
    raw_rows("LOCK TABLE slas_overduecount IN SHARE ROW EXCLUSIVE MODE")
    raw_rows(f"""
        WITH counted AS (
            SELECT merchant_id, courier_id, kind FROM {commitments} WHERE outcome = 'overdue'
        ),
        gone AS (
            SELECT organisation_id, counterpart_id, kind, count(*) AS overdue FROM (
                SELECT courier_id AS organisation_id, NULL::bigint AS counterpart_id, kind FROM counted
                UNION ALL SELECT merchant_id, courier_id, kind FROM counted
            ) AS x GROUP BY organisation_id, counterpart_id, kind
        )
        UPDATE slas_overduecount r SET overdue = r.overdue - gone.overdue FROM gone
        WHERE r.organisation_id = gone.organisation_id AND r.kind = gone.kind
            AND r.counterpart_id IS NOT DISTINCT FROM gone.counterpart_id
    """)  # noqa: S608 -- a name of the catalogue
