"""Outcomes of promises, the transitions between them, and the rates.

Pure. An outcome is a function of facts (the due time, the earliest valid scan that reached the milestone,
now, cancelled or not), so judging again after any scan, sweep or correction gives the same as judging from
scratch. A milestone reached exactly at its due time is on time.
"""

from datetime import datetime
from typing import NamedTuple

from django.utils.functional import Promise as LazyText
from django.utils.translation import gettext_lazy as _

from slas.choices import CommitmentKind, Outcome

BREACHES = frozenset({Outcome.OVERDUE, Outcome.LATE})


class Transition(NamedTuple):
    """A possible change of an outcome, and its cause."""

    before: Outcome
    after: Outcome
    cause: LazyText | str


# Every possible change. Nothing leaves void: a cancelled parcel no longer moves. Nothing goes from overdue to
# pending: a due time that has passed has passed. A reached milestone cannot become void before a correction
# removes its scan, as only parcels not picked up are cancelled.
TRANSITIONS: tuple[Transition, ...] = (
    Transition(Outcome.PENDING, Outcome.MET, _("reached by the due time")),
    Transition(Outcome.PENDING, Outcome.LATE, _("reached after the due time, before it was marked overdue")),
    Transition(Outcome.PENDING, Outcome.OVERDUE, _("the due time passed")),
    Transition(Outcome.PENDING, Outcome.VOID, _("cancelled before pickup")),
    Transition(Outcome.OVERDUE, Outcome.LATE, _("reached after being overdue")),
    Transition(Outcome.OVERDUE, Outcome.MET, _("an on-time scan arrived late: the breach is withdrawn")),
    Transition(Outcome.OVERDUE, Outcome.VOID, _("cancelled before pickup: the breach is withdrawn")),
    Transition(
        Outcome.MET, Outcome.LATE, _("the on-time scan was withdrawn by a correction, a late one is left")
    ),
    Transition(
        Outcome.MET, Outcome.OVERDUE, _("the only scan was withdrawn or part of a return, after the due time")
    ),
    Transition(
        Outcome.MET,
        Outcome.PENDING,
        _("the only scan was withdrawn or part of a return, before the due time"),
    ),
    Transition(Outcome.LATE, Outcome.MET, _("an on-time scan arrived late: the breach is withdrawn")),
    Transition(Outcome.LATE, Outcome.OVERDUE, _("the only scan was withdrawn or part of a return")),
    # A scan may be a few minutes ahead of our clock, so it can be late before the due time comes.
    Transition(
        Outcome.LATE,
        Outcome.PENDING,
        _("the only scan was withdrawn or part of a return, before the due time"),
    ),
)
_CHANGES = frozenset((transition.before, transition.after) for transition in TRANSITIONS)


def can_become(before: Outcome, after: Outcome) -> bool:
    """Whether the table contains the change, or the outcome stays the same."""
    return before == after or (before, after) in _CHANGES


def judge(due_at: datetime, reached_at: datetime | None, now: datetime, voided: bool) -> Outcome:
    """Return the outcome of a milestone as of now.

    `reached_at` is when the earliest valid scan that reaches it occurred, not when we received it. Overdue
    begins after the due time, not at it. `voided` outweighs everything else.
    """
    if voided:
        return Outcome.VOID
    if reached_at is not None:
        return Outcome.MET if reached_at <= due_at else Outcome.LATE
    return Outcome.OVERDUE if now > due_at else Outcome.PENDING


def voided_by_cancellation(kind: CommitmentKind, due_at: datetime, cancelled_at: datetime) -> bool:
    """Whether cancelling a parcel before pickup voids the commitment.

    Deliveries always. Pickups unless they had fallen due: a courier that did not come is not cleared by the
    cancellation that follows. Decided by the due time, not by whether a sweep had run.
    """
    return kind == CommitmentKind.DELIVERY or cancelled_at <= due_at


def is_breach(outcome: Outcome) -> bool:
    return outcome in BREACHES


def raw_rate(met: int, late: int, overdue: int) -> float | None:
    """met / (met + late + overdue), between 0 and 1; None when nothing was due."""
    return accountable_rate(met, late, overdue, 0)


def accountable_rate(met: int, late: int, overdue: int, excused: int) -> float | None:
    """met / (met + late + overdue - excused): breaches that were not the courier's fault are left out."""
    due = met + late + overdue - excused
    return met / due if due > 0 else None
