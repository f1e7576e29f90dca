"""Reads of on-time rates."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Self

from django.core.exceptions import EmptyResultSet
from django.db.models import (
    F,
    Max,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, ExtractIsoWeekDay, TruncMonth, TruncWeek

from alliance.tenancy import Actor, TenantQuerySet, raw_rows
from slas.choices import CommitmentKind
from slas.rates.rules import GroupBy, RateQuery


class OnTimeRateQuerySet(TenantQuerySet):
    """Cells come in two grains that each hold every commitment: only cells of one grain may be added up."""

    COUNTS = (
        "met", "late", "overdue", "excused", "pending", "void",
        "attempted", "first_attempt", "within_48h", "within_72h",
    )  # fmt: skip

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(organisation_id=actor.organisation_id)

    def of_couriers(self) -> Self:
        return self.filter(counterpart=None)

    def of_merchants(self) -> Self:
        return self.exclude(counterpart=None)

    def in_grain(self, actor: Actor, *, by_merchant: bool) -> Self:
        """The cells of one grain that an actor's figures add up; by merchant, a courier's are in merchants'
        cells."""
        if not by_merchant:
            return self.visible_to(actor).of_couriers()
        if actor.is_courier and not actor.is_ops:
            return self.filter(counterpart_id=actor.tenant_id)
        return self.visible_to(actor).of_merchants()

    def for_query(self, actor: Actor, query: RateQuery) -> Self:
        """The cells or bins that a query covers, of every milestone."""
        cells = self.in_grain(actor, by_merchant=query.by_merchant).due_between(query.first, query.last)
        filters = (
            (_courier(query), query.couriers),
            # Only merchants' cells are filtered by merchant.
            ("organisation_id", query.merchants),
            ("tier_id", query.tiers),
            ("origin_id", query.origins),
            ("destination_id", query.destinations),
            ("due_date__iso_week_day", query.weekdays),
        )
        return cells.filter(*(Q((f"{column}__in", ids)) for column, ids in filters if ids is not None))

    def due_between(self, first: date, last: date) -> Self:
        return self.filter(due_date__range=(first, last))

    def counted(
        self, query: RateQuery, *, with_pickups: bool, most: int
    ) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Add up the cells by the query's groups: each group, its counts and its newest due date.

        Pickups are counted beside the requested milestone; a group of pickups only has no newest due date.
        Stops after `most` groups.
        """
        kinds = {query.kind, CommitmentKind.PICKUP} if with_pickups else {query.kind}
        is_requested, is_pickup = Q(kind=query.kind), Q(kind=CommitmentKind.PICKUP)
        zero = Value(0)
        sums: dict[str, Any] = {"newest": Max("due_date", filter=is_requested)}
        sums |= {f"all_{name}": Coalesce(Sum(name, filter=is_requested), zero) for name in self.COUNTS}
        if with_pickups:
            judged = F("met") + F("late") + F("overdue")
            sums["pickup_met"] = Coalesce(Sum("met", filter=is_pickup), zero)
            sums["pickup_n"] = Coalesce(Sum(judged, filter=is_pickup), zero)
        cells = self.filter(kind__in=kinds).order_by()
        names = [name.removeprefix("all_") for name in sums]
        columns = _columns(query)
        if not columns:
            yield (), dict(zip(names, cells.aggregate(**sums).values(), strict=True))
            return
        groups = cells.annotate(**columns).values(*columns).annotate(**sums)
        aggregates = {name: "max" if name == "newest" else "sum" for name in sums}
        for row in _rows(groups, query, columns, aggregates, most):
            keys = len(row) - len(sums)
            yield row[:keys], dict(zip(names, row[keys:], strict=True))

    def binned(self, query: RateQuery, measures: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Add up bins by the query's groups: columns of the group, measure, bin, count."""
        columns = _columns(query)
        bins = self.filter(kind=query.kind, measure__in=measures).order_by()
        columns |= {"of_measure": F("measure"), "of_bin": F("bin")}
        groups = bins.annotate(**columns).values(*columns).annotate(total=Sum("count"))
        return (row for row in _rows(groups, query, columns, {"total": "sum"}) if row[-1] > 0)

    def overdue_now(self, kind: str) -> int:
        """The number of overdue promises; for overdue counts, like overdue_by()."""
        total: int | None = self.filter(kind=kind).aggregate(total=Sum("overdue"))["total"]
        return total or 0

    def overdue_by(self, column: str, kind: str) -> dict[Any, int]:
        """The number of overdue promises by a column, zeros left out."""
        counts = self.order_by().filter(kind=kind, overdue__gt=0).values_list(column)
        return dict(counts.annotate(total=Sum("overdue")))


_GROUPS: dict[GroupBy, tuple[Any, ...]] = {
    GroupBy.DAY: (F("due_date"),),
    GroupBy.WEEK: (TruncWeek("due_date"),),
    GroupBy.MONTH: (TruncMonth("due_date"),),
    GroupBy.WEEKDAY: (ExtractIsoWeekDay("due_date"),),
    GroupBy.MERCHANT: (F("organisation_id"),),
    GroupBy.TIER: (F("tier_id"),),
    GroupBy.ORIGIN: (F("origin_id"),),
    GroupBy.DESTINATION: (F("destination_id"),),
    GroupBy.LANE: (F("origin_id"), F("destination_id")),
    # By city first; the cities are then added up by province, see _rows.
    GroupBy.ORIGIN_PROVINCE: (F("origin_id"),),
    GroupBy.DESTINATION_PROVINCE: (F("destination_id"),),
}


_PROVINCES: Final = frozenset({GroupBy.ORIGIN_PROVINCE, GroupBy.DESTINATION_PROVINCE})


def _courier(query: RateQuery) -> str:
    return "counterpart_id" if query.by_merchant else "organisation_id"


def _columns(query: RateQuery) -> dict[str, Any]:
    """The columns of the query's groups, in order, each under its own name."""
    columns: dict[str, Any] = {}
    for index, item in enumerate(query.group_by):
        expressions = (F(_courier(query)),) if item == GroupBy.COURIER else _GROUPS[item]
        for part, expression in enumerate(expressions):
            columns[f"group_{index}_{part}"] = expression
    return columns


def _rows(
    grouped: QuerySet[Any, Any],
    query: RateQuery,
    columns: Iterable[str],
    sums: Mapping[str, str],
    most: int | None = None,
) -> Iterable[tuple[Any, ...]]:
    """The groups of a query, each its columns and then its sums; a province is country and name.

    Names are joined after the cells are added up by city: joined to every cell, and grouped by as text, they
    made a year of all couriers take twice as long.
    """
    if _PROVINCES.isdisjoint(query.group_by):
        return grouped.values_list(*columns, *sums)[:most]
    cities = {f"group_{index}_0" for index, item in enumerate(query.group_by) if item in _PROVINCES}
    joins = [f"JOIN alliance_city AS {name}_city ON {name}_city.id = {name}" for name in sorted(cities)]
    keys = [
        key
        for name in columns
        for key in ([f"{name}_city.country", f"{name}_city.province_en"] if name in cities else [name])
    ]
    try:
        inner, parameters = grouped.query.sql_with_params()
    except EmptyResultSet:
        # An empty filter, such as no courier: Django raises without a query.
        return []
    # Sums of sums would be numeric.
    aggregates = ", ".join(
        f"sum({name})::bigint" if how == "sum" else f"{how}({name})" for name, how in sums.items()
    )
    statement = f"""
        SELECT {", ".join(keys)}, {aggregates} FROM ({inner}) AS cities {" ".join(joins)}
        GROUP BY {", ".join(keys)} LIMIT %s
    """  # noqa: S608 -- built of names of ours
    return raw_rows(statement, [*parameters, most])
