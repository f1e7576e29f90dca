"""How a promise stands at this moment, for people. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from alliance.durations import duration_text
from parcels.choices import ParcelStatus
from slas.choices import Outcome
from slas.commitments.rules import is_breach, judge


class Losable(Protocol):
    """What is read of a delivery to tell whether it counts as lost."""

    lost_at: datetime | None
    delivered_at: datetime | None


class Judged(Protocol):
    """What a verdict reads of a commitment."""

    due_at: datetime
    revised_due_at: datetime | None
    reached_at: datetime | None
    outcome: str
    excused: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise as it stands now, whether the sweep has been there or not."""

    outcome: Outcome
    due_at: datetime
    reached_at: datetime | None
    # Time left, or spared, when positive; by how much it is late when negative.
    margin: timedelta
    excused: bool = False
    # The latest day agreed on, if any: it comes then, whatever it is judged by.
    agreed_at: datetime | None = None

    @property
    def is_broken(self) -> bool:
        return is_breach(self.outcome)

    @property
    def text(self) -> str:
        """By how much, in words."""
        said = {"time": duration_text(self.margin)}
        match self.outcome:
            case Outcome.MET:
                return _("%(time)s early") % said
            case Outcome.LATE:
                return _("%(time)s late") % said
            case Outcome.OVERDUE:
                return _("%(time)s overdue") % said
            case Outcome.PENDING:
                return _("%(time)s left") % said
        return ""


def loss_text(delivery: Losable | None, status: str) -> str:
    """Say that a parcel counts as lost although nobody scanned it so; "" for any other.

    The day is that of the zone in force.
    """
    if delivery is None or delivery.lost_at is None or delivery.delivered_at is not None:
        return ""
    # What its courier scanned as lost says so itself.
    if status == ParcelStatus.LOST:
        return ""
    day = formats.date_format(timezone.localtime(delivery.lost_at), "DATE_FORMAT")
    return _("Nothing was heard of this parcel for so long that it counts as lost since %(day)s.") % {
        "day": day
    }


def verdict_of(commitment: Judged, *, now: datetime) -> Verdict:
    """Judge a commitment by this moment."""
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
