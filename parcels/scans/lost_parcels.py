"""Parcels without a scan for too long count as lost until the next scan."""

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
# In transit with the courier. A parcel waiting in a locker or for its pickup has no scans, but is not lost.
MOVING: Final = (
    ParcelStatus.PICKED_UP,
    ParcelStatus.IN_TRANSIT,
    ParcelStatus.OUT_FOR_DELIVERY,
    ParcelStatus.ATTEMPT_FAILED,
    ParcelStatus.EXCEPTION,
    ParcelStatus.RETURNING,
)
# Parcels locked together. Scans of these parcels wait for the batch.
BATCH: Final = 500
# Only parcels booked within this period are checked for silence.
REACH: Final = timedelta(days=120)


class Traced(NamedTuple):
    """How many parcels were marked as lost, how many were found, and whether another run holds the lock."""

    lost: int = 0
    found: int = 0
    busy: bool = False


_MOVING = ", ".join(f"'{status.value}'" for status in MOVING)
_SILENCE = f"""CASE WHEN p.origin_id = p.destination_id THEN interval '{LOCAL.days} days'
        ELSE interval '{ELSEWHERE.days} days' END"""
_SILENT = f"p.status IN ({_MOVING}) AND p.last_scan_at + {_SILENCE} <= %(now)s"
# Uses the indexes of pending, overdue, and attempted but undelivered commitments: cost grows with these.
_SILENT_PARCELS = f"""
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.kind = 'delivery' AND c.lost_at IS NULL AND c.parcel_id >= %(oldest)s
    AND (c.outcome = 'pending' OR c.outcome = 'overdue'
        OR (c.outcome IN ('met', 'late') AND c.delivered_at IS NULL))
    AND p.last_scan_at <= %(now)s - interval '{LOCAL.days} days' AND {_SILENT}
"""  # noqa: S608 -- built of constants
# A parcel that its courier scanned as lost stays lost until the next scan, which ends the loss by itself.
_FOUND_PARCELS = f"""
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
    """Mark the parcels without a scan for too long as lost, and unmark those that have one again.

    May run twice, concurrently, or be killed at any point: each batch is one transaction, and parcels
    that are already marked are not selected again.
    """
    with scope(Scope.everything()):
        oldest = parcel_id_at(now - REACH)
        silent_ids = [row[0] for row in raw_rows(_SILENT_PARCELS, {"now": now, "oldest": oldest})]
        found_ids = [row[0] for row in raw_rows(_FOUND_PARCELS, {"now": now})]
    lost = found = 0
    for batch in _batches(sorted({*silent_ids, *found_ids})):
        with scope(Scope.everything()):
            if not try_to_take(Lock.TRACE_LOST_PARCELS):
                return Traced(lost, found, busy=True)
            missing, present = _split_by_silence(batch, now)
            lost += mark_lost(lost=missing, now=now)
            found += mark_lost(lost=present, now=now)
    return Traced(lost, found)


def _split_by_silence(
    parcels: Sequence[int], now: datetime
) -> tuple[dict[int, datetime | None], dict[int, datetime | None]]:
    """Check again under the parcels' locks: a scan may have arrived since they were selected."""
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
