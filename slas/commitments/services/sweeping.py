"""The sweep: what is pending and past due becomes overdue, and a breach opens."""

from datetime import datetime
from typing import Final, NamedTuple

from alliance.database.work_shares import in_share, share_parameters, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import CommitmentKind, Measure
from slas.commitments.sql import CONSEQUENCES, DIMENSIONS
from slas.commitments.sql_counts import COUNTS, marks

# Rows a transaction: few enough that a scan never waits long for a row the sweep holds.
SLICE = 5_000


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether other sweeps were at all of it."""

    overdue: int = 0
    slices: int = 0
    busy: bool = False


# By the index of what is pending and nothing else. What the planner knows of how much that is was true some
# time ago, and starting parallel workers alone takes longer than an idle sweep.
_BY_INDEX: Final = """
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off
"""
_DUE: Final = "c.outcome = 'pending' AND c.due_at < %(now)s"
_ANY: Final = f"SELECT EXISTS (SELECT FROM slas_commitment c WHERE {_DUE})"  # noqa: S608 -- of constants
_COUNTS: Final = ", ".join(f"0 AS {name}, 0 AS was_{name}" for name in COUNTS)
# The slice is read without locks, in order of due_at, from the partial index of what is pending: the cost
# follows what fell due, not the table. The upsert, which always finds its row, locks one after the other
# in the order everybody locks in, and asks the newest version again: what a scan settled meanwhile is left
# alone. For what follows see slas.commitments.sql. Nothing of the journey moves here, so of all counts and
# marks
# only those of an excuse can, which a breach withdrawn once may have kept.
_SWEEP: Final = f"""
WITH sla_slice AS MATERIALIZED (
    SELECT c.parcel_id, c.kind, {DIMENSIONS} FROM slas_commitment c
    WHERE {_DUE} AND {in_share("c.courier_id")}
    ORDER BY c.due_at
    LIMIT %(limit)s
),
sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, due_at, due_date, outcome, excused, excuse_reason)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, due_date,
        'overdue', false, ''
    FROM sla_slice
    ORDER BY parcel_id, kind
    ON CONFLICT (parcel_id, kind) DO UPDATE SET outcome = 'overdue' WHERE {_DUE}
    RETURNING c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.excused AS was_excused,
        'pending'::text AS before, 'overdue'::text AS after, NULL::timestamptz AS reached_at,
        false AS moved, {_COUNTS},
        CASE WHEN c.excused THEN ARRAY[{marks("'overdue'", "c.")[Measure.EXCUSED]}] END AS marks,
        c.kind = '{CommitmentKind.DELIVERY}' AND c.fee_fen IS NOT NULL AS pays
),
{CONSEQUENCES}
SELECT (SELECT count(*) FROM sla_slice), (SELECT count(*) FROM sla_changed)
"""  # noqa: S608 -- built of constants


def sweep_overdue(*, now: datetime, limit: int = SLICE) -> Swept:
    """Mark all that is pending and past due as overdue, `limit` commitments a transaction.

    May run twice, side by side, or be killed anywhere: each slice is one transaction with its
    breaches, tallies and events, and the next sweep goes on with what is left.
    """
    slices: list[int] = []
    # Mostly nothing is due, and one look tells.
    with scope(Scope.everything()):
        raw_rows(_BY_INDEX)
        [(due,)] = raw_rows(_ANY, {"now": now})
    if not due:
        return Swept()

    def work(share: int) -> bool:
        raw_rows(_BY_INDEX)
        [(found, changed)] = raw_rows(_SWEEP, {"now": now, "limit": limit, **share_parameters(share)})
        if found:
            slices.append(changed)
        return bool(found == limit)

    ours = work_in_shares(work, lock=Lock.SWEEP)
    return Swept(sum(slices), len(slices), busy=not ours)
