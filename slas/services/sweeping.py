"""The sweep: what is pending and past due becomes overdue, and a breach opens."""

from datetime import datetime
from typing import NamedTuple

from alliance.tenancy import Scope, raw_rows, scope
from slas.settlement import CARRIED, CONSEQUENCES, DIMENSIONS, key_of

# Rows a transaction: few enough that a scan never waits long for a row the sweep holds.
SLICE = 5_000
# One sweep at a time: a second one would only wait for the first one's rows.
_LOCK = 5_264_002


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether another sweep was at it."""

    overdue: int = 0
    slices: int = 0
    busy: bool = False


# The slice is read without locks in order of due_at (the partial index of pending ones: the cost
# follows what fell due, not the table), then locked in the order everybody locks in, and asked
# again: what a scan settled meanwhile is left alone.
_SWEEP = f"""
WITH sla_slice AS MATERIALIZED (
    SELECT parcel_id, kind FROM slas_commitment
    WHERE outcome = 'pending' AND due_at < %(now)s
    ORDER BY due_at
    LIMIT %(limit)s
),
sla_locked AS (
    SELECT c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.outcome AS before
    FROM sla_slice l JOIN slas_commitment c ON {key_of("sla_slice")}
    WHERE c.outcome = 'pending' AND c.due_at < %(now)s
    ORDER BY c.parcel_id, c.kind
    FOR NO KEY UPDATE OF c
),
sla_changed AS (
    UPDATE slas_commitment c SET outcome = 'overdue'
    FROM sla_locked l
    WHERE {key_of("sla_locked")}
    RETURNING {CARRIED}, c.outcome AS after, c.reached_at
),
{CONSEQUENCES}
SELECT (SELECT count(*) FROM sla_slice), (SELECT count(*) FROM sla_changed)
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
            [(found, changed)] = raw_rows(_SWEEP, {"now": now, "limit": limit})
        overdue += changed
        slices += 1 if found else 0
        if found < limit:
            return Swept(overdue, slices)
