"""The sweep: what is pending and past due becomes overdue, and a breach opens."""

from datetime import datetime
from typing import NamedTuple

from alliance.tenancy import Scope, raw_rows, scope
from slas.settlement import changed, locked

# Rows a transaction: few enough that a scan never waits long for a row the sweep holds.
SLICE = 5_000
# One sweep at a time: a second one would only wait for the first one's rows.
_LOCK = 5_264_002


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether another sweep was at it."""

    overdue: int = 0
    slices: int = 0
    busy: bool = False


# Read without locks, in order of due_at, from the partial index of what is pending: the cost follows
# what fell due, not the table.
_SLICE = """
SELECT parcel_id, kind FROM slas_commitment
WHERE outcome = 'pending' AND due_at < %(now)s
ORDER BY due_at
LIMIT %(limit)s
"""
# Locked in the order everybody locks in, and asked again: what a scan settled meanwhile is left alone.
_DUE = "c.outcome = 'pending' AND c.due_at < %(now)s"
_WITHIN = "BETWEEN %(low)s AND %(high)s"
_SWEEP = f"""
WITH sla_slice AS (
    SELECT * FROM unnest(%(parcel_id)s::bigint[], %(kind)s::text[]) AS s (parcel_id, kind)
),
sla_locked AS MATERIALIZED ({locked("sla_slice", condition=_DUE, within=_WITHIN)}
),
{changed("sla_locked", after="'overdue'")}
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
            found = raw_rows(_SLICE, {"now": now, "limit": limit})
            if found:
                overdue += _mark(found, now)
                slices += 1
        if len(found) < limit:
            return Swept(overdue, slices)


def _mark(keys: list[tuple[int, str]], now: datetime) -> int:
    parcels = [parcel_id for parcel_id, _kind in keys]
    kinds = [kind for _parcel_id, kind in keys]
    bounds = {"low": min(parcels), "high": max(parcels)}
    [(changed,)] = raw_rows(_SWEEP, {"parcel_id": parcels, "kind": kinds, "now": now, **bounds})
    return int(changed)
