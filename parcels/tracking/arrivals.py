"""The expected arrival of a parcel, for pages and the API."""

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

# Statuses without a forecast: no further delivery attempt is expected.
_NOT_COMING: Final = TERMINAL | {ParcelStatus.AVAILABLE_FOR_PICKUP, ParcelStatus.RETURNING}
# Times are rounded to this: forecasts are not exact to the minute.
_STEP: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The expected first attempt: half arrive by P50, nine in ten by P90."""

    forecast: Forecast
    p50_at: datetime
    p90_at: datetime

    @property
    def is_promise(self) -> bool:
        # Too little data: the promise is the forecast.
        return self.forecast.basis == Basis.PROMISE

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
        }[self.forecast.basis]


class Travelling(Protocol):
    """The fields of a parcel that a forecast reads."""

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
    """Forecast a parcel's arrival; None if it was attempted or cancelled, or no attempt is expected."""
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
    forecast = forecast_for(position, now=now)
    if forecast.p50_at is None or forecast.p90_at is None:
        return None
    return Arrival(forecast, rounded(forecast.p50_at), rounded(forecast.p90_at))


def arrival_json(arrival: Arrival | None, zone: str) -> dict[str, Any] | None:
    """The arrival as JSON, in the destination's time zone."""
    if arrival is None:
        return None
    forecast = arrival.forecast
    return {
        "p50": local_clock(arrival.p50_at, zone).isoformat(),
        "p90": local_clock(arrival.p90_at, zone).isoformat(),
        "chance_late": None if forecast.chance is None else round(forecast.chance, 4),
        "basis": forecast.basis.value,
        "n": forecast.n,
    }


def rounded(moment: datetime) -> datetime:
    # Up to the next five minutes, as on every page.
    return moment + (datetime.min.replace(tzinfo=moment.tzinfo) - moment) % _STEP
