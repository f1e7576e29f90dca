"""On-time rates, read from the folded cells: a page costs the same at a thousand parcels and at a billion.

Cells come in two grains that each hold every commitment: by courier and lane, and by merchant, courier
and lane. A question is answered from one of them. What the figures mean is in slas/rates/rules.py.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.tenancy import Actor, Scope, require, scope
from slas.choices import CommitmentKind, Measure
from slas.rates.models import HistogramBin, OnTimeRate, OverdueCount
from slas.rates.querysets import OnTimeRateQuerySet
from slas.rates.rules import (
    MOST_DIMENSIONS,
    PAIRS,
    GroupBy,
    RateQuery,
    RateRow,
    in_order,
    is_provisional,
    total_of,
)

WEEK, MONTH = 7, 30
# What one answer by day may span: a year and its leap day. Else, all there can be since 2016.
LONGEST = timedelta(days=366)
LONGEST_SUM = timedelta(days=7_305)
# More rows than these are no answer to anybody; they belong into an export.
MOST_ROWS = 5_000
# Among fewer a place tells how one certain other courier did.
LEAST_RANKED = 3
_DISTRIBUTIONS = (Measure.LATENESS, Measure.EXCUSED)


@dataclass(frozen=True, slots=True)
class RateAnswer:
    """The rows of an answer, in order, and the whole they are parts of."""

    query: RateQuery
    total: RateRow
    rows: list[RateRow]


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


@dataclass(frozen=True, slots=True)
class Ranking:
    """Couriers, the surest first. A courier sees its own row and place, and nothing of the others."""

    rows: list[RateRow]
    # The asking courier's place; None for others, and where there is none to tell.
    place: int | None
    # Of how many.
    of: int


def answer_rates(*, actor: Actor, query: RateQuery, today: date) -> RateAnswer:
    """Return the rates of what fell due in a period, with every figure there is.

    A courier sees its own, a merchant its own parcels', ops everybody's. A group is in the answer when
    anything of the milestone asked for was promised in it. Raises NotPermitted without the
    capability, InvalidInput for a period or grouping that can't be, or an answer of too many rows.
    """
    require(actor, Capability.VIEW_RATES)
    _check(query)
    parts = _read(actor, query, today, detailed=True)
    # What was picked up in groups that nothing was to be delivered in belongs to the whole all the same.
    total = total_of([row for _is_asked_for, row in parts], kind=query.kind)
    rows = [row for is_asked_for, row in parts if is_asked_for]
    if not rows:
        total = replace(total, provisional=is_provisional(query.last, today))
    return RateAnswer(query, total, in_order(rows, query.group_by) if query.group_by else [total])


def count_rates(*, actor: Actor, query: RateQuery, today: date) -> list[RateRow]:
    """Return the rows of `answer_rates` without pickups, distributions and reasons: one query."""
    require(actor, Capability.VIEW_RATES)
    _check(query)
    rows = [row for _asked_for, row in _read(actor, query, today, detailed=False)]
    if query.group_by:
        return in_order(rows, query.group_by)
    return rows or [RateRow(group=(), kind=query.kind, provisional=is_provisional(query.last, today))]


def rates_for(
    *,
    actor: Actor,
    first: date,
    last: date,
    today: date,
    group_by: GroupBy | None = None,
    kind: CommitmentKind | str = CommitmentKind.DELIVERY,
) -> list[RateRow]:
    """Return on-time rates by one thing or none, in one query; without `group_by` exactly one row."""
    query = RateQuery(first, last, kind, (group_by,) if group_by else ())
    return count_rates(actor=actor, query=query, today=today)


def rank_couriers(*, actor: Actor, query: RateQuery, today: date) -> Ranking:
    """Return couriers by the lower bound of their accountable rate, the surest first.

    Ops see every courier, a merchant those it used. A courier is told its own figures and its place,
    counted over all couriers' parcels of that question, where the place gives nobody else away: among
    LEAST_RANKED or more couriers with as many parcels as a rate needs, and not by merchant.
    """
    query = replace(query, group_by=(GroupBy.COURIER,))
    own = count_rates(actor=actor, query=query, today=today)
    if not actor.is_courier:
        return Ranking(own, None, sum(row.n > 0 for row in own))
    if query.merchants is not None:
        return Ranking(own, None, 0)
    # Names and figures of the others stay in here: a place is all that leaves.
    with scope(Scope.everything()):
        everybody = replace(query, couriers=None)
        rows = count_rates(actor=Actor.system("ranking"), query=everybody, today=today)
    ranked = [row.group for row in rows if not row.is_few]
    if len(ranked) < LEAST_RANKED or actor.organisation_id not in ranked:
        return Ranking(own, None, 0)
    return Ranking(own, ranked.index(actor.organisation_id) + 1, len(ranked))


def summary_for(
    *, actor: Actor, today: date, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> RateSummary:
    """Return what a dashboard shows: two periods, the days behind them, today and what is overdue."""
    first = today - timedelta(days=MONTH - 1)
    rows = rates_for(actor=actor, first=first, last=today, today=today, group_by=GroupBy.DAY, kind=kind)
    trend = every_day(rows, first, today, today=today)
    return RateSummary(
        week=total_of(trend[-WEEK:], kind=kind),
        month=total_of(trend, kind=kind),
        trend=trend,
        due_today=trend[-1].promised,
        open_today=trend[-1].pending,
        overdue_now=_overdue(actor).overdue_now(kind),
    )


def every_day(rows: Sequence[RateRow], first: date, last: date, *, today: date) -> list[RateRow]:
    """Return an answer by day with the days nothing fell due on, too."""
    known = {row.group: row for row in rows}
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [known.get(day) or RateRow(group=day, provisional=is_provisional(day, today)) for day in days]


def overdue_by_courier(
    *, actor: Actor, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> dict[int, int]:
    """Return how many of each courier's promises are past due and not reached, of all due dates."""
    require(actor, Capability.VIEW_RATES)
    column = "counterpart_id" if actor.is_merchant else "organisation_id"
    return _overdue(actor).overdue_by(column, kind)


def _overdue(actor: Actor) -> OnTimeRateQuerySet:
    counts: OnTimeRateQuerySet = OverdueCount.objects.all()
    return counts.in_grain(actor, by_merchant=actor.is_merchant)


def _check(query: RateQuery) -> None:
    if query.first > query.last:
        message = _("The period ends before it begins.")
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    longest = LONGEST if GroupBy.DAY in query.group_by else LONGEST_SUM
    if query.last - query.first >= longest:
        message = _("Ask for at most %(days)d days at once.") % {"days": longest.days}
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    if len(query.group_by) > MOST_DIMENSIONS:
        message = _("Rows are by at most %(most)d things at once.") % {"most": MOST_DIMENSIONS}
        raise InvalidInput(errors=[FieldError("/group_by", message, "too_many")])
    if len(set(query.group_by)) < len(query.group_by):
        message = _("Name each thing the rows are by once.")
        raise InvalidInput(errors=[FieldError("/group_by", message, "repeated")])


def _read(actor: Actor, query: RateQuery, today: date, *, detailed: bool) -> list[tuple[bool, RateRow]]:
    """The groups, unordered, each with whether there is anything of the milestone asked for in it."""
    query = replace(query, by_merchant=query.needs_merchants or actor.is_merchant)
    rates: OnTimeRateQuerySet = OnTimeRate.objects.all()
    cells = rates.asked_for(actor, query)
    found = list(cells.counted(query, with_pickups=detailed, most=MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        message = _("The answer would have more than %(most)d rows: narrow the question, or ask by less.")
        raise InvalidInput(errors=[FieldError("/group_by", message % {"most": MOST_ROWS}, "too_many_rows")])
    shapes = _shapes(actor, query) if detailed else {}
    rows = []
    for columns, counts in found:
        newest = counts.pop("newest")
        # The total of no cells at all is a row, too, of nothing.
        if newest is None and not counts.get("pickup_n"):
            continue
        row = RateRow(
            group=_group(columns, query.group_by),
            kind=query.kind,
            provisional=newest is not None and is_provisional(newest, today),
            lateness=shapes.get((*columns, Measure.LATENESS), {}),
            reasons=shapes.get((*columns, Measure.EXCUSED), {}),
            **counts,
        )
        rows.append((newest is not None, row))
    return rows


def _shapes(actor: Actor, query: RateQuery) -> dict[tuple[Any, ...], dict[int, int]]:
    """Lateness and reasons of each group, by the group's columns and the measure."""
    bins: OnTimeRateQuerySet = HistogramBin.objects.all()
    found: dict[tuple[Any, ...], dict[int, int]] = defaultdict(dict)
    for *place, number, count in bins.asked_for(actor, query).binned(query, _DISTRIBUTIONS):
        found[tuple(place)][number] = count
    return found


def _group(columns: tuple[Any, ...], group_by: Sequence[GroupBy]) -> Any:
    """Take the columns of a group together to one key each: a lane and a province are two columns."""
    rest = iter(columns)
    keys = tuple((next(rest), next(rest)) if item in PAIRS else next(rest) for item in group_by)
    return keys[0] if len(keys) == 1 else keys
