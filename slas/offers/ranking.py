"""The offer a quote recommends, and why. Pure.

Offers are ranked by the courier's record on the lane: the Wilson lower bound of its accountable on-time rate,
so that three good parcels do not beat three million. A record of fewer than 30 parcels is topped up to 30
with a neutral prior, so that a newcomer ranks below couriers proven good and above couriers proven bad
instead of at either end. Equal records are ordered by the courier's grade, then by price. A courier on
probation comes after all others, whatever its record.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from couriers.choices import Grade
from slas.commitments.rules import accountable_rate
from slas.rates.intervals import wilson_lower_bound

# The days of due dates a record covers, today's included.
RECORD_DAYS = 30
# Ours: n under 30 is flagged everywhere; an average courier of the field keeps nine promises in ten.
PRIOR_N = 30
PRIOR_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Record:
    """The outcomes of a courier's deliveries on a lane that fell due in the period."""

    met: int = 0
    late: int = 0
    overdue: int = 0
    excused: int = 0

    @property
    def n(self) -> int:
        """The denominator of the accountable rate."""
        return max(self.met + self.late + self.overdue - self.excused, self.met)

    @property
    def rate(self) -> float | None:
        return accountable_rate(self.met, self.late, self.overdue, self.excused)

    @property
    def lower_bound(self) -> float | None:
        return wilson_lower_bound(self.met, self.n)

    @property
    def uses_prior(self) -> bool:
        return self.n < PRIOR_N

    @property
    def score(self) -> float:
        """The ranking score: the lower bound, topped up with the prior, to a tenth of a percent."""
        prior_n = max(PRIOR_N - self.n, 0)
        bound = wilson_lower_bound(self.met + round(prior_n * PRIOR_SHARE), self.n + prior_n)
        return round(bound or 0.0, 3)


NO_RECORD = Record()


class Merit(NamedTuple):
    """The ranking criteria of an offer besides its price."""

    record: Record = NO_RECORD
    grade: Grade = Grade.MEMBER

    @property
    def on_probation(self) -> bool:
        return self.grade == Grade.PROBATION


class Reason(StrEnum):
    """Why an offer is recommended. Sent to clients: never rename."""

    ONLY_OFFER = "only_offer"  # no other courier sells it
    ONLY_ROOM = "only_room"  # no other courier has room on the earliest day with any
    ON_TIME = "on_time"  # the best record
    NOT_ON_PROBATION = "not_on_probation"  # the best record but for couriers on probation
    GRADE = "grade"  # the best grade of equal records
    PRICE = "price"  # cheapest of equal records and grades
    RULE = "rule"  # a rule of the merchant


# Grade lists the best first.
_GRADE_RANKS = {grade: rank for rank, grade in enumerate(Grade)}


def rank_key(merit: Merit, price_fen: int, offer_id: int) -> tuple[bool, float, int, int, int]:
    """The sort key, best first; the id makes the order definite."""
    return (
        merit.on_probation,
        -merit.record.score,
        _GRADE_RANKS[merit.grade],
        price_fen,
        offer_id,
    )


def reason_for(best: Merit, others: list[Merit], *, others_on_sale: int) -> Reason:
    """Why the best offer with room comes first. `others` have room on its day, too."""
    if not others_on_sale:
        return Reason.ONLY_OFFER
    if not others:
        return Reason.ONLY_ROOM
    as_good = [other for other in others if other.record.score >= best.record.score]
    if any(other.on_probation and not best.on_probation for other in as_good):
        return Reason.NOT_ON_PROBATION
    if not as_good:
        return Reason.ON_TIME
    return Reason.PRICE if any(other.grade == best.grade for other in as_good) else Reason.GRADE
