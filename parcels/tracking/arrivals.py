"""The expected arrival of a parcel, for every door.

A forecast goes by parcels that travelled undisturbed, so it ends where something went wrong: a parcel that is
held, damaged, silent for days or long overdue is expected at no time. After an attempt that the courier
repeats by itself, the next delivery day is expected.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec
from django.utils.translation import gettext as _

from alliance.clocks import ONE_DAY, local_clock, moment_text, wall_clock
from alliance.small_tables import CITIES
from parcels.choices import ParcelStatus
from parcels.tracking.causes import Cause
from parcels.tracking.verdicts import Verdict
from slas.choices import Outcome
from slas.commitments.landmarks import STAGE_COLUMNS, Journey
from slas.forecasts.curves import Curves
from slas.forecasts.rules import Basis, Forecast, Position
from slas.promises.tiers_in_force import calendar_at, place_of, tiers_at
from slas.revisions.rules import delivery_on

# A forecast is made for these statuses; the others await no attempt, or are in trouble.
_TRAVELLING: Final = frozenset(
    {
        ParcelStatus.BOOKED,
        ParcelStatus.PICKED_UP,
        ParcelStatus.IN_TRANSIT,
        ParcelStatus.OUT_FOR_DELIVERY,
    }
)
# Beyond these a parcel is like none that the forecast goes by.
LONGEST_SILENCE: Final = timedelta(days=2)
LONGEST_OVERDUE: Final = timedelta(days=3)
# Nobody delivers at night; a promise may end later than this.
OPENS: Final = time(8)
CLOSES: Final = time(21)
# The next attempt is looked for on so many days.
_DAYS_AHEAD: Final = 14


class Precision(StrEnum):
    """How exactly an arrival is known. Sent to clients: never rename."""

    HALF_HOUR = "half_hour"
    HOUR = "hour"
    DAY = "day"


_STEPS: Final = {
    Precision.HALF_HOUR: timedelta(minutes=30),
    Precision.HOUR: timedelta(hours=1),
    Precision.DAY: timedelta(hours=1),
}


class Arrival(msgspec.Struct, frozen=True):
    """The expected next attempt: half arrive by P50, nine in ten by P90."""

    p50_at: datetime
    p90_at: datetime
    precision: Precision
    basis: Basis
    # The chance of missing the promise; None if unknown, or if the promise is settled.
    chance: float | None = None

    @property
    def is_promise(self) -> bool:
        # Too little data: the promise is the forecast.
        return self.basis == Basis.PROMISE

    @property
    def has_range(self) -> bool:
        """Whether its two times come from the parcels before it, and not from one day."""
        return self.basis not in (Basis.NEXT_ATTEMPT, Basis.ROUND)

    @property
    def basis_text(self) -> str:
        """The data it is based on, as text."""
        return {
            Basis.COURIER_LANE: _(
                "Based on this courier's parcels on this lane and service in the last 28 days."
            ),
            Basis.COURIER: _(
                "Based on this courier's parcels at this service on all its lanes in the last 28 days."
            ),
            Basis.LANE: _("Based on all couriers' parcels on this lane and service in the last 28 days."),
            Basis.TIER: _("Based on all couriers' parcels at this service in the last 28 days."),
            Basis.PROMISE: _("Not enough data yet: this is the promised time."),
            Basis.NEXT_ATTEMPT: _("After the failed attempt: the next delivery day."),
            Basis.ROUND: _("It is out for delivery today."),
        }[self.basis]


class Travelling(Protocol):
    """The fields of a parcel that an arrival reads."""

    @property
    def status(self) -> str: ...
    @property
    def status_at(self) -> datetime: ...
    @property
    def last_scan_at(self) -> datetime | None: ...
    @property
    def tier_id(self) -> int: ...
    @property
    def courier_id(self) -> int: ...
    @property
    def origin_id(self) -> int: ...
    @property
    def destination_id(self) -> int: ...


class Expectable(msgspec.Struct, frozen=True):
    """A parcel that has a promise, with what its arrival depends on."""

    parcel: Travelling
    verdict: Verdict
    cause: Cause | None
    zone: str
    is_lost: bool = False

    def is_forecast(self, now: datetime) -> bool:
        parcel, verdict = self.parcel, self.verdict
        if self.is_lost or parcel.status not in _TRAVELLING:
            return False
        if verdict.outcome not in (Outcome.PENDING, Outcome.OVERDUE):
            return False
        is_silent = parcel.last_scan_at is not None and now - parcel.last_scan_at > LONGEST_SILENCE
        # After a change of day the parcel may rest until then.
        due_at = verdict.agreed_at or verdict.due_at
        return not (is_silent and now > due_at - LONGEST_SILENCE) and now - due_at <= LONGEST_OVERDUE

    @property
    def is_retried(self) -> bool:
        if self.is_lost or self.parcel.status != ParcelStatus.ATTEMPT_FAILED:
            return False
        return self._agreed_later is not None or (self.cause is not None and self.cause.is_retried)

    def on_round(self, now: datetime) -> Arrival | None:
        """Today, for a parcel that is out for delivery today; None for any other."""
        parcel = self.parcel
        if self.is_lost or parcel.status != ParcelStatus.OUT_FOR_DELIVERY:
            return None
        today, closes = _day(now, self.zone), wall_clock(_day(now, self.zone), CLOSES, self.zone)
        if _day(parcel.status_at, self.zone) != today or now > closes:
            return None
        return Arrival(closes, closes, Precision.DAY, Basis.ROUND)

    @property
    def _agreed_later(self) -> datetime | None:
        """The day agreed on for the next attempt, if it lies after the failed one."""
        agreed_at = self.verdict.agreed_at
        if agreed_at is None:
            return None
        attempted = local_clock(self.parcel.status_at, self.zone).date()
        return agreed_at if local_clock(agreed_at, self.zone).date() > attempted else None

    @property
    def position(self) -> Position:
        parcel, verdict = self.parcel, self.verdict
        stage, _since = Journey(*(getattr(parcel, column) for column in STAGE_COLUMNS)).furthest
        return Position(
            parcel.tier_id,
            parcel.courier_id,
            parcel.origin_id,
            parcel.destination_id,
            stage,
            verdict.agreed_at or verdict.due_at,
            verdict.due_at,
        )

    def next_attempt(self, days: "DeliveryDays", now: datetime) -> Arrival | None:
        """The next delivery day after the failed attempt, or the day agreed on."""
        verdict, at, parcel = self.verdict, self._agreed_later, self.parcel
        tomorrow = parcel.status_at + ONE_DAY
        if at is None:
            at = days.deadline_from(parcel.tier_id, parcel.destination_id, tomorrow, parcel.status_at)
        # Once the day of the next attempt has passed, it may be the day after; later on nobody knows.
        if at is not None and at <= now <= at + LONGEST_SILENCE / 2:
            at = days.deadline_from(parcel.tier_id, parcel.destination_id, max(tomorrow, now), now)
        if at is None or at <= now:
            return None
        is_open = verdict.outcome in (Outcome.PENDING, Outcome.OVERDUE)
        is_late = wall_clock(_day(at, self.zone), OPENS, self.zone) > verdict.due_at
        chance = 1.0 if is_open and is_late else None
        return Arrival(at, at, Precision.DAY, Basis.NEXT_ATTEMPT, chance)


class DeliveryDays:
    """Delivery deadlines by tier and destination; reads rules and closures once, when first asked."""

    def __init__(self, *, now: datetime) -> None:
        self._rules = {tier.id: tier.rule for tier in tiers_at(now).values()}
        self._closures = calendar_at(now)

    def deadline_from(
        self, tier_id: int, destination_id: int, first: datetime, now: datetime
    ) -> datetime | None:
        """Return the first deadline on that local day or later that is still ahead."""
        rule = self._rules.get(tier_id)
        if rule is None:
            return None
        place = place_of(CITIES.rows([destination_id])[destination_id])
        day = local_clock(first, place.zone).date()
        for ahead in range(_DAYS_AHEAD):
            deadline = delivery_on(rule, place, day + ahead * ONE_DAY, self._closures)
            if isinstance(deadline, datetime) and deadline > now:
                return deadline
        return None


def arrivals_of(parcels: Iterable[Expectable | None], *, now: datetime) -> list[Arrival | None]:
    """Return the expected arrival of each parcel, in order; None if none can be told, or without a promise.

    One query for the forecasts of all of them, and three if an attempt is to be repeated.
    """
    expectable = list(parcels)
    positions = {
        index: item.position
        for index, item in enumerate(expectable)
        if item is not None and item.is_forecast(now)
    }
    curves = Curves(now=now) if positions else None
    if curves is not None:
        curves.need(positions.values(), now=now)
    days = DeliveryDays(now=now) if any(item and item.is_retried for item in expectable) else None
    arrivals: list[Arrival | None] = []
    for index, item in enumerate(expectable):
        if item is None:
            arrivals.append(None)
        elif curves is not None and (position := positions.get(index)) is not None:
            told = _told(curves.forecast(position, now=now), item.zone, position.due_at, now)
            arrivals.append(told or item.on_round(now))
        elif days is not None and item.is_retried:
            arrivals.append(item.next_attempt(days, now))
        else:
            arrivals.append(item.on_round(now))
    return arrivals


def arrival_json(arrival: Arrival | None, zone: str) -> dict[str, Any] | None:
    """The arrival as JSON, in the destination's time zone."""
    if arrival is None:
        return None
    return {
        "p50_at": moment_text(arrival.p50_at, zone),
        "p90_at": moment_text(arrival.p90_at, zone),
        "precision": arrival.precision.value,
        "chance_late": None if arrival.chance is None else round(arrival.chance, 4),
        "basis": arrival.basis.value,
    }


def _told(forecast: Forecast, zone: str, due_at: datetime, now: datetime) -> Arrival | None:
    p50_at, p90_at = forecast.p50_at, forecast.p90_at
    if p50_at is None or p90_at is None:
        return None
    if forecast.basis == Basis.PROMISE:
        return Arrival(p50_at, p90_at, Precision.HALF_HOUR, forecast.basis, forecast.chance)
    precision = precision_of(p50_at, p90_at, now=now)
    p50_at, p90_at = (in_delivery_hours(at, precision, zone, due_at) for at in (p50_at, p90_at))
    return Arrival(p50_at, p90_at, precision, forecast.basis, forecast.chance)


def precision_of(p50_at: datetime, p90_at: datetime, *, now: datetime) -> Precision:
    """How exactly a forecast may be told: the farther off and the wider, the less."""
    spread, ahead = p90_at - p50_at, p50_at - now
    if spread <= timedelta(hours=2) and ahead <= timedelta(hours=12):
        return Precision.HALF_HOUR
    if spread <= timedelta(hours=6) and ahead <= timedelta(hours=24):
        return Precision.HOUR
    return Precision.DAY


def in_delivery_hours(at: datetime, precision: Precision, zone: str, due_at: datetime) -> datetime:
    """Round a time up to the next step of the local clock, and move it into the hours of delivery."""
    local, step = local_clock(at, zone), _STEPS[precision]
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    local = midnight + -(-(local - midnight) // step) * step
    day = local.date()
    opens, closes = wall_clock(day, OPENS, zone), wall_clock(day, CLOSES, zone)
    if _day(due_at, zone) == day:
        closes = max(closes, due_at)
    if local > closes:
        return wall_clock(day + ONE_DAY, OPENS, zone)
    return max(local, opens)


def _day(at: datetime, zone: str) -> Any:
    return local_clock(at, zone).date()
