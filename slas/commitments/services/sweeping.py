"""The sweep: pending commitments past due become overdue, and breaches open."""

from datetime import datetime
from typing import Final, NamedTuple

from alliance.database.postgresql.messages import Settings
from alliance.database.work_shares import Share, in_share, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import CommitmentKind, Measure
from slas.commitments.sql import CONSEQUENCES, DIMENSIONS
from slas.commitments.sql_counts import COUNTS, marks

# Rows per transaction: few enough that a scan never waits long for a row locked by the sweep.
SLICE = 5_000


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether other sweeps held all shares."""

    overdue: int = 0
    slices: int = 0
    busy: bool = False


# Use only the index of pending commitments: the planner's statistics of them are out of date, and starting
# parallel workers takes longer than an idle sweep.
_BY_INDEX: Final = Settings(
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_bitmapscan = off"
)
_DUE: Final = "c.outcome = 'pending' AND c.due_at < %(now)s"
_ANY: Final = f"SELECT EXISTS (SELECT FROM slas_commitment c WHERE {_DUE})"  # noqa: S608 -- of constants
_COUNTS: Final = ", ".join(f"0 AS {name}, 0 AS was_{name}" for name in COUNTS)
# The slice is read without locks, in order of due_at, from the partial index of pending commitments: the cost
# follows what fell due, not the table. The upsert, which always finds its row, locks one row after the other
# in the order that all writers lock in, and checks the newest version again: a commitment settled by a scan
# in the meantime is left alone. For the consequences see slas.commitments.sql. The journey does not change
# here, so of all counts and marks only those of an excuse can, which a breach withdrawn before may have kept.
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
    """Mark all pending commitments past due as overdue, `limit` commitments per transaction.

    May run twice, side by side, or be killed anywhere: each slice is one transaction with its breaches,
    tallies and events, and the next sweep continues with the rest.
    """
    slices: list[int] = []
    # Most sweeps find nothing due: one cheap query tells.
    with scope(Scope.everything()):
        raw_rows(_BY_INDEX)
        [(is_due,)] = raw_rows(_ANY, {"now": now})
    if not is_due:
        return Swept()

    def work(share: Share) -> bool:
        raw_rows(_BY_INDEX)
        [(rows, changed)] = raw_rows(_SWEEP, {"now": now, "limit": limit, **share.parameters})
        if rows:
            slices.append(changed)
        return bool(rows == limit)

    got_a_share = work_in_shares(work, lock=Lock.SWEEP)
    return Swept(sum(slices), len(slices), busy=not got_a_share)
