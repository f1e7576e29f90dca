"""On-time rates, read from the folded cells: the cost does not depend on the number of parcels.

Cells come in two grains that each hold every commitment: by courier and lane, and by merchant, courier and
lane. A query is answered from one of them. The figures are defined in slas/rates/rules.py.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.figures import kept
from alliance.tenancy import Actor, Scope, require, scope
from couriers.homes.lists import told_at_homes
from slas.choices import CommitmentKind, Measure
from slas.commitments.models import Commitment
from slas.commitments.querysets import CommitmentQuerySet
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
# The longest period of an answer by day: a year and its leap day; otherwise all days since 2016.
LONGEST = timedelta(days=366)
LONGEST_SUM = timedelta(days=7_305)
# Larger answers are of no use on a page; they belong into an export.
MOST_ROWS = 5_000
# With fewer couriers, a rank would reveal one competitor's rate.
LEAST_RANKED = 3
_DISTRIBUTIONS = (Measure.LATENESS, Measure.EXCUSED)


@dataclass(frozen=True, slots=True)
class RateAnswer:
    """The rows of an answer, in order, and their total."""

    query: RateQuery
    total: RateRow
    rows: list[RateRow]


@dataclass(frozen=True, slots=True)
class RateSummary:
    """The figures a dashboard shows for one kind of commitment."""

    week: RateRow
    month: RateRow
    # One row per day, the last 30 days, oldest first, days without parcels included.
    trend: list[RateRow]
    # Promised for today, judged or not; and the part still open.
    due_today: int
    open_today: int
    # Past due and not reached, of all due dates.
    overdue_now: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Couriers, by lower bound, highest first. A courier sees only its own row and rank."""

    rows: list[RateRow]
    # The rank of the courier that asks; None for other actors, and if it may not be shown.
    place: int | None
    # The number of ranked couriers.
    of: int


def answer_rates(*, actor: Actor, query: RateQuery, today: date) -> RateAnswer:
    """Return the rates of commitments that fell due in a period, with all figures.

    A courier sees its own, a merchant those of its parcels, ops all. The answer has a group if anything of
    the requested milestone was promised in it. Raises NotPermitted without the capability, InvalidInput for
    an impossible period or grouping, or an answer of too many rows.
    """
    require(actor, Capability.VIEW_RATES)
    _check(query)
    parts = _read(actor, query, today, detailed=True)
    # Pickups in groups without deliveries still belong to the total.
    total = total_of([row for _is_requested, row in parts], kind=query.kind)
    rows = [row for is_requested, row in parts if is_requested]
    if not rows:
        total = replace(total, provisional=is_provisional(query.last, today))
    return RateAnswer(query, total, in_order(rows, query.group_by) if query.group_by else [total])


def count_rates(*, actor: Actor, query: RateQuery, today: date) -> list[RateRow]:
    """Return the rows of `answer_rates` without pickups, distributions and reasons: one query."""
    require(actor, Capability.VIEW_RATES)
    _check(query)
    rows = [row for _is_requested, row in _read(actor, query, today, detailed=False)]
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
    """Return on-time rates by one dimension or none, in one query; without `group_by` exactly one row."""
    query = RateQuery(first, last, kind, (group_by,) if group_by else ())
    return count_rates(actor=actor, query=query, today=today)


def rank_couriers(*, actor: Actor, query: RateQuery, today: date) -> Ranking:
    """Return couriers by the lower bound of their accountable rate, highest first.

    Ops see every courier, a merchant those it used. A courier gets its own figures and its rank over all
    couriers' parcels of the query, if the rank does not reveal another courier's rate: among LEAST_RANKED or
    more couriers with as many parcels as a rate needs, and not by merchant.
    """
    query = replace(query, group_by=(GroupBy.COURIER,))
    own = count_rates(actor=actor, query=query, today=today)
    if not actor.is_courier:
        return Ranking(own, None, sum(row.n > 0 for row in own))
    if query.merchants is not None:
        return Ranking(own, None, 0)
    # Names and figures of other couriers stay in here: only the rank leaves.
    with scope(Scope.everything()):
        all_couriers = replace(query, couriers=None)
        rows = count_rates(actor=Actor.system("ranking"), query=all_couriers, today=today)
    ranked = [row.group for row in rows if not row.is_few]
    if len(ranked) < LEAST_RANKED or actor.organisation_id not in ranked:
        return Ranking(own, None, 0)
    return Ranking(own, ranked.index(actor.organisation_id) + 1, len(ranked))


def summary_for(
    *, actor: Actor, today: date, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> RateSummary:
    """Return the figures of a dashboard: two periods, their days, today and what is overdue."""
    first = today - timedelta(days=MONTH - 1)
    rows = rates_for(actor=actor, first=first, last=today, today=today, group_by=GroupBy.DAY, kind=kind)
    trend = every_day(rows, first, today, today=today)
    return RateSummary(
        week=total_of(trend[-WEEK:], kind=kind),
        month=total_of(trend, kind=kind),
        trend=trend,
        due_today=trend[-1].promised,
        open_today=trend[-1].pending,
        overdue_now=max(_overdue(actor).overdue_now(kind) - _gone_by_courier(actor, kind).total(), 0),
    )


def every_day(rows: Sequence[RateRow], first: date, last: date, *, today: date) -> list[RateRow]:
    """Return an answer by day, with empty rows for days nothing fell due on."""
    rows_by_day = {row.group: row for row in rows}
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [
        rows_by_day.get(day) or RateRow(group=day, provisional=is_provisional(day, today)) for day in days
    ]


def overdue_by_courier(
    *, actor: Actor, kind: CommitmentKind | str = CommitmentKind.DELIVERY
) -> dict[int, int]:
    """Return the number of promises past due and still to come of each courier, of all due dates."""
    require(actor, Capability.VIEW_RATES)
    column = "counterpart_id" if actor.is_merchant else "organisation_id"
    gone = _gone_by_courier(actor, kind)
    counts = _overdue(actor).overdue_by(column, kind)
    return {courier: count - gone[courier] for courier, count in counts.items() if count > gone[courier]}


def _gone_by_courier(actor: Actor, kind: CommitmentKind | str) -> Counter[int]:
    """Return how many overdue promises of each courier nobody waits for any more."""
    # Few: the indexes of lost parcels and of those sent back find them.
    commitments: CommitmentQuerySet = Commitment.objects.visible_to(actor).filter(kind=kind)
    by_courier = commitments.never_to_come().order_by().values("courier_id").annotate(gone=Count("parcel_id"))

    def counted() -> Counter[int]:
        told = told_at_homes(by_courier)
        counts = Counter[int]()
        for row in by_courier if told is None else told:
            counts[row["courier_id"]] += row["gone"]
        return counts

    return kept(f"gone:{kind}", actor, counted, otherwise=Counter())


def _overdue(actor: Actor) -> OnTimeRateQuerySet:
    counts: OnTimeRateQuerySet = OverdueCount.objects.all()
    return counts.in_grain(actor, by_merchant=actor.is_merchant)


def _check(query: RateQuery) -> None:
    if query.first > query.last:
        message = _("The end date is before the start date.")
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    longest = LONGEST if GroupBy.DAY in query.group_by else LONGEST_SUM
    if query.last - query.first >= longest:
        message = _("At most %(days)d days at once.") % {"days": longest.days}
        raise InvalidInput(errors=[FieldError("/from", message, "period")])
    if len(query.group_by) > MOST_DIMENSIONS:
        message = _("Group by at most %(most)d things at once.") % {"most": MOST_DIMENSIONS}
        raise InvalidInput(errors=[FieldError("/group_by", message, "too_many")])
    if len(set(query.group_by)) < len(query.group_by):
        message = _("Group by each thing only once.")
        raise InvalidInput(errors=[FieldError("/group_by", message, "repeated")])


def _read(actor: Actor, query: RateQuery, today: date, *, detailed: bool) -> list[tuple[bool, RateRow]]:
    """The groups, unordered, each with whether it has anything of the requested milestone."""
    query = replace(query, by_merchant=query.needs_merchants or actor.is_merchant)
    rates: OnTimeRateQuerySet = OnTimeRate.objects.all()
    cells = rates.for_query(actor, query)
    groups = list(cells.counted(query, with_pickups=detailed, most=MOST_ROWS + 1))
    if len(groups) > MOST_ROWS:
        message = _("The result would have more than %(most)d rows: narrow the query, or group by less.")
        raise InvalidInput(errors=[FieldError("/group_by", message % {"most": MOST_ROWS}, "too_many_rows")])
    shapes = _shapes(actor, query) if detailed else {}
    rows = []
    for columns, counts in groups:
        newest = counts.pop("newest")
        # The total of no cells is a row as well, an empty one.
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
    shapes: dict[tuple[Any, ...], dict[int, int]] = defaultdict(dict)
    for *group, number, count in bins.for_query(actor, query).binned(query, _DISTRIBUTIONS):
        shapes[tuple(group)][number] = count
    return shapes


def _group(columns: tuple[Any, ...], group_by: Sequence[GroupBy]) -> Any:
    """Combine the columns of a group into one key per dimension: a lane and a province are two columns."""
    column = iter(columns)
    keys = tuple((next(column), next(column)) if item in PAIRS else next(column) for item in group_by)
    return keys[0] if len(keys) == 1 else keys
