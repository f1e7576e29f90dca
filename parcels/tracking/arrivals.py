"""When a parcel will probably be at the door, for its pages and for programs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from django.utils.translation import gettext as _

from alliance.clocks import local_clock
from parcels.choices import ParcelStatus
from parcels.scans.rules import TERMINAL
from parcels.tracking.verdicts import Verdict
from slas.choices import Outcome
from slas.commitments.landmarks import STAGE_COLUMNS, Journey
from slas.forecasts.curves import forecast_for
from slas.forecasts.rules import Basis, Forecast, Position

# Of these nobody knows when somebody will be at the door, if at all.
_NOT_COMING: Final = TERMINAL | {ParcelStatus.AVAILABLE_FOR_PICKUP, ParcelStatus.RETURNING}
# To the minute would be more than anybody knows.
_STEP: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The expected first attempt. Earlier than P50 as often as later; later than P90 once in ten times."""

    forecast: Forecast
    p50_at: datetime
    p90_at: datetime

    @property
    def is_promise(self) -> bool:
        """Whether it is the promise itself, for want of anything better."""
        return self.forecast.basis == Basis.PROMISE

    @property
    def basis_text(self) -> str:
        """What it rests on, in words."""
        return {
            Basis.COURIER_LANE: _(
                "This courier's parcels of the last 28 days on this lane, at this service."
            ),
            Basis.COURIER: _("This courier's parcels of the last 28 days at this service, on all its lanes."),
            Basis.LANE: _("All couriers' parcels of the last 28 days on this lane, at this service."),
            Basis.TIER: _("All couriers' parcels of the last 28 days at this service."),
            Basis.PROMISE: _("Too little is known yet: this is the promised time."),
        }[self.forecast.basis]


class Travelling(Protocol):
    """What a forecast reads of a parcel."""

    @property
    def status(self) -> str: ...
    @property
    def tier_id(self) -> int: ...
    @property
    def courier_id(self) -> int: ...
    @property
    def origin_id(self) -> int: ...
    @property
    def destination_id(self) -> int: ...


def arrival_of(parcel: Travelling, verdict: Verdict | None, *, now: datetime) -> Arrival | None:
    """Forecast a parcel; None for one that was attempted, called off, or is not coming any more."""
    if verdict is None or verdict.outcome not in (Outcome.PENDING, Outcome.OVERDUE):
        return None
    if parcel.status in _NOT_COMING:
        return None
    stage, _since = Journey(*(getattr(parcel, column) for column in STAGE_COLUMNS)).furthest
    position = Position(
        parcel.tier_id,
        parcel.courier_id,
        parcel.origin_id,
        parcel.destination_id,
        stage,
        verdict.agreed_at or verdict.due_at,
        verdict.due_at,
    )
    found = forecast_for(position, now=now)
    if found.p50_at is None or found.p90_at is None:
        return None
    return Arrival(found, rounded(found.p50_at), rounded(found.p90_at))


def arrival_json(arrival: Arrival | None, zone: str) -> dict[str, Any] | None:
    """The same for programs, by the destination's clock."""
    if arrival is None:
        return None
    found = arrival.forecast
    return {
        "p50": local_clock(arrival.p50_at, zone).isoformat(),
        "p90": local_clock(arrival.p90_at, zone).isoformat(),
        "chance_late": None if found.chance is None else round(found.chance, 4),
        "basis": found.basis.value,
        "n": found.n,
    }


def rounded(moment: datetime) -> datetime:
    """The next full five minutes, as every page says it."""
    return moment + (datetime.min.replace(tzinfo=moment.tzinfo) - moment) % _STEP
