"""Which parcels should be watched, and why. Pure: sightings in, reasons out.

The reasons are those that parcel monitoring services use; the time limits are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from slas.choices import Outcome, Stage, TierCode, WatchReason
from slas.commitments.landmarks import Journey
from slas.forecasts.rules import WORTH_A_LOOK, Forecast, Position

# Only parcels due within this time are forecast.
HORIZON: Final = timedelta(hours=24)
# Parcels due within this time, or past due, are checked in every refresh. Parcels due later are checked in
# turns, one of TURNS a refresh: their chances change slowly, and checking them was most of the workers' load.
NEAR: Final = timedelta(hours=3)
REFRESH: Final = timedelta(minutes=5)
TURNS: Final = 6
# Parcels past due for longer are left to claims and cases.
LOOK_BACK: Final = timedelta(days=30)
# No pickup and no scan for this long: the parcel was overlooked.
FORGOTTEN_AFTER: Final = timedelta(hours=24)
# A same-day parcel may go at most half a day without a scan.
SILENT_AFTER: Final = {TierCode.SAME_DAY.value: timedelta(hours=6)}
SILENT_AFTER_OTHERWISE: Final = timedelta(hours=24)
# How long a contradiction is listed after the last scan that showed it.
CONTRADICTED_FOR: Final = timedelta(days=7)

# A held or damaged parcel, and one whose attempt failed without counting, do not travel as those that a
# forecast goes by. Not measured: they are late unless somebody acts, so they must not look safe.
LEAST_IF_HELD: Final = 0.9
LEAST_IF_FAILED: Final = 0.5

# Order of reasons of one parcel, the most urgent first.
URGENCY: Final = (
    WatchReason.CONTRADICTION,
    WatchReason.EXCEPTION,
    WatchReason.FAILED_ATTEMPT,
    WatchReason.DELAYED,
    WatchReason.FORGOTTEN,
    WatchReason.DELAYED_DISPATCH,
    WatchReason.SILENT,
    WatchReason.AT_RISK,
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A parcel as its scans show it, with its delivery promise."""

    parcel_id: int
    merchant_id: int
    courier_id: int
    tier_id: int
    origin_id: int
    destination_id: int
    journey: Journey
    booked_at: datetime
    pickup_by: datetime | None
    last_scan_at: datetime | None
    due_at: datetime
    outcome: Outcome
    # The due time of a later day agreed on, if any.
    agreed_at: datetime | None = None
    # The courier has nothing left to do: delivered, returned, lost, or waiting to be collected.
    is_over: bool = False
    is_failed: bool = False
    is_held: bool = False
    # When a scan last contradicted its status or another scan.
    contradicted_at: datetime | None = None

    @property
    def stage(self) -> tuple[Stage, datetime]:
        stage, since = self.journey.furthest
        return stage, since or self.booked_at

    @property
    def awaits_attempt(self) -> bool:
        return self.outcome in (Outcome.PENDING, Outcome.OVERDUE) and not self.is_over

    @property
    def is_in_trouble(self) -> bool:
        """Whether something went wrong that time does not mend. Ends the forecast."""
        return self.is_held or self.is_failed

    @property
    def position(self) -> Position:
        return Position(
            self.tier_id,
            self.courier_id,
            self.origin_id,
            self.destination_id,
            self.stage[0],
            self.agreed_at or self.due_at,
            self.due_at,
        )

    def is_due_soon(self, now: datetime) -> bool:
        return self.awaits_attempt and now <= self.due_at <= now + HORIZON

    def chance(self, forecast: Forecast | None, now: datetime) -> float:
        """The chance that it is late: 0 or 1 once it was attempted or is past due."""
        if self.outcome in (Outcome.LATE, Outcome.OVERDUE) or (self.awaits_attempt and self.due_at < now):
            return 1.0
        if not self.awaits_attempt:
            return 0.0
        least = LEAST_IF_HELD if self.is_held else LEAST_IF_FAILED if self.is_failed else 0.0
        return max((forecast and forecast.chance) or 0.0, least)


def silent_after(tier: str) -> timedelta:
    """How long a parcel of a tier may go without a scan."""
    return SILENT_AFTER.get(tier, SILENT_AFTER_OTHERWISE)


def turns_since(last: datetime | None, now: datetime) -> list[int]:
    """Return the turns since the last refresh: all if it was half an hour ago, or there was none."""
    if last is None:
        return list(range(TURNS))
    last_tick, tick_now = _refreshes(last), _refreshes(now)
    if not 0 <= tick_now - last_tick < TURNS:
        return list(range(TURNS))
    return sorted(tick % TURNS for tick in range(last_tick + 1, tick_now + 1))


def _refreshes(at: datetime) -> int:
    return int(at.timestamp() // REFRESH.total_seconds())


def reasons_for(
    sighting: Sighting, forecast: Forecast | None, *, tier: str, now: datetime
) -> Iterator[WatchReason]:
    """Yield the reasons to watch a parcel; none if it need not be watched."""
    if sighting.contradicted_at is not None and now - sighting.contradicted_at <= CONTRADICTED_FOR:
        yield WatchReason.CONTRADICTION
    if sighting.is_over or sighting.outcome == Outcome.VOID or sighting.due_at < now - LOOK_BACK:
        return
    if sighting.journey.picked_up_at is None:
        yield from _not_picked_up(sighting, now)
    elif now - (sighting.last_scan_at or sighting.journey.picked_up_at) > silent_after(tier):
        yield WatchReason.SILENT
    if sighting.is_failed:
        yield WatchReason.FAILED_ATTEMPT
    if sighting.is_held:
        yield WatchReason.EXCEPTION
    if sighting.awaits_attempt and sighting.due_at < now:
        yield WatchReason.DELAYED
    elif (
        sighting.is_due_soon(now)
        and not sighting.is_in_trouble
        and sighting.chance(forecast, now) >= WORTH_A_LOOK
    ):
        yield WatchReason.AT_RISK


def _not_picked_up(sighting: Sighting, now: datetime) -> Iterator[WatchReason]:
    if sighting.pickup_by is None or now <= sighting.pickup_by:
        return
    overlooked = sighting.last_scan_at is None and now - sighting.pickup_by > FORGOTTEN_AFTER
    yield WatchReason.FORGOTTEN if overlooked else WatchReason.DELAYED_DISPATCH
