"""The chart on the page of on-time rates, of the same query as the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.utils import formats
from django.utils.translation import gettext as _

from alliance.dates import date_text
from alliance.models import City
from alliance.portal.charts import Picture
from alliance.tenancy import Actor
from slas.portal.rate_form import GROUPS, PICTURES
from slas.rates.charts import (
    MOST_BARS,
    calendar_map,
    groups_chart,
    lane_map,
    lateness_chart,
    ranking_chart,
    reasons_chart,
    trend_chart,
)
from slas.rates.names import NamedRow, Standing, standings
from slas.rates.queries import LEAST_RANKED, RateAnswer, count_rates, every_day, rank_couriers
from slas.rates.rules import FEW, GroupBy, RateQuery

# Longer trends are drawn by week, and the longest by month.
MOST_DAYS, MOST_WEEKS_OF_DAYS = 92, 731
YEAR = timedelta(days=364)
CHART_ID = "rates-chart"


@dataclass(frozen=True, slots=True)
class Shown:
    """A chart with an optional note."""

    chart: Picture
    note: str = ""


def picture_names(answer: RateAnswer) -> list[str]:
    """The charts to choose from: rows are compared only if grouped by one dimension other than time."""
    rows_compare = len(answer.query.group_by) == 1 and answer.query.group_by[0] not in _TREND_NAMES
    return [name for name in PICTURES if name != "groups" or rows_compare]


def draw(
    name: str, *, actor: Actor, answer: RateAnswer, named_rows: Sequence[NamedRow], today: date
) -> Shown:
    """Draw a chart of a query. Charts that need more than the answer read it themselves."""
    if name == "groups" and name in picture_names(answer):
        return _groups(answer, named_rows)
    if name == "lateness":
        return _lateness(answer)
    if name == "reasons":
        return Shown(reasons_chart(answer.total, id=CHART_ID, title=str(PICTURES["reasons"])))
    drawers: dict[str, Callable[[Actor, RateQuery, date], Shown]] = {
        "lanes": _lanes,
        "calendar": _calendar,
        "couriers": _couriers,
    }
    return drawers.get(name, _trend)(actor, answer.query, today)


def _trend(actor: Actor, query: RateQuery, today: date) -> Shown:
    by = GroupBy.DAY
    if query.days > MOST_DAYS:
        by = GroupBy.WEEK if query.days <= MOST_WEEKS_OF_DAYS else GroupBy.MONTH
    rows = count_rates(actor=actor, query=replace(query, group_by=(by,)), today=today)
    title = str(GROUPS[by][1])
    if by == GroupBy.DAY:
        days = every_day(rows, query.first, query.last, today=today)
        return Shown(trend_chart(days, id=CHART_ID, title=title))
    return Shown(trend_chart(rows, id=CHART_ID, title=title, name=_TREND_NAMES[by]))


def _lanes(actor: Actor, query: RateQuery, today: date) -> Shown:
    rows = count_rates(actor=actor, query=replace(query, group_by=(GroupBy.LANE,)), today=today)
    names = {
        city.pk: city.name for city in City.objects.in_bulk({pk for row in rows for pk in row.group}).values()
    }
    chart = lane_map(rows, names, id=CHART_ID, title=_("On time by origin and destination"))
    judged = [row for row in rows if row.n]
    note = ""
    if len(chart.spots) < len(judged):
        note = _("Showing %(shown)d of %(all)d lanes: those between the cities with the most parcels.") % {
            "shown": len(chart.spots),
            "all": len(judged),
        }
    return Shown(chart, note)


def _calendar(actor: Actor, query: RateQuery, today: date) -> Shown:
    """Draw the year up to the period's last day: a calendar of a week would be useless."""
    year_query = replace(query, first=query.last - YEAR, group_by=(GroupBy.DAY,))
    rows = count_rates(actor=actor, query=year_query, today=today)
    days = every_day(rows, year_query.first, year_query.last, today=today)
    title = _("On time by day, the year to %(day)s") % {"day": date_text(query.last)}
    return Shown(calendar_map(days, id=CHART_ID, title=title))


def _lateness(answer: RateAnswer) -> Shown:
    chart = lateness_chart(answer.total, id=CHART_ID, title=_("Distribution of delays"))
    missing = answer.total.overdue
    if not missing:
        return Shown(chart)
    note = _("Not included, as their delay is not known yet: %(count)s not completed.")
    return Shown(chart, note % {"count": f"{missing:,}"})


def _couriers(actor: Actor, query: RateQuery, today: date) -> Shown:
    ranking = rank_couriers(actor=actor, query=query, today=today)
    own = actor.organisation_id if actor.is_courier else None
    chart = ranking_chart(
        standings(ranking.rows, GroupBy.COURIER),
        id=CHART_ID,
        title=_("Couriers ranked by the lower bound of their accountable rate"),
        own=own,
        place=ranking.place,
    )
    if own is None:
        return Shown(chart)
    if ranking.place is None:
        note = _("A rank is shown only with at least %(couriers)d couriers of %(parcels)d parcels each.")
        return Shown(chart, note % {"couriers": LEAST_RANKED, "parcels": FEW})
    note = _("Your rank: %(place)d of %(of)d couriers. The others are not named.")
    return Shown(chart, note % {"place": ranking.place, "of": ranking.of})


def _groups(answer: RateAnswer, named_rows: Sequence[NamedRow]) -> Shown:
    [by] = answer.query.group_by
    column, title = (str(text) for text in GROUPS[by])
    standings_judged = [Standing(line.names[0], line.codes[0], line.row) for line in named_rows if line.row.n]
    if len(standings_judged) > MOST_BARS:
        title = _("%(title)s: the first %(most)d of %(total)d") % {
            "title": title, "most": MOST_BARS, "total": len(standings_judged)
        }  # fmt: skip
    return Shown(groups_chart(standings_judged[:MOST_BARS], id=CHART_ID, title=title, category_name=column))


def _short_week(monday: date) -> str:
    return date_text(monday)


def _short_month(first: date) -> str:
    return formats.date_format(first, "YEAR_MONTH_FORMAT")


_TREND_NAMES: dict[GroupBy, Callable[[date], str]] = {
    GroupBy.DAY: _short_week,
    GroupBy.WEEK: _short_week,
    GroupBy.MONTH: _short_month,
}
