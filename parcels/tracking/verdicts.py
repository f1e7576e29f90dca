"""The current outcome of a commitment, for display. Pure."""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.dates import date_text
from alliance.durations import duration_text
from parcels.choices import ParcelStatus
from slas.choices import Outcome
from slas.commitments.rules import is_breach, judge


class Losable(Protocol):
    """The fields of a delivery that decide whether it counts as lost."""

    lost_at: datetime | None
    delivered_at: datetime | None


class Judged(Protocol):
    """The fields of a commitment that a verdict reads."""

    due_at: datetime
    revised_due_at: datetime | None
    reached_at: datetime | None
    outcome: str
    excused: bool


class Verdict(msgspec.Struct, frozen=True):
    """The current outcome of one commitment, also before the sweep has stored it."""

    outcome: Outcome
    due_at: datetime
    reached_at: datetime | None
    # Positive: the time left or to spare. Negative: the lateness.
    margin: timedelta
    excused: bool = False
    # The latest agreed time, if revised: when the parcel is expected, even if judged by another.
    agreed_at: datetime | None = None

    @property
    def is_broken(self) -> bool:
        return is_breach(self.outcome)

    @property
    def text(self) -> str:
        """The margin as text."""
        params = {"time": duration_text(self.margin)}
        match self.outcome:
            case Outcome.MET:
                return _("%(time)s early") % params
            case Outcome.LATE:
                return _("%(time)s late") % params
            case Outcome.OVERDUE:
                return _("%(time)s overdue") % params
            case Outcome.PENDING:
                return _("%(time)s left") % params
        return ""


def loss_text(delivery: Losable | None, status: str) -> str:
    """The text for a parcel that counts as lost without a scan of its loss; "" for any other.

    The day is in the current time zone.
    """
    if delivery is None or delivery.lost_at is None or delivery.delivered_at is not None:
        return ""
    # The status of a parcel scanned as lost already says so.
    if status == ParcelStatus.LOST:
        return ""
    day = date_text(timezone.localtime(delivery.lost_at))
    return _("No scan has been received for so long that this parcel counts as lost since %(day)s.") % {
        "day": day
    }


def verdict_of(commitment: Judged, *, now: datetime) -> Verdict:
    """Judge a commitment at this moment."""
    due, reached = commitment.due_at, commitment.reached_at
    outcome = judge(due, reached, now, commitment.outcome == Outcome.VOID)
    return Verdict(
        outcome,
        due,
        reached,
        margin=due - (reached or now),
        excused=commitment.excused,
        agreed_at=commitment.revised_due_at,
    )
