"""What a parcel says of itself, the same at every door.

Built once from the parcel, its delivery commitment, the scan that decides its status and its forecast. Doors
choose what of it they show, never how it is computed. Pure.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
from django.utils.translation import gettext as _

from alliance.clocks import local_clock
from alliance.durations import duration_text
from parcels.choices import ParcelStatus
from parcels.scans.sql_lost import MOVING
from parcels.tracking.arrivals import Arrival, Precision
from parcels.tracking.causes import Cause
from parcels.tracking.verdicts import Verdict
from slas.choices import Outcome
from slas.forecasts.watch_rules import silent_after

# A parcel whose day was changed may rest until so long before it.
RESTS_UNTIL: Final = timedelta(days=1)
# Of an overdue delivery in these statuses, none is to come any more.
_ENDED: Final = frozenset({ParcelStatus.LOST, ParcelStatus.RETURNING, ParcelStatus.RETURNED})


class PromiseState(msgspec.Struct, frozen=True):
    """What was promised for a delivery, what is agreed now, and whether it was kept."""

    # The promise at booking; it never changes.
    original: datetime
    # The time agreed now: what every door calls "deliver by".
    deliver_by: datetime
    # On time is judged by this: the agreed time, unless the change came too late to count.
    judged_by: datetime
    # The party that asked for the present day; "" if it is the original one.
    moved_by: str
    outcome: Outcome
    reached_at: datetime | None
    excused: bool
    # None if it is not late, or if no delivery is to come any more: lateness does not grow for ever.
    late_by: timedelta | None
    # The time left until the agreed day, or to spare when it was reached; None where lateness is told.
    spare: timedelta | None = None

    @property
    def is_late(self) -> bool:
        return self.outcome in (Outcome.LATE, Outcome.OVERDUE)

    @property
    def is_moved(self) -> bool:
        return self.deliver_by != self.original

    @property
    def text(self) -> str:
        """The time left, to spare or late, as text; "" where none counts."""
        params = {"time": duration_text(self.late_by or self.spare or timedelta())}
        match self.outcome:
            case Outcome.MET:
                return _("%(time)s early") % params
            case Outcome.LATE:
                return _("%(time)s late") % params
            case Outcome.OVERDUE if self.late_by is not None:
                return _("%(time)s overdue") % params
            case Outcome.PENDING:
                return _("%(time)s left") % params
        return ""


class Loss(msgspec.Struct, frozen=True):
    """Since when a parcel is lost, and whether its courier reported that or the silence says so."""

    since: datetime
    is_reported: bool


class ParcelState(msgspec.Struct, frozen=True):
    """Where a parcel stands: status, promise, loss, cause and expected arrival."""

    status: ParcelStatus
    status_at: datetime
    # None if there never was a promise, or if it was cancelled.
    promise: PromiseState | None
    # Void for a cancelled promise.
    outcome: Outcome | None
    loss: Loss | None = None
    # For a failed attempt, an exception and a parcel to be collected.
    cause: Cause | None = None
    # The last scan of a parcel that should move and was not seen for too long.
    silent_since: datetime | None = None
    # It went out for delivery on an earlier day, and nothing was heard of that round.
    round_is_over: bool = False
    arrival: Arrival | None = None
    # It was refused, and its return is on the way back under another number.
    comes_back: bool = False

    @property
    def is_late(self) -> bool:
        return self.promise is not None and self.promise.is_late

    @property
    def is_overdue(self) -> bool:
        """Whether it is late and still to come."""
        return self.promise is not None and self.promise.outcome == Outcome.OVERDUE and not self.is_ended

    @property
    def is_ended(self) -> bool:
        return self.loss is not None or self.status in _ENDED or self.comes_back

    @property
    def is_uncertain(self) -> bool:
        """Whether it is still to come and nobody knows when."""
        arrived = (ParcelStatus.DELIVERED, ParcelStatus.AVAILABLE_FOR_PICKUP)
        return self.arrival is None and self.status not in arrived

    @property
    def is_presumed_lost(self) -> bool:
        return self.loss is not None and not self.loss.is_reported

    @property
    def shown_status(self) -> ParcelStatus:
        """The status to show: a parcel that counts as lost is not in transit."""
        return ParcelStatus.LOST if self.loss is not None else self.status


class StatedParcel(Protocol):
    """The fields of a parcel that its state reads."""

    @property
    def status(self) -> str: ...
    @property
    def status_at(self) -> datetime: ...
    @property
    def last_scan_at(self) -> datetime | None: ...
    @property
    def deliver_by(self) -> datetime: ...
    @property
    def has_return(self) -> bool: ...


class Losable(Protocol):
    """The fields of a delivery that decide whether it counts as lost."""

    lost_at: datetime | None
    delivered_at: datetime | None


def loss_of(status: str, status_at: datetime, delivery: Losable | None) -> Loss | None:
    """Whether a parcel is lost, reported or presumed; a delivery afterwards ends that."""
    if status == ParcelStatus.LOST:
        return Loss(status_at, is_reported=True)
    if delivery is None or delivery.lost_at is None or delivery.delivered_at is not None:
        return None
    return Loss(delivery.lost_at, is_reported=False)


def state_of(
    parcel: StatedParcel,
    verdict: Verdict | None,
    *,
    loss: Loss | None,
    cause: Cause | None,
    moved_by: str,
    tier: str,
    zone: str,
    arrival: Arrival | None,
    now: datetime,
) -> ParcelState:
    """Put a parcel's state together; see `parcels.tracking.queries.states_of` for a page of parcels."""
    status = ParcelStatus(parcel.status)
    comes_back = parcel.has_return and status != ParcelStatus.DELIVERED
    promise = None
    if verdict is not None and verdict.outcome != Outcome.VOID:
        is_over = loss is not None or status in _ENDED or comes_back
        is_growing = verdict.reached_at is None and not is_over
        deliver_by = verdict.agreed_at or verdict.due_at
        promise = PromiseState(
            original=parcel.deliver_by,
            deliver_by=deliver_by,
            judged_by=verdict.due_at,
            moved_by=moved_by,
            outcome=verdict.outcome,
            reached_at=verdict.reached_at,
            excused=verdict.excused,
            late_by=-verdict.margin if verdict.is_broken and (verdict.reached_at or is_growing) else None,
            spare=verdict.margin if verdict.reached_at else deliver_by - now,
        )
    last = parcel.last_scan_at
    is_silent = last is not None and status in MOVING and now - last > silent_after(tier)
    if comes_back or (promise is not None and promise.is_moved and promise.deliver_by - now > RESTS_UNTIL):
        is_silent = False
    round_is_over = status == ParcelStatus.OUT_FOR_DELIVERY and (
        local_clock(parcel.status_at, zone).date() < local_clock(now, zone).date()
    )
    if arrival is not None and (is_silent or round_is_over):
        # Parcels that a forecast goes by were heard of: of this one no hour can be told.
        arrival = msgspec.structs.replace(arrival, precision=Precision.DAY)
    return ParcelState(
        status=status,
        status_at=parcel.status_at,
        promise=promise,
        outcome=None if verdict is None else verdict.outcome,
        loss=loss,
        cause=cause,
        silent_since=last if is_silent and loss is None else None,
        round_is_over=round_is_over and loss is None,
        arrival=arrival,
        comes_back=comes_back,
    )
