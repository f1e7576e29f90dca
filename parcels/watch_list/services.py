"""Refresh the watch list: read parcels, apply the rules and store the items."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from alliance.database.at_home import rows_at_home, rows_by_shard
from alliance.database.cluster import shard_keys
from alliance.database.literals import texts
from alliance.database.work_shares import Outages
from alliance.identifiers import parcel_id_at
from alliance.locks import Lock, try_to_take
from alliance.models import Heartbeat
from alliance.tenancy import Scope, scope
from parcels.choices import ParcelStatus
from parcels.scans.rules import STATUS_OF_CODE, TERMINAL
from parcels.watch_list.sql import NEWS, SEEN, SIGHTINGS
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

_TROUBLED: Final = [status.value for status in (ParcelStatus.EXCEPTION, ParcelStatus.ATTEMPT_FAILED)]
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
    is valid for its parcels, and the next refresh checks all of them again. If a node of the cluster is down,
    the shards of the others are refreshed before OperationalError is raised.
    """
    with scope(Scope.everything()):
        if not try_to_take(Lock.REFRESH_WATCH_LIST):
            return Refreshed(busy=True)
        last = Heartbeat.objects.filter(name=HEARTBEAT).first()
        tiers = dict(ServiceTier.objects.values_list("pk", "code"))
    # Of the release before: without it, its refreshes would read the whole outbox.
    position = last.detail.get("outbox", []) if last else []
    work = _Work(now=now, last=last.at if last else None, limit=limit, tiers=tiers)
    done, outages = Refreshed(), Outages()
    for home in shard_keys():
        with outages.noted():
            done = work.refresh(home, done)
        if done.busy:
            return done
    outages.raise_first()
    Heartbeat.objects.update_or_create(
        name=HEARTBEAT,
        defaults={"at": now, "detail": {"parcels": done.parcels, "listed": done.listed, "outbox": position}},
    )
    return done


class _Work:
    """A refresh, shard by shard."""

    def __init__(self, *, now: datetime, last: datetime | None, limit: int, tiers: Mapping[int, str]) -> None:
        self._now, self._last, self._limit, self._tiers = now, last, limit, tiers
        self._curves = Curves(now=now, renewing=True)

    def refresh(self, home: int, done: Refreshed) -> Refreshed:
        """Refresh the parcels of one shard; return the counts with what was counted before."""
        with scope(Scope.everything()):
            ids = self._candidates(home)
        for start in range(0, len(ids), self._limit):
            slice_ids = ids[start : start + self._limit]
            with scope(Scope.everything()):
                if not try_to_take(Lock.REFRESH_WATCH_LIST):
                    return done._replace(busy=True)
                stored = store_watch_items(
                    parcel_ids=slice_ids,
                    sightings=sightings(slice_ids),
                    curves=self._curves,
                    tiers=self._tiers,
                    now=self._now,
                )
            done = Refreshed(
                done.parcels + len(slice_ids),
                done.listed + stored.listed,
                done.removed + stored.removed,
                done.slices + 1,
            )
        return done

    def _candidates(self, home: int) -> list[int]:
        now, last = self._now, self._last
        since = last - _EVENT_OVERLAP if last else now - _OLDEST
        news = rows_at_home(NEWS, {"home": home, "since": since, "troubled": texts(_TROUBLED)})
        silent = rows_at_home(SEEN, _perhaps_silent(home, last or now - _FIRST_LOOK, now))
        return sorted(
            {
                *watch_candidates(home=home, now=now, last=last),
                *(parcel for (parcel,) in [*news, *silent]),
            }
        )


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
    comes_back: bool,
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
        # Nor does one that was refused and comes back under another number.
        is_over=is_lost or comes_back or status in _OVER,
        is_failed=status == ParcelStatus.ATTEMPT_FAILED,
        is_held=status == ParcelStatus.EXCEPTION,
        contradicted_at=contradicted_at,
    )


def _perhaps_silent(home: int, last: datetime, now: datetime) -> dict[str, Any]:
    """Of parcels whose last scan may be a day ago: they may have become silent since the last refresh."""
    since = last - _OVERLAP
    return {
        "home": home,
        "first": since - SILENT_AFTER_OTHERWISE,
        "last": now - SILENT_AFTER_OTHERWISE,
        "since": since,
        "oldest": parcel_id_at(now - _OLDEST),
        "final": texts(_FINAL),
    }
