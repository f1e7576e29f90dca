"""Tracing: parcels nobody has heard of for too long count as lost, until a scan says otherwise."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from alliance.database.literals import numbers
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, raw_rows, scope
from parcels.choices import ParcelStatus
from slas.commitments.services.settling import mark_lost

# [metrics.md 4; GB/T 27917: local express counts as lost after 3 days, to another city after 7]
LOCAL: Final = timedelta(days=3)
ELSEWHERE: Final = timedelta(days=7)
# On the courier's hands and under way. What waits in a locker, or for its pickup, is silent and not lost.
MOVING: Final = (
    ParcelStatus.PICKED_UP,
    ParcelStatus.IN_TRANSIT,
    ParcelStatus.OUT_FOR_DELIVERY,
    ParcelStatus.ATTEMPT_FAILED,
    ParcelStatus.EXCEPTION,
    ParcelStatus.RETURNING,
)
# Parcels locked together; scans of them wait that long.
BATCH: Final = 500
# A parcel that had a scan so long after its booking and then fell silent was traced in its time, or never.
REACH: Final = timedelta(days=120)


class Traced(NamedTuple):
    """How many parcels count as lost now, how many no longer, and whether another tracing was at it."""

    lost: int = 0
    found: int = 0
    busy: bool = False


_MOVING = ", ".join(f"'{status.value}'" for status in MOVING)
_SILENCE = f"""CASE WHEN p.origin_id = p.destination_id THEN interval '{LOCAL.days} days'
        ELSE interval '{ELSEWHERE.days} days' END"""
_SILENT = f"p.status IN ({_MOVING}) AND p.last_scan_at + {_SILENCE} <= %(now)s"
# By the indexes of what is pending, overdue, or attempted and not there: the cost follows what is open.
_GONE = f"""
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.kind = 'delivery' AND c.lost_at IS NULL AND c.parcel_id >= %(oldest)s
    AND (c.outcome = 'pending' OR c.outcome = 'overdue'
        OR (c.outcome IN ('met', 'late') AND c.delivered_at IS NULL))
    AND p.last_scan_at <= %(now)s - interval '{LOCAL.days} days' AND {_SILENT}
"""  # noqa: S608 -- built of constants
# A parcel that its courier scanned as lost stays so until the courier takes that back.
_BACK = f"""
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.lost_at IS NOT NULL AND c.kind = 'delivery' AND p.status <> '{ParcelStatus.LOST}' AND NOT ({_SILENT})
"""  # noqa: S608 -- built of constants
_LOCKED = f"""
SELECT p.id, {_SILENT}, p.last_scan_at + {_SILENCE}, p.status
FROM parcels_parcel p
WHERE p.id = ANY(%(parcels)s::bigint[]) AND p.id BETWEEN %(low)s AND %(high)s
ORDER BY p.id
FOR NO KEY UPDATE OF p
"""  # noqa: S608 -- built of constants


def trace_lost_parcels(*, now: datetime) -> Traced:
    """Find the parcels that have been silent for too long, and those that were and are not.

    May run twice, side by side, or be killed anywhere: each batch is one transaction, and what is
    marked already is not asked about again.
    """
    with scope(Scope.everything()):
        oldest = parcel_id_at(now - REACH)
        gone = [row[0] for row in raw_rows(_GONE, {"now": now, "oldest": oldest})]
        back = [row[0] for row in raw_rows(_BACK, {"now": now})]
    lost = found = 0
    for parcels in _batches(sorted({*gone, *back})):
        with scope(Scope.everything()):
            if not try_to_take(Lock.TRACE_LOST_PARCELS):
                return Traced(lost, found, busy=True)
            missing, present = _judge(parcels, now)
            lost += mark_lost(lost=missing, now=now)
            found += mark_lost(lost=present, now=now)
    return Traced(lost, found)


def _judge(
    parcels: Sequence[int], now: datetime
) -> tuple[dict[int, datetime | None], dict[int, datetime | None]]:
    """Ask again under the parcels' locks: a scan may have come since they were found."""
    bounds = {"low": parcels[0], "high": parcels[-1]}
    rows = raw_rows(_LOCKED, {"parcels": numbers(parcels), "now": now, **bounds})
    missing: dict[int, datetime | None] = {
        parcel_id: since for parcel_id, silent, since, _status in rows if silent
    }
    present: dict[int, datetime | None] = {
        parcel_id: None
        for parcel_id, silent, _since, status in rows
        if not silent and status != ParcelStatus.LOST
    }
    return missing, present


def _batches(parcels: Sequence[int]) -> Iterator[Sequence[int]]:
    rest = iter(parcels)
    while batch := list(islice(rest, BATCH)):
        yield batch
