"""Parcels without a scan for too long count as lost until the next scan."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from alliance.database.at_home import rows_at_home, rows_by_shard
from alliance.database.cluster import shard_keys
from alliance.database.work_shares import Outages
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, scope
from parcels.choices import ParcelStatus
from parcels.scans.sql_lost import HOLD_PARCELS, SILENT_OR_FOUND
from slas.commitments.services.settling import mark_lost

# Parcels locked together. Scans of these parcels wait for the batch.
BATCH: Final = 500
# Only parcels booked within this period are checked for silence.
REACH: Final = timedelta(days=120)


class Traced(NamedTuple):
    """How many parcels were marked as lost, how many were found, and whether another run holds the lock."""

    lost: int = 0
    found: int = 0
    busy: bool = False


def trace_lost_parcels(*, now: datetime) -> Traced:
    """Mark the parcels without a scan for too long as lost, and unmark those that have one again.

    May run twice, concurrently, or be killed at any point: each batch is one transaction, and parcels
    that are already marked are not selected again. If a node of the cluster is down, the shards of the others
    are looked at before OperationalError is raised.
    """
    traced, outages = Traced(), Outages()
    for home in shard_keys():
        with outages.noted():
            traced = _trace(home, traced, now)
        if traced.busy:
            return traced
    outages.raise_first()
    return traced


def _trace(home: int, traced: Traced, now: datetime) -> Traced:
    """Trace the parcels of one shard; return the counts with what was counted before."""
    with scope(Scope.everything()):
        parameters = {"home": home, "oldest": parcel_id_at(now - REACH), "now": now}
        parcels = sorted({parcel for (parcel,) in rows_at_home(SILENT_OR_FOUND, parameters)})
    for batch in _batches(parcels):
        with scope(Scope.everything()):
            if not try_to_take(Lock.TRACE_LOST_PARCELS):
                return traced._replace(busy=True)
            missing, present = _split_by_silence(batch, now)
            lost = mark_lost(lost=missing, now=now)
            found = mark_lost(lost=present, now=now)
        traced = Traced(traced.lost + lost, traced.found + found)
    return traced


def _split_by_silence(
    parcels: Sequence[int], now: datetime
) -> tuple[dict[int, datetime | None], dict[int, datetime | None]]:
    """Check again under the parcels' locks: a scan may have arrived since they were selected."""
    rows = rows_by_shard(HOLD_PARCELS, parcels, {}, now=now)
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
