"""Whether a promise was kept: outcomes, the changes between them, and what they add to the rates.

Pure. An outcome is a function of facts (when it was due, the earliest standing scan that reached
the milestone, now, cancelled or not), so judging again after any scan, sweep or correction gives
what judging from scratch would. A milestone reached at the very moment it was due is on time.
"""

from datetime import datetime
from typing import NamedTuple

from django.utils.functional import Promise as LazyText
from django.utils.translation import gettext_lazy as _

from slas.choices import CommitmentKind, Outcome

BREACHES = frozenset({Outcome.OVERDUE, Outcome.LATE})


class Transition(NamedTuple):
    """A change that can happen to an outcome, and what makes it happen."""

    before: Outcome
    after: Outcome
    cause: LazyText | str


# Every change there is. Nothing leaves void: a cancelled parcel moves no more. Nothing leaves
# overdue for pending: what fell due stays due. And what was reached, on time or late, can't be
# void without being un-reached by a correction first, as only what was not picked up is cancelled.
TRANSITIONS: tuple[Transition, ...] = (
    Transition(Outcome.PENDING, Outcome.MET, _("reached by the due time")),
    Transition(
        Outcome.PENDING, Outcome.LATE, _("reached after the due time, before the sweep saw it overdue")
    ),
    Transition(Outcome.PENDING, Outcome.OVERDUE, _("the due time passed")),
    Transition(Outcome.PENDING, Outcome.VOID, _("cancelled before pickup")),
    Transition(Outcome.OVERDUE, Outcome.LATE, _("reached at last")),
    Transition(Outcome.OVERDUE, Outcome.MET, _("a punctual scan arrived late: the breach is withdrawn")),
    Transition(Outcome.OVERDUE, Outcome.VOID, _("cancelled before pickup: the breach is withdrawn")),
    Transition(Outcome.MET, Outcome.LATE, _("a correction withdrew the punctual scan and left a late one")),
    Transition(Outcome.MET, Outcome.OVERDUE, _("a correction withdrew the only scan after the due time")),
    Transition(Outcome.MET, Outcome.PENDING, _("a correction withdrew the only scan before the due time")),
    Transition(Outcome.LATE, Outcome.MET, _("a punctual scan arrived late: the breach is withdrawn")),
    Transition(Outcome.LATE, Outcome.OVERDUE, _("a correction withdrew the only scan")),
    # A scan may be a few minutes ahead of our clock, so it can be late before the due time comes.
    Transition(Outcome.LATE, Outcome.PENDING, _("a correction withdrew the only scan before the due time")),
)
_CHANGES = frozenset((transition.before, transition.after) for transition in TRANSITIONS)


def can_become(before: Outcome, after: Outcome) -> bool:
    """Whether the table has that change, or there is none."""
    return before == after or (before, after) in _CHANGES


def judge(due_at: datetime, reached_at: datetime | None, now: datetime, voided: bool) -> Outcome:
    """What became of a milestone by now.

    `reached_at` is when the earliest standing scan that reaches it occurred, not when we
    heard of it. Overdue begins after the due time, not at it. `voided` outweighs all.
    """
    if voided:
        return Outcome.VOID
    if reached_at is not None:
        return Outcome.MET if reached_at <= due_at else Outcome.LATE
    return Outcome.OVERDUE if now > due_at else Outcome.PENDING


def voided_by_cancellation(kind: CommitmentKind, due_at: datetime, cancelled_at: datetime) -> bool:
    """Whether cancelling an unpicked parcel lifts the commitment.

    Delivery always. Pickup unless it had fallen due: cancelling because nobody came does not
    clear whoever did not come. Judged by the due time, not by whether a sweep had run.
    """
    return kind == CommitmentKind.DELIVERY or cancelled_at <= due_at


def is_breach(outcome: Outcome) -> bool:
    """Whether the promise is broken, be it reached since or not."""
    return outcome in BREACHES


def raw_rate(met: int, late: int, overdue: int) -> float | None:
    """met / (met + late + overdue), between 0 and 1; None when nothing was due."""
    return accountable_rate(met, late, overdue, 0)


def accountable_rate(met: int, late: int, overdue: int, excused: int) -> float | None:
    """met / (met + late + overdue - excused): what was not the courier's fault is left out."""
    due = met + late + overdue - excused
    return met / due if due > 0 else None
