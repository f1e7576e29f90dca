"""The watch list: computed from sightings of parcels, stored one row per reason, and counted.

The caller supplies the state of the parcels; see `slas.forecasts.watch_rules` for the rules.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, NamedTuple

from django.db.models import Count, QuerySet, Value

from alliance.database.at_home import Columns, rows_at_home, rows_by_shard
from alliance.database.cluster import is_distributed
from alliance.database.literals import moments, numbers, texts
from alliance.database.written_once import WrittenOnce
from alliance.figures import kept
from alliance.tenancy import Actor
from couriers.homes.lists import told_at_homes
from slas.choices import WatchReason
from slas.forecasts.curves import Curves
from slas.forecasts.models import WatchItem
from slas.forecasts.querysets import WatchItemQuerySet
from slas.forecasts.rules import Forecast
from slas.forecasts.sql_watch import CANDIDATES, CLEAR, STORE
from slas.forecasts.watch_rules import HORIZON, LOOK_BACK, NEAR, Sighting, reasons_for, turns_since

# The limit of a count, shown as "so many, or more": longer lists are not read to the end.
MOST_COUNTED: Final = 1_000


class Stored(NamedTuple):
    """How many reasons are listed now, and how many were removed."""

    listed: int
    removed: int


def watch_candidates(*, home: int, now: datetime, last: datetime | None) -> list[int]:
    """Return the ids of parcels, of a shard, that may have to be watched or are on the list already.

    Parcels that only have a chance of lateness and are not due within NEAR are checked in turns: those whose
    turn came since the last refresh are included.
    """
    parameters = {
        "home": home,
        "now": now,
        "until": now + HORIZON,
        "since": now - LOOK_BACK,
        "near": now + NEAR,
        "turns": numbers(turns_since(last, now)),
    }
    return [row[0] for row in rows_at_home(CANDIDATES, parameters)]


def store_watch_items(
    *,
    parcel_ids: Sequence[int],
    sightings: Sequence[Sighting],
    curves: Curves,
    tiers: Mapping[int, str],
    now: datetime,
) -> Stored:
    """Store the reasons to watch these parcels, and remove reasons that no longer hold.

    `sightings` are those of the parcels that still exist. A replay at the same moment changes nothing.
    """
    awaiting = [
        sighting
        for sighting in sightings
        if sighting.awaits_attempt
        and not sighting.is_in_trouble
        and (
            sighting.due_at <= now + HORIZON
            or any(reasons_for(sighting, None, tier=tiers[sighting.tier_id], now=now))
        )
    ]
    curves.need((sighting.position for sighting in awaiting), now=now)
    forecasts = {sighting.parcel_id: curves.forecast(sighting.position, now=now) for sighting in awaiting}
    rows = [
        (sighting, reason, forecasts.get(sighting.parcel_id))
        for sighting in sightings
        for reason in reasons_for(
            sighting, forecasts.get(sighting.parcel_id), tier=tiers[sighting.tier_id], now=now
        )
    ]
    if rows:
        parcels = [sighting.parcel_id for sighting, _reason, _forecast in rows]
        rows_by_shard(STORE, parcels, _columns(rows, now), now=now)
    removed = rows_by_shard(CLEAR, parcel_ids, {}, now=now)
    return Stored(len(rows), sum(count for (count,) in removed))


def count_watched(*, actor: Actor, found: WatchItemQuerySet | None = None) -> int:
    """Count the parcels on an actor's watch list, up to MOST_COUNTED."""
    organisation_id = actor.organisation_id
    if found is None and organisation_id is not None and not actor.is_ops:
        # On nearly every page of the portal.
        return kept("watched", actor, partial(_count_of_member, actor, organisation_id), otherwise=0)
    return _count(WatchItem.objects.visible_to(actor).needing_a_look() if found is None else found)


def _count_of_member(actor: Actor, organisation_id: int) -> int:
    if is_distributed():
        return _count(WatchItem.objects.visible_to(actor).needing_a_look())
    return _watched_by(actor.organisation_kind).count(organisation_id)


def _count(rows: WatchItemQuerySet) -> int:
    in_all = rows.order_by().annotate(every=Value(1)).values("every")
    told = told_at_homes(in_all.annotate(parcels=Count("parcel_id", distinct=True)))
    if told is None:
        count: int = _parcels(rows).count()
        return count
    return min(sum(row["parcels"] for row in told), MOST_COUNTED)


def _parcels(rows: WatchItemQuerySet) -> QuerySet[Any, Any]:
    return rows.order_by().values("parcel_id").distinct()[:MOST_COUNTED]


@cache
def _watched_by(kind: str) -> WrittenOnce[WatchItem]:
    def watched(organisation_id: int) -> QuerySet[Any, Any]:
        actor = Actor(organisation_kind=kind, organisation_id=organisation_id)
        return _parcels(WatchItem.objects.visible_to(actor).needing_a_look())

    return WrittenOnce(watched)


def _columns(rows: Sequence[tuple[Sighting, WatchReason, Forecast | None]], now: datetime) -> Columns:
    sightings = [row[0] for row in rows]
    forecasts = [row[2] for row in rows]
    return {
        "reason": ([reason.value for _sighting, reason, _forecast in rows], texts),
        "merchant_id": ([item.merchant_id for item in sightings], numbers),
        "courier_id": ([item.courier_id for item in sightings], numbers),
        "tier_id": ([item.tier_id for item in sightings], numbers),
        "origin_id": ([item.origin_id for item in sightings], numbers),
        "destination_id": ([item.destination_id for item in sightings], numbers),
        "due_at": ([item.due_at for item in sightings], moments),
        "stage": ([item.stage[0].value for item in sightings], texts),
        "stage_at": ([item.stage[1] for item in sightings], moments),
        "chance": ([item.chance(forecast, now) for item, _reason, forecast in rows], numbers),
        "p50_at": ([item.p50_at if item else None for item in forecasts], moments),
        "p90_at": ([item.p90_at if item else None for item in forecasts], moments),
        "is_in_trouble": ([item.is_in_trouble for item in sightings], numbers),
    }
