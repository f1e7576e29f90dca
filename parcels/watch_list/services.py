"""Refresh the watch list: read parcels, apply the rules and store the items."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from alliance.database.at_home import rows_by_shard
from alliance.events import Topic
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock, try_to_take
from alliance.models import Heartbeat
from alliance.tenancy import Scope, raw_rows, scope
from parcels.choices import ParcelStatus
from parcels.scans.rules import STATUS_OF_CODE, TERMINAL
from parcels.watch_list.sql import SIGHTINGS
from slas.choices import Outcome
from slas.commitments.landmarks import Journey
from slas.forecasts.curves import Curves
from slas.forecasts.services.watch_list import store_watch_items, watch_candidates
from slas.forecasts.watch_rules import SILENT_AFTER_OTHERWISE, Sighting
from slas.models import ServiceTier

# Parcels per transaction.
SLICE: Final = 5_000
# The heartbeat that stores the time up to which the outbox has been read.
HEARTBEAT: Final = "refresh-watch-list"

# Held, failed or contradicted parcels, perhaps days before the promise, come from the outbox: an index of
# parcels by status would cost too much, because every scan would update it. The same query finds every parcel
# on the list with an event: it is refreshed at once, before its turn.
_TROUBLED: Final = (ParcelStatus.EXCEPTION, ParcelStatus.ATTEMPT_FAILED)
_NEWS: Final = f"""
SELECT DISTINCT parcel_id FROM alliance_event e
WHERE at > %(since)s AND (
    topic = '{Topic.PARCEL_STATUS_CHANGED}' AND payload->>'status' = ANY(%(troubled)s)
    OR topic = '{Topic.PARCEL_CONTRADICTED}'
    OR EXISTS (SELECT 1 FROM slas_watchitem w WHERE w.parcel_id = e.parcel_id)
)
"""  # noqa: S608 -- built of constants
# Of the parcels due later: those whose last scan may be a day ago. Scans that were received late, or
# committed late by an open transaction, are found by their time of receipt.
_SEEN: Final = """
SELECT parcel_id FROM parcels_scan
WHERE occurred_at > %(first)s AND occurred_at <= %(last)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s)
UNION
SELECT parcel_id FROM parcels_scan
WHERE received_at > %(since)s AND occurred_at <= %(first)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s)
"""
_FINAL: Final = [code for code, status in STATUS_OF_CODE.items() if status in TERMINAL]
# How long a transaction may stay open without its scans being missed.
_OVERLAP: Final = timedelta(minutes=10)
# How long after its time an event may be committed without being missed.
_EVENT_OVERLAP: Final = timedelta(minutes=5)
# How far the first refresh looks back, and the age of booking beyond which parcels are ignored.
_FIRST_LOOK: Final = timedelta(days=7)
_OLDEST: Final = timedelta(days=62)
# The courier has nothing more to do.
_OVER: Final = TERMINAL | {ParcelStatus.AVAILABLE_FOR_PICKUP}


class Refreshed(NamedTuple):
    """The number of parcels checked, of items stored and removed, and whether another refresh runs."""

    parcels: int = 0
    listed: int = 0
    removed: int = 0
    slices: int = 0
    busy: bool = False


def refresh_watch_list(*, now: datetime, limit: int = SLICE) -> Refreshed:
    """Recompute the watch list for parcels that are due soon, overdue, in trouble, silent or on the list.

    Parcels due later than `slas.forecasts.watch_rules.NEAR` are checked in turns, each every half hour.
    Each slice is one transaction. May run twice, concurrently, or be killed at any point: a stored slice
    is valid for its parcels, and the next refresh checks all of them again.
    """
    with scope(Scope.everything()):
        if not try_to_take(Lock.REFRESH_WATCH_LIST):
            return Refreshed(busy=True)
        last = Heartbeat.objects.filter(name=HEARTBEAT).first()
        # Of the release before: without it, its refreshes would read the whole outbox.
        position = last.detail.get("outbox", []) if last else []
        silent_ids = _perhaps_silent(last.at if last else now - _FIRST_LOOK, now)
        ids = sorted(
            {
                *watch_candidates(now=now, last=last.at if last else None),
                *_with_news(last.at - _EVENT_OVERLAP if last else now - _OLDEST),
                *silent_ids,
            }
        )
        tiers = dict(ServiceTier.objects.values_list("pk", "code"))
    curves = Curves(now=now, renewing=True)
    listed = removed = slices = 0
    for start in range(0, len(ids), limit):
        slice_ids = ids[start : start + limit]
        with scope(Scope.everything()):
            if not try_to_take(Lock.REFRESH_WATCH_LIST):
                return Refreshed(start, listed, removed, slices, busy=True)
            stored = store_watch_items(
                parcel_ids=slice_ids, sightings=sightings(slice_ids), curves=curves, tiers=tiers, now=now
            )
        listed, removed, slices = listed + stored.listed, removed + stored.removed, slices + 1
    Heartbeat.objects.update_or_create(
        name=HEARTBEAT,
        defaults={"at": now, "detail": {"parcels": len(ids), "listed": listed, "outbox": position}},
    )
    return Refreshed(len(ids), listed, removed, slices)


def sightings(parcel_ids: Sequence[int]) -> list[Sighting]:
    """Read the state of parcels; parcels without a delivery commitment are omitted."""
    if not parcel_ids:
        return []
    return [_sighting(*row) for row in rows_by_shard(SIGHTINGS, parcel_ids, {})]


def _sighting(
    parcel_id: int,
    merchant_id: int,
    courier_id: int,
    tier_id: int,
    origin_id: int,
    destination_id: int,
    booked_at: datetime,
    pickup_by: datetime | None,
    last_scan_at: datetime | None,
    status: str,
    is_lost: bool,
    due_at: datetime,
    outcome: str,
    agreed_at: datetime | None,
    contradicted_at: datetime | None,
    *stages: datetime | None,
) -> Sighting:
    return Sighting(
        parcel_id=parcel_id,
        merchant_id=merchant_id,
        courier_id=courier_id,
        tier_id=tier_id,
        origin_id=origin_id,
        destination_id=destination_id,
        journey=Journey(*stages),
        booked_at=booked_at,
        pickup_by=pickup_by,
        last_scan_at=last_scan_at,
        due_at=due_at,
        outcome=Outcome(outcome),
        agreed_at=agreed_at,
        # A parcel that counts as lost concerns credits, not today's work.
        is_over=is_lost or status in _OVER,
        is_failed=status == ParcelStatus.ATTEMPT_FAILED,
        is_held=status == ParcelStatus.EXCEPTION,
        contradicted_at=contradicted_at,
    )


def _perhaps_silent(last: datetime, now: datetime) -> Iterable[int]:
    """Parcels whose last scan may be a day ago: they may have become silent since the last refresh."""
    since = last - _OVERLAP
    parameters = {
        "first": since - SILENT_AFTER_OTHERWISE,
        "last": now - SILENT_AFTER_OTHERWISE,
        "since": since,
        "oldest": parcel_id_at(now - _OLDEST),
        "final": _FINAL,
    }
    return [row[0] for row in raw_rows(_SEEN, parameters)]


def _with_news(since: datetime) -> Iterable[int]:
    parameters = {"since": since, "troubled": [status.value for status in _TROUBLED]}
    return [row[0] for row in raw_rows(_NEWS, parameters)]
