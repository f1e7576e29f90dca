"""On-time rates, read from the folded cells: a page costs the same at a thousand parcels and at a billion.

Definitions. A period counts what fell due in it, by the local date where it fell due, and not what
was delivered in it. raw = met / (met + late + overdue); accountable leaves excused breaches out of
the denominator. A figure is provisional until its last cohort closed seven days ago [Amazon].
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.tenancy import Actor, require
from slas.choices import CommitmentKind
from slas.intervals import wilson_lower_bound, wilson_upper_bound
from slas.models import OnTimeRate
from slas.outcomes import accountable_rate, raw_rate
from slas.querysets import OnTimeRateQuerySet

# How long after its day a cohort's figures are still expected to move.
MATURE_AFTER = timedelta(days=7)
# Below this n a rate is flagged (ours).
FEW = 30
WEEK, MONTH = 7, 30
# What one answer by day may span: a year and its leap day. Else, all there can be since 2016.
LONGEST = timedelta(days=366)
LONGEST_SUM = timedelta(days=7_305)


class GroupBy(StrEnum):
    """What the rows of an answer are by."""

    DAY = "day"
    COURIER = "courier"
    LANE = "lane"
    TIER = "tier"


@dataclass(frozen=True, slots=True)
class RateRow:
    """Counts of outcomes of one group in one period, and the rates that follow."""

    # A date, a courier's id, (origin id, destination id), a tier's id, or () for the whole.
    group: Any
    met: int = 0
    late: int = 0
    overdue: int = 0
    excused: int = 0
    pending: int = 0
    void: int = 0
    provisional: bool = False

    @property
    def n(self) -> int:
        """What the raw rate rests on: all that fell due and is judged."""
        return self.met + self.late + self.overdue

    @property
    def accountable_n(self) -> int:
        """What the accountable rate rests on."""
        return self.n - self.excused

    @property
    def promised(self) -> int:
        """All that falls due in the period and is not void, judged yet or not."""
        return self.n + self.pending

    @property
    def raw(self) -> float | None:
        return raw_rate(self.met, self.late, self.overdue)

    @property
    def accountable(self) -> float | None:
        return accountable_rate(self.met, self.late, self.overdue, self.excused)

    @property
    def lower_bound(self) -> float | None:
        """Wilson lower bound (95 %) of the accountable rate: what ranking goes by."""
        return wilson_lower_bound(self.met, self.accountable_n)

    @property
    def upper_bound(self) -> float | None:
        return wilson_upper_bound(self.met, self.accountable_n)

    @property
    def is_few(self) -> bool:
        """Whether too few were judged to say much."""
        return self.n < FEW


@dataclass(frozen=True, slots=True)
class RateSummary:
    """What a dashboard shows of one kind of commitment."""

    week: RateRow
    month: RateRow
    # One row a day, the last 30 days, oldest first, days without parcels included.
    trend: list[RateRow]
    # Promised for today, judged or not; and of those, what is still open.
    due_today: int
    open_today: int
    # Past due and not reached, whatever day it was due.
    overdue_now: int


def rates_for(
    *,
    actor: Actor,
    first: date,
    last: date,
    today: date,
    group_by: GroupBy | None = None,
    kind: CommitmentKind | str = CommitmentKind.DELIVERY,
    tier_id: int | None = None,
    courier_id: int | None = None,
) -> list[RateRow]:
    """Return the on-time rates of what fell due from first to last, both included.

    A courier sees its own, a merchant its own parcels', ops all couriers'. Without `group_by`
    there is exactly one row; by day oldest first, by courier and lane the best lower bound first.
    Raises NotPermitted without the capability, InvalidInput for a period or grouping that can't be.
    """
    require(actor, Capability.VIEW_RATES)
    _check(actor, first, last, group_by)
    wanted = Q(kind=kind) & (Q() if tier_id is None else Q(tier_id=tier_id))
    if courier_id is not None:
        wanted &= Q(**{_courier_column(actor): courier_id})
    cells = _cells(actor).due_between(first, last).filter(wanted)
    rows = [_row(columns, counts, today) for columns, counts in cells.totals(*_columns(actor, group_by))]
    if group_by is None:
        return rows or [RateRow(group=(), provisional=_is_provisional(last, today))]
    if group_by == GroupBy.DAY:
        return sorted(rows, key=lambda row: row.group)
    return sorted(rows, key=lambda row: (-(row.lower_bound or 0.0), -row.n))


def summary_for(
    *, actor: Actor, today: date, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> RateSummary:
    """Return what a dashboard shows: two periods, the days behind them, today and what is overdue."""
    first = today - timedelta(days=MONTH - 1)
    days = {
        row.group: row
        for row in rates_for(
            actor=actor, first=first, last=today, today=today, group_by=GroupBy.DAY, kind=kind
        )
    }
    trend = [
        days.get(day) or RateRow(group=day, provisional=_is_provisional(day, today))
        for day in (first + timedelta(days=ahead) for ahead in range(MONTH))
    ]
    return RateSummary(
        week=_sum(trend[-WEEK:]),
        month=_sum(trend),
        trend=trend,
        due_today=trend[-1].promised,
        open_today=trend[-1].pending,
        overdue_now=_cells(actor).overdue_now(kind),
    )


def overdue_by_courier(
    *, actor: Actor, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> dict[int, int]:
    """Return how many of each courier's promises are past due and not reached, of all due dates."""
    require(actor, Capability.VIEW_RATES)
    return _cells(actor).overdue_by(_courier_column(actor), kind)


def _check(actor: Actor, first: date, last: date, group_by: GroupBy | None) -> None:
    if first > last:
        message = _("The period ends before it begins.")
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    longest = LONGEST if group_by == GroupBy.DAY else LONGEST_SUM
    if last - first >= longest:
        message = _("Ask for at most %(days)d days at once.") % {"days": longest.days}
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    if group_by == GroupBy.LANE and actor.is_merchant:
        # A merchant's cells keep no lane: there would be more of them than parcels.
        message = _("By lane, rates are kept for couriers only.")
        raise InvalidInput(errors=[FieldError("/group_by", message, "choice")])


def _cells(actor: Actor) -> OnTimeRateQuerySet:
    """The cells an actor's figures add up: one grain only, or everything would count twice."""
    cells: OnTimeRateQuerySet = OnTimeRate.objects.visible_to(actor)
    return cells.of_merchants() if actor.is_merchant else cells.of_couriers()


def _courier_column(actor: Actor) -> str:
    return "counterpart_id" if actor.is_merchant else "organisation_id"


def _columns(actor: Actor, group_by: GroupBy | None) -> tuple[str, ...]:
    match group_by:
        case GroupBy.DAY:
            return ("due_date",)
        case GroupBy.COURIER:
            return (_courier_column(actor),)
        case GroupBy.LANE:
            return ("origin_id", "destination_id")
        case GroupBy.TIER:
            return ("tier_id",)
        case None:
            return ()


def _row(columns: tuple[Any, ...], counts: dict[str, Any], today: date) -> RateRow:
    group = columns[0] if len(columns) == 1 else columns
    return RateRow(group=group, provisional=_is_provisional(counts.pop("newest"), today), **counts)


def _sum(rows: list[RateRow]) -> RateRow:
    return RateRow(
        group=(),
        met=sum(row.met for row in rows),
        late=sum(row.late for row in rows),
        overdue=sum(row.overdue for row in rows),
        excused=sum(row.excused for row in rows),
        pending=sum(row.pending for row in rows),
        void=sum(row.void for row in rows),
        provisional=any(row.provisional for row in rows),
    )


def _is_provisional(newest: date, today: date) -> bool:
    """Whether a cohort closed (its day ended) less than seven days ago."""
    return newest + MATURE_AFTER >= today
