"""When a parcel will be picked up and delivered: the one rule that all interfaces use.

Pure: no database, no clock. Weekdays are Python's, Monday is 0.

1. **Handling day.** The first day, from the origin's local date of the later of ready and
   booked, on which the tier works and the origin is open, whose cut-off has not passed
   when the parcel is booked, and whose pickup deadline is not before the parcel is ready.
   A cut-off is wall clock at the origin, may lie on an earlier day than the handling day,
   and is kept by a booking made at exactly that time.
2. **Landing day.** `days_in_transit` days after it, in the destination's calendar, counting
   only days on which the tier delivers, the destination is open and the delivery deadline
   lies after the pickup deadline. With no days in transit: the first such day from the handling day on.
3. **Deadlines** are wall clock, pickup at the origin, delivery at the destination. For changes of
   clocks see wall_clock() in alliance/clocks.py. A deadline within closed hours moves to after them,
   see reopening() in slas/promises/closures.py; a day with too little left after them does not count.
   Whether a parcel is ready for a pickup, or a delivery lies after it, is decided by the day's usual
   deadline: closed hours give couriers time, and never give a parcel an earlier day.

Hence a later parcel is never promised earlier, and a closure never makes a promise earlier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext

from alliance.clocks import ONE_DAY, day_exists, local_clock, wall_clock
from slas.choices import ClosureSide, NoPromiseReason, TierCode
from slas.promises.closures import ClosureCalendar, Hours, Place, Reopening
from slas.promises.holidays import COUNTRY, MAKE_UP_DAYS

# Dates further ahead are more likely typing errors than plans.
MOST_AHEAD = timedelta(days=3 * 366)


# How many later pickup days are tried when all couriers are full.
LATER_DAYS = 7


# How many days in a row may fail before the answer is "no promise".
SEARCH_DAYS = 60
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class CutOff:
    """The booking cut-off for one day's pickup; offset -1 is the day before."""

    time: time
    day_offset: int = 0

    def __post_init__(self) -> None:
        if not -7 <= self.day_offset <= 0:
            raise ValueError(gettext("A cut-off must be on the same day or up to seven days before."))


@dataclass(frozen=True, slots=True)
class TierRule:
    """One version of a tier's rules."""

    code: TierCode
    version: int
    cut_offs: Mapping[int, CutOff | None]
    pickup_by: time
    deliver_by: time
    days_in_transit: int
    pickup_weekdays: frozenset[int] = EVERY_DAY
    delivery_weekdays: frozenset[int] = EVERY_DAY
    works_on_holidays: bool = True

    def __post_init__(self) -> None:
        if self.days_in_transit < 0:
            raise ValueError(gettext("Days in transit cannot be negative."))
        if not EVERY_DAY.issuperset({*self.cut_offs, *self.pickup_weekdays, *self.delivery_weekdays}):
            raise ValueError("Weekdays run from 0 (Monday) to 6 (Sunday)")
        if any(c.day_offset == 0 and c.time > self.pickup_by for c in self.cut_offs.values() if c):
            raise ValueError(gettext("A cut-off on the same day must not be after the pickup deadline."))

    @property
    def picks_up(self) -> bool:
        return any(self.cut_offs.get(weekday) for weekday in self.pickup_weekdays)


class StepCode(StrEnum):
    """The meaning of a step of a promise. Stored and sent: never rename."""

    BOOKED = "booked"  # at, day: at the origin
    READY = "ready"  # same; left out when it is the moment of booking
    CUT_OFF_KEPT = "cut_off_kept"  # at: the cut-off, day: the day it is for
    CUT_OFF_MISSED = "cut_off_missed"  # same
    READY_TOO_LATE = "ready_too_late"  # at: the pickup deadline missed, day: its day
    NO_PICKUP_DAY = "no_pickup_day"  # day: the tier does not pick up on it
    ORIGIN_CLOSED = "origin_closed"  # day, closure: its name
    ORIGIN_CUT_SHORT = "origin_cut_short"  # day, hours, closure: too little of it is left after them
    ORIGIN_REOPENS = "origin_reopens"  # day, hours, closure, at: the deadline after them
    PICKUP_BY = "pickup_by"  # at, day
    DAYS_IN_TRANSIT = "days_in_transit"  # days
    NO_DELIVERY_DAY = "no_delivery_day"  # day: the tier does not deliver on it
    DESTINATION_CLOSED = "destination_closed"  # day, closure: its name
    DESTINATION_CUT_SHORT = "destination_cut_short"  # as at the origin
    DESTINATION_REOPENS = "destination_reopens"  # as at the origin
    BEFORE_PICKUP = "before_pickup"  # at: a delivery deadline before the pickup's, day: its day
    NO_SUCH_DAY = "no_such_day"  # day: skipped by the calendar there (date line)
    DELIVER_BY = "deliver_by"  # at, day
    NEW_RULES = "new_rules"  # at: the last moment of booking, as announced rules apply by then


# Steps that say why a parcel is not picked up on a day.
PICKUP_REFUSALS = frozenset(
    {
        StepCode.CUT_OFF_MISSED,
        StepCode.READY_TOO_LATE,
        StepCode.NO_PICKUP_DAY,
        StepCode.ORIGIN_CLOSED,
        StepCode.ORIGIN_CUT_SHORT,
    }
)


class Step(NamedTuple):
    """One sentence of the explanation, worded later in the reader's language."""

    code: StepCode
    day: date | None = None
    at: datetime | None = None
    days: int | None = None
    closure: str = ""
    hours: tuple[Hours, ...] = ()
    # The day is a weekend day on which the country works to make up for a holiday.
    is_make_up: bool = False


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as it is frozen in a booking. Times carry the UTC offset of the end they belong to.

    `rolled_days` counts from the requested local day to the handling day; `cut_off_at` is the cut-off of the
    handling day.
    """

    ready_at: datetime
    requested_date: date
    effective_date: date
    rolled_days: int
    cut_off_at: datetime
    pickup_by: datetime
    deliver_by: datetime
    version: int
    steps: tuple[Step, ...]

    @property
    def rolled(self) -> bool:
        return self.rolled_days > 0


class NoPromise(Exception):
    """No promise is possible. Callers show `reason.label`."""

    def __init__(self, reason: NoPromiseReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def promise(
    tier: TierRule,
    origin: Place,
    destination: Place,
    ready_at: datetime,
    closures: ClosureCalendar,
    *,
    booked_at: datetime | None = None,
) -> Promise:
    """Promise when a parcel ready at `ready_at` is picked up and delivered, with the steps that explain it.

    The booking must keep the cut-off, the parcel the pickup deadline. Without `booked_at` it counts as booked
    when it is ready. Raises NoPromise, and ValueError for a time without an offset.
    """
    steps: list[Step] = []
    try:
        request = _request(origin, ready_at, booked_at)
        handling = _find_handling(tier, origin, request, closures, steps)
        deliver_by = _find_landing(tier, destination, handling, closures, steps)
    except OverflowError:
        raise NoPromise(NoPromiseReason.OUT_OF_RANGE) from None
    return Promise(
        ready_at=ready_at,
        requested_date=request.day,
        effective_date=handling.day,
        rolled_days=(handling.day - request.day).days,
        cut_off_at=handling.cut_off_at,
        pickup_by=handling.pickup_by,
        deliver_by=deliver_by,
        version=tier.version,
        steps=tuple(steps),
    )


class _Request(NamedTuple):
    booked: datetime
    ready: datetime

    @property
    def day(self) -> date:
        return self.ready.date()


class _Handling(NamedTuple):
    day: date
    cut_off_at: datetime
    usual_deadline: datetime
    reopening: Reopening | None = None

    @property
    def pickup_by(self) -> datetime:
        return _effective_deadline(self.usual_deadline, self.reopening)


class _Landing(NamedTuple):
    usual_deadline: datetime
    reopening: Reopening | None = None

    @property
    def deliver_by(self) -> datetime:
        return _effective_deadline(self.usual_deadline, self.reopening)


def _request(origin: Place, ready_at: datetime, booked_at: datetime | None) -> _Request:
    """Both times in the origin's zone. A parcel is not ready before it is booked."""
    booked = local_clock(ready_at if booked_at is None else booked_at, origin.zone)
    return _Request(booked, max(local_clock(ready_at, origin.zone), booked))


def _find_handling(
    tier: TierRule, origin: Place, request: _Request, closures: ClosureCalendar, steps: list[Step]
) -> _Handling:
    steps.append(Step(StepCode.BOOKED, request.booked.date(), request.booked))
    if request.ready != request.booked:
        steps.append(Step(StepCode.READY, request.day, request.ready))
    for ahead in range(SEARCH_DAYS):
        result = _pickup_on(tier, origin, request.day + ahead * ONE_DAY, request, closures)
        if isinstance(result, _Handling):
            steps.append(Step(StepCode.CUT_OFF_KEPT, result.day, result.cut_off_at))
            steps += _reopening_steps(StepCode.ORIGIN_REOPENS, result.day, result.reopening)
            is_make_up = _is_make_up(origin, result.day)
            steps.append(Step(StepCode.PICKUP_BY, result.day, result.pickup_by, is_make_up=is_make_up))
            return result
        steps.append(result)
    raise NoPromise(NoPromiseReason.ORIGIN_CLOSED if tier.picks_up else NoPromiseReason.TIER_NEVER_RUNS)


def _pickup_on(
    tier: TierRule, origin: Place, day: date, request: _Request, closures: ClosureCalendar
) -> _Handling | Step:
    """The handling on that day, or the step that says why it is not possible."""
    cut_off = tier.cut_offs.get(day.weekday())
    if cut_off is None or day.weekday() not in tier.pickup_weekdays:
        return Step(StepCode.NO_PICKUP_DAY, day, is_make_up=_is_make_up(origin, day))
    if not day_exists(day, origin.zone):
        return Step(StepCode.NO_SUCH_DAY, day)
    closure = closures.closure(origin, day, ClosureSide.ORIGIN, tier.works_on_holidays)
    if closure is not None:
        return Step(StepCode.ORIGIN_CLOSED, day, closure=closure.name)
    cut_off_at = wall_clock(day + cut_off.day_offset * ONE_DAY, cut_off.time, origin.zone)
    if request.booked > cut_off_at:
        return Step(StepCode.CUT_OFF_MISSED, day, cut_off_at)
    pickup_by = wall_clock(day, tier.pickup_by, origin.zone)
    if request.ready > pickup_by:
        return Step(StepCode.READY_TOO_LATE, day, pickup_by)
    reopening = closures.reopening(origin, pickup_by, day, ClosureSide.ORIGIN, tier.works_on_holidays)
    if reopening is not None and reopening.at is None:
        return _cut_short(StepCode.ORIGIN_CUT_SHORT, day, reopening)
    return _Handling(day, cut_off_at, pickup_by, reopening)


def _is_make_up(place: Place, day: date) -> bool:
    return place.country == COUNTRY and day in MAKE_UP_DAYS


def _effective_deadline(usual_deadline: datetime, reopening: Reopening | None) -> datetime:
    return usual_deadline if reopening is None or reopening.at is None else reopening.at


def _cut_short(code: StepCode, day: date, reopening: Reopening) -> Step:
    return Step(code, day, closure=reopening.name, hours=reopening.hours)


def _reopening_steps(code: StepCode, day: date, reopening: Reopening | None) -> list[Step]:
    """The step that says closed hours moved a deadline, if they did."""
    if reopening is None:
        return []
    return [Step(code, day, reopening.at, closure=reopening.name, hours=reopening.hours)]


def _find_landing(
    tier: TierRule, destination: Place, handling: _Handling, closures: ClosureCalendar, steps: list[Step]
) -> datetime:
    """The delivery deadline, counting days as rule 2 of the module says."""
    steps.append(Step(StepCode.DAYS_IN_TRANSIT, days=tier.days_in_transit))
    days_left = max(tier.days_in_transit, 1)
    day = handling.day + min(tier.days_in_transit, 1) * ONE_DAY
    for _ in range(SEARCH_DAYS + tier.days_in_transit):
        result = _delivery_on(tier, destination, day, handling, closures)
        if isinstance(result, Step):
            steps.append(result)
        elif days_left == 1:
            steps += _reopening_steps(StepCode.DESTINATION_REOPENS, day, result.reopening)
            is_make_up = _is_make_up(destination, day)
            steps.append(Step(StepCode.DELIVER_BY, day, result.deliver_by, is_make_up=is_make_up))
            return result.deliver_by
        else:
            days_left -= 1
        day += ONE_DAY
    raise NoPromise(
        NoPromiseReason.DESTINATION_CLOSED if tier.delivery_weekdays else NoPromiseReason.TIER_NEVER_RUNS
    )


def _delivery_on(
    tier: TierRule, destination: Place, day: date, handling: _Handling, closures: ClosureCalendar
) -> _Landing | Step:
    """The delivery deadline of that day, or the step that says why the day does not count."""
    if day.weekday() not in tier.delivery_weekdays:
        return Step(StepCode.NO_DELIVERY_DAY, day, is_make_up=_is_make_up(destination, day))
    if not day_exists(day, destination.zone):
        return Step(StepCode.NO_SUCH_DAY, day)
    closure = closures.closure(destination, day, ClosureSide.DESTINATION, tier.works_on_holidays)
    if closure is not None:
        return Step(StepCode.DESTINATION_CLOSED, day, closure=closure.name)
    deliver_by = wall_clock(day, tier.deliver_by, destination.zone)
    if deliver_by <= handling.pickup_by:
        return Step(StepCode.BEFORE_PICKUP, day, deliver_by)
    reopening = closures.reopening(
        destination, deliver_by, day, ClosureSide.DESTINATION, tier.works_on_holidays
    )
    if reopening is not None and reopening.at is None:
        return _cut_short(StepCode.DESTINATION_CUT_SHORT, day, reopening)
    return _Landing(deliver_by, reopening)


def day_after(full: Promise, promise_at: Callable[[datetime], Promise], zone: str) -> Promise:
    """The promise of the next pickup day: as if the parcel were ready when that day begins.

    `promise_at` gives the promise of a parcel ready at a moment, `zone` is the origin's.
    """
    midnight = wall_clock(full.effective_date + timedelta(days=1), time(0), zone)
    later = promise_at(midnight)
    return replace(
        later,
        ready_at=full.ready_at,
        requested_date=full.requested_date,
        rolled_days=(later.effective_date - full.requested_date).days,
        steps=_without_ready(full.steps, later.steps),
    )


def _without_ready(earlier: tuple[Step, ...], later: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps of the later day, beginning with the real ready time and the refusals of days before."""
    opening = (StepCode.BOOKED, StepCode.READY)
    opening_steps = tuple(step for step in earlier if step.code in {*opening, *PICKUP_REFUSALS})
    return opening_steps + tuple(step for step in later if step.code not in opening)
