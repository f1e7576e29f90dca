"""Which parcels should be looked at, and why. Pure: what parcels tell of themselves in, reasons out.

Reasons as in metrics.md, section 3 [parcelLab]; how long is too long is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from slas.choices import Outcome, Stage, TierCode, WatchReason
from slas.commitments.landmarks import Journey
from slas.forecasts.rules import WORTH_A_LOOK, Forecast, Position

# Forecasts are made of what is due so soon.
HORIZON: Final = timedelta(hours=24)
# What is due within this, or past due, is looked at in every refresh. What is due later comes in turns, one
# of TURNS a refresh: chances change slowly there, and looking was most of all that workers did.
NEAR: Final = timedelta(hours=3)
REFRESH: Final = timedelta(minutes=5)
TURNS: Final = 6
# Past due for longer than this is for claims and cases, not for today's work.
LOOK_BACK: Final = timedelta(days=30)
# Nobody came, nobody scanned: not late any more but overlooked.
FORGOTTEN_AFTER: Final = timedelta(hours=24)
# A parcel of a day may not be out of sight for half of it.
SILENT_AFTER: Final = {TierCode.SAME_DAY.value: timedelta(hours=6)}
SILENT_AFTER_OTHERWISE: Final = timedelta(hours=24)

# What is seen to first, where a parcel has several reasons.
URGENCY: Final = (
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
    """One parcel as its scans show it, with what was promised of its delivery."""

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
    # A later day agreed on, if any.
    agreed_at: datetime | None = None
    # Nothing more is expected of the courier: handed over, given back, lost, or waiting to be collected.
    is_over: bool = False
    is_failed: bool = False
    is_held: bool = False

    @property
    def stage(self) -> tuple[Stage, datetime]:
        """How far it has come, and since when."""
        stage, since = self.journey.furthest
        return stage, since or self.booked_at

    @property
    def awaits_attempt(self) -> bool:
        return self.outcome in (Outcome.PENDING, Outcome.OVERDUE) and not self.is_over

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
        """Whether it can still be on time, and not for long."""
        return self.awaits_attempt and now <= self.due_at <= now + HORIZON

    def chance(self, forecast: Forecast | None, now: datetime) -> float:
        """How likely it is late: certain either way once it was attempted, or is past due."""
        if self.outcome in (Outcome.LATE, Outcome.OVERDUE) or (self.awaits_attempt and self.due_at < now):
            return 1.0
        return (forecast.chance or 0.0) if forecast and self.awaits_attempt else 0.0


def turns_since(last: datetime | None, now: datetime) -> list[int]:
    """Return the turns that have come since the last refresh: all when it was half an hour ago, or never."""
    if last is None:
        return list(range(TURNS))
    passed, reached = _refreshes(last), _refreshes(now)
    if not 0 <= reached - passed < TURNS:
        return list(range(TURNS))
    return sorted(tick % TURNS for tick in range(passed + 1, reached + 1))


def _refreshes(at: datetime) -> int:
    return int(at.timestamp() // REFRESH.total_seconds())


def reasons_for(
    seen: Sighting, forecast: Forecast | None, *, tier: str, now: datetime
) -> Iterator[WatchReason]:
    """Say why a parcel should be looked at; nothing when it need not be."""
    if seen.is_over or seen.outcome == Outcome.VOID or seen.due_at < now - LOOK_BACK:
        return
    if seen.journey.picked_up_at is None:
        yield from _not_picked_up(seen, now)
    elif now - (seen.last_scan_at or seen.journey.picked_up_at) > SILENT_AFTER.get(
        tier, SILENT_AFTER_OTHERWISE
    ):
        yield WatchReason.SILENT
    if seen.is_failed:
        yield WatchReason.FAILED_ATTEMPT
    if seen.is_held:
        yield WatchReason.EXCEPTION
    if seen.awaits_attempt and seen.due_at < now:
        yield WatchReason.DELAYED
    elif seen.is_due_soon(now) and seen.chance(forecast, now) >= WORTH_A_LOOK:
        yield WatchReason.AT_RISK


def _not_picked_up(seen: Sighting, now: datetime) -> Iterator[WatchReason]:
    if seen.pickup_by is None or now <= seen.pickup_by:
        return
    overlooked = seen.last_scan_at is None and now - seen.pickup_by > FORGOTTEN_AFTER
    yield WatchReason.FORGOTTEN if overlooked else WatchReason.DELAYED_DISPATCH
