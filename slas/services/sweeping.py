"""The sweep: what is pending and past due becomes overdue, and a breach opens."""

from datetime import datetime
from typing import Final, NamedTuple

from alliance.literals import numbers, texts
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import CommitmentKind, Measure
from slas.counting import COUNTS, marks
from slas.settlement import CONSEQUENCES, DIMENSIONS, locked

# Rows a transaction: few enough that a scan never waits long for a row the sweep holds.
SLICE = 5_000
# One sweep at a time: a second one would only wait for the first one's rows.
_LOCK = 5_264_002


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether another sweep was at it."""

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
# Read without locks, in order of due_at, from the partial index of what is pending: the cost follows
# what fell due, not the table.
_SLICE: Final = """
SELECT parcel_id, kind FROM slas_commitment
WHERE outcome = 'pending' AND due_at < %(now)s
ORDER BY due_at
LIMIT %(limit)s
"""
# Locked in the order everybody locks in, and asked again: what a scan settled meanwhile is left alone.
# Spelled so that it does not fit the index of what is pending: where statistics know of nothing that is
# past due, the planner would go through all that is, once for each key.
_DUE: Final = "coalesce(c.outcome, '') = 'pending' AND c.due_at < %(now)s"
_WITHIN: Final = "BETWEEN %(low)s AND %(high)s"
_COUNTS: Final = ", ".join(f"0 AS {name}, 0 AS was_{name}" for name in COUNTS)
# What slas.settlement.changed() does, for the one change there is here: nothing of the journey moves, so
# that of all counts and marks only those of an excuse can, which a breach withdrawn once may have kept.
_SWEEP: Final = f"""
WITH sla_slice AS (
    SELECT * FROM unnest(%(parcel_id)s::bigint[], %(kind)s::text[]) AS s (parcel_id, kind)
),
sla_changed AS MATERIALIZED (
    SELECT c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.was_excused, c.excuse_reason, c.before, c.after,
        NULL::timestamptz AS reached_at, false AS moved, {_COUNTS},
        CASE WHEN c.excused THEN ARRAY[{marks("c.after", "c.")[Measure.EXCUSED]}] END AS marks,
        c.kind = '{CommitmentKind.DELIVERY}' AND c.fee_fen IS NOT NULL AS pays
    FROM ({locked("sla_slice", condition=_DUE, within=_WITHIN, more=", 'overdue' AS after")}) c
),
sla_stored AS (
    -- An upsert, for the reasons given in slas.settlement. The rows are there, and locked.
    INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, outcome, excused, excuse_reason)
    SELECT c.parcel_id, c.kind, {DIMENSIONS}, c.after, c.excused, c.excuse_reason FROM sla_changed c
    ON CONFLICT (parcel_id, kind) DO UPDATE SET outcome = excluded.outcome
),
{CONSEQUENCES}
SELECT count(*) FROM sla_changed
"""  # noqa: S608 -- built of constants


def sweep_overdue(*, now: datetime, limit: int = SLICE) -> Swept:
    """Mark all that is pending and past due as overdue, `limit` commitments a transaction.

    May run twice, side by side, or be killed anywhere: each slice is one transaction with its
    breaches, tallies and events, and the next sweep goes on with what is left.
    """
    overdue = slices = 0
    while True:
        with scope(Scope.everything()):
            [(mine,)] = raw_rows("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            if not mine:
                return Swept(overdue, slices, busy=True)
            raw_rows(_BY_INDEX)
            found = raw_rows(_SLICE, {"now": now, "limit": limit})
            if found:
                overdue += _mark(found, now)
                slices += 1
        if len(found) < limit:
            return Swept(overdue, slices)


def _mark(keys: list[tuple[int, str]], now: datetime) -> int:
    parcels = [parcel_id for parcel_id, _kind in keys]
    columns = {"parcel_id": numbers(parcels), "kind": texts(kind for _parcel_id, kind in keys)}
    bounds = {"low": min(parcels), "high": max(parcels)}
    [(changed,)] = raw_rows(_SWEEP, {**columns, **bounds, "now": now})
    return int(changed)
