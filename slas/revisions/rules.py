"""The later days a delivery can be moved to. Pure: no database, no clock.

A day counts when the tier delivers on it, the destination is open, and its delivery deadline, wall clock
there, lies after the current one and in the future.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from alliance.clocks import ONE_DAY, day_exists, local_clock, wall_clock
from slas.choices import ClosureSide
from slas.promises.closures import ClosureCalendar, Place
from slas.promises.rules import Step, StepCode, TierRule

# How far a delivery can be moved at once, counted from the current due day (from today if that has passed).
MOST_DAYS_ON = 30


class DeliveryDay(NamedTuple):
    """A local day at the destination, with its delivery deadline."""

    day: date
    due_at: datetime


class Span(NamedTuple):
    """The first and the last day a delivery can be moved to, both included."""

    first: date
    last: date


def delivery_on(tier: TierRule, destination: Place, day: date, closures: ClosureCalendar) -> datetime | Step:
    """The delivery deadline of that day, or the step that says why there is none."""
    if day.weekday() not in tier.delivery_weekdays:
        return Step(StepCode.NO_DELIVERY_DAY, day)
    if not day_exists(day, destination.zone):
        return Step(StepCode.NO_SUCH_DAY, day)
    side, on_holidays = ClosureSide.DESTINATION, tier.works_on_holidays
    closure = closures.closure(destination, day, side, on_holidays)
    if closure is not None:
        return Step(StepCode.DESTINATION_CLOSED, day, closure=closure.name)
    deadline = wall_clock(day, tier.deliver_by, destination.zone)
    hours = closures.reopening(destination, deadline, day, side, on_holidays)
    if hours is None:
        return deadline
    if hours.at is None:
        return Step(StepCode.DESTINATION_CUT_SHORT, day, closure=hours.name, hours=hours.hours)
    return hours.at


def span_after(current_due_at: datetime, now: datetime, zone: str) -> Span:
    """The days to consider after the current due day."""
    today, current_day = local_clock(now, zone).date(), local_clock(current_due_at, zone).date()
    first = max(current_day + ONE_DAY, today)
    return Span(first, max(current_day, today) + MOST_DAYS_ON * ONE_DAY)


def possible_days(
    tier: TierRule, destination: Place, closures: ClosureCalendar, *, current_due_at: datetime, now: datetime
) -> Iterator[DeliveryDay]:
    """Yield the days a delivery can be moved to, the earliest first."""
    span = span_after(current_due_at, now, destination.zone)
    for ahead in range((span.last - span.first).days + 1):
        day = span.first + ahead * ONE_DAY
        due_at = delivery_on(tier, destination, day, closures)
        if isinstance(due_at, datetime) and due_at > max(current_due_at, now):
            yield DeliveryDay(day, due_at)
