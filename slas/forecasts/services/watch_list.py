"""The watch list: computed from sightings of parcels, stored one row per reason, and counted.

The caller supplies the state of the parcels; see `slas.forecasts.watch_rules` for the rules.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from alliance.database.literals import moments, numbers
from alliance.database.written_once import WrittenOnce
from alliance.figures import kept
from alliance.tenancy import Actor, raw_rows
from slas.choices import WatchReason
from slas.forecasts.curves import Curves
from slas.forecasts.models import WatchItem
from slas.forecasts.querysets import WatchItemQuerySet
from slas.forecasts.rules import Forecast
from slas.forecasts.watch_rules import HORIZON, LOOK_BACK, NEAR, TURNS, Sighting, reasons_for, turns_since

# The limit of a count, shown as "so many, or more": longer lists are not read to the end.
MOST_COUNTED: Final = 1_000

# Uses partial indexes of open rows, so the cost follows what is due and what is on the list. The index of
# overdue rows has the courier before the due time: PostgreSQL skips through it.
_CANDIDATES: Final = f"""
SELECT parcel_id FROM slas_commitment
WHERE outcome = 'pending' AND due_at <= %(until)s AND (kind = 'delivery' OR due_at < %(now)s)
    AND (due_at <= %(near)s OR mod(parcel_id, {TURNS}) = ANY(%(turns)s))
UNION SELECT parcel_id FROM slas_commitment WHERE outcome = 'overdue' AND due_at > %(since)s
UNION SELECT parcel_id FROM slas_watchitem
WHERE reason <> 'at_risk' OR due_at <= %(near)s OR mod(parcel_id, {TURNS}) = ANY(%(turns)s)
ORDER BY 1
"""  # noqa: S608 -- built of constants
_STORE: Final = """
INSERT INTO slas_watchitem (parcel_id, reason, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, stage, stage_at, chance, p50_at, p90_at, is_in_trouble, refreshed_at)
SELECT *, %(now)s FROM unnest(%(parcel_id)s::bigint[], %(reason)s::text[], %(merchant_id)s::bigint[],
    %(courier_id)s::bigint[], %(tier_id)s::int[], %(origin_id)s::int[], %(destination_id)s::int[],
    %(due_at)s::timestamptz[], %(stage)s::text[], %(stage_at)s::timestamptz[], %(chance)s::float8[],
    %(p50_at)s::timestamptz[], %(p90_at)s::timestamptz[], %(is_in_trouble)s::boolean[])
ON CONFLICT (parcel_id, reason) DO UPDATE SET due_at = excluded.due_at, stage = excluded.stage,
    stage_at = excluded.stage_at, chance = excluded.chance, p50_at = excluded.p50_at,
    p90_at = excluded.p90_at, is_in_trouble = excluded.is_in_trouble, refreshed_at = excluded.refreshed_at
"""
# Rows of these parcels that were not stored just now no longer hold.
_CLEAR: Final = """
DELETE FROM slas_watchitem WHERE parcel_id = ANY(%(ids)s::bigint[]) AND refreshed_at <> %(now)s
"""


class Stored(NamedTuple):
    """How many reasons are listed now, and how many were removed."""

    listed: int
    removed: int


def watch_candidates(*, now: datetime, last: datetime | None) -> list[int]:
    """Return the ids of parcels that may have to be watched or are on the list already.

    Parcels that only have a chance of lateness and are not due within NEAR are checked in turns: those whose
    turn came since the last refresh are included.
    """
    parameters = {
        "now": now,
        "until": now + HORIZON,
        "since": now - LOOK_BACK,
        "near": now + NEAR,
        "turns": turns_since(last, now),
    }
    return [row[0] for row in raw_rows(_CANDIDATES, parameters)]


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
        raw_rows(_STORE, {"now": now, **_columns(rows, now)})
    removed = raw_rows(_CLEAR + "RETURNING 1", {"ids": numbers(parcel_ids), "now": now})
    return Stored(len(rows), len(removed))


def count_watched(*, actor: Actor, found: WatchItemQuerySet | None = None) -> int:
    """Count the parcels on an actor's watch list, up to MOST_COUNTED."""
    organisation_id = actor.organisation_id
    if found is None and organisation_id is not None and not actor.is_ops:
        # On nearly every page of the portal.
        watched = _watched_by(actor.organisation_kind)
        return kept("watched", actor, lambda: watched.count(organisation_id), otherwise=0)
    rows = WatchItem.objects.visible_to(actor).needing_a_look() if found is None else found
    count: int = _parcels(rows).count()
    return count


def _parcels(rows: WatchItemQuerySet) -> QuerySet[Any, Any]:
    return rows.order_by().values("parcel_id").distinct()[:MOST_COUNTED]


@cache
def _watched_by(kind: str) -> WrittenOnce[WatchItem]:
    def watched(organisation_id: int) -> QuerySet[Any, Any]:
        actor = Actor(organisation_kind=kind, organisation_id=organisation_id)
        return _parcels(WatchItem.objects.visible_to(actor).needing_a_look())

    return WrittenOnce(watched)


def _columns(rows: Sequence[tuple[Sighting, WatchReason, Forecast | None]], now: datetime) -> dict[str, Any]:
    sightings = [row[0] for row in rows]
    forecasts = [row[2] for row in rows]
    return {
        "parcel_id": numbers(item.parcel_id for item in sightings),
        "reason": [reason.value for _sighting, reason, _forecast in rows],
        "merchant_id": numbers(item.merchant_id for item in sightings),
        "courier_id": numbers(item.courier_id for item in sightings),
        "tier_id": numbers(item.tier_id for item in sightings),
        "origin_id": numbers(item.origin_id for item in sightings),
        "destination_id": numbers(item.destination_id for item in sightings),
        "due_at": moments(item.due_at for item in sightings),
        "stage": [item.stage[0].value for item in sightings],
        "stage_at": moments(item.stage[1] for item in sightings),
        "chance": [item.chance(forecast, now) for item, _reason, forecast in rows],
        "p50_at": moments(item.p50_at if item else None for item in forecasts),
        "p90_at": moments(item.p90_at if item else None for item in forecasts),
        "is_in_trouble": [item.is_in_trouble for item in sightings],
    }
