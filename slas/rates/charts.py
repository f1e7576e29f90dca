"""On-time rates as charts, each with its table."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from alliance.dates import date_text
from alliance.durations import duration_text, nearest_minute
from alliance.portal.charts import Band, Cell, Chart, Line, Series
from alliance.portal.pictures import DayMap, Distribution, HeatMap, Intervals, Mark, Spot, Whisker
from slas.commitments.histograms import bounds
from slas.rates.names import Standing
from slas.rates.rules import FEW, RateRow

RAW_COLOUR, ACCOUNTABLE_COLOUR = "orange", "petrol"
# Cities along each side of a heat map, bars in a chart, rows in a chart's table.
MOST_CITIES, MOST_BARS, MOST_WHISKERS, MOST_LINES = 15, 10, 20, 200
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The ranges lateness is drawn in; each is an edge of the bins it is counted in.
LATENESS_EDGES = (
    timedelta(0), HOUR / 2, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 5 * DAY,
    10 * DAY, 60 * DAY,
)  # fmt: skip
PERCENTILES = (50, 90, 95)


def trend_chart(
    days: Sequence[RateRow], *, id: str, title: str, name: Callable[[date], str] | None = None
) -> Chart:
    """Draw rates by day (or week, or month: `name` formats it), oldest first; a day without a rate is a
    gap."""
    interval = _("Interval of 95 %")
    write = name or (lambda day: formats.date_format(day, "MONTH_DAY_FORMAT"))
    return Chart(
        id=id,
        title=title,
        unit="percent",
        category_name=_("Day") if name is None else _("From"),
        categories=[write(day.group) for day in days],
        series=_series(days),
        counts=[day.n for day in days],
        band=Band(interval, [day.lower_bound for day in days], [day.upper_bound for day in days]),
        provisional_from=next((index for index, day in enumerate(days) if day.provisional), None),
    )


def groups_chart(groups: Sequence[Standing], *, id: str, title: str, category_name: str | Promise) -> Chart:
    """Draw the rates of lanes, tiers, weekdays and other groups beside each other."""
    rows = [group.row for group in groups]
    return Chart(
        id=id,
        title=title,
        kind="bar",
        unit="percent",
        category_name=category_name,
        # A lane takes two lines; on one, only every third name would fit.
        categories=[group.name.replace(" → ", "\n→ ") for group in groups],
        series=_series(rows),
        counts=[row.n for row in rows],
    )


def lane_map(lanes: Sequence[RateRow], names: dict[int, str], *, id: str, title: str) -> HeatMap:
    """Draw lanes as a heat map of cities; `group` of a row is (origin id, destination id).

    The cities with the most parcels are drawn; the table has more lanes than the chart.
    """
    lanes_judged = sorted((row for row in lanes if row.n), key=lambda row: -row.n)
    origins, destinations = _busiest(lanes_judged, 0), _busiest(lanes_judged, 1)
    return HeatMap(
        id=id,
        title=title,
        across=[names[city] for city in destinations],
        down=[names[city] for city in origins],
        spots=[
            Spot(destinations[row.group[1]], origins[row.group[0]], row.accountable, row.n)
            for row in lanes_judged
            if row.group[0] in origins and row.group[1] in destinations
        ],
        across_name=_("To"),
        down_name=_("From"),
        share_name=_("Accountable"),
        few=FEW,
        columns=_rate_columns(_("Lane")),
        lines=[
            _rate_line(f"{names[row.group[0]]} → {names[row.group[1]]}", row)
            for row in lanes_judged[:MOST_LINES]
        ],
    )


def calendar_map(days: Sequence[RateRow], *, id: str, title: str) -> DayMap:
    """Draw every day of a year; `days` has all of them, oldest first."""
    return DayMap(
        id=id,
        title=title,
        first=days[0].group,
        last=days[-1].group,
        days=[(day.group, day.accountable, day.n) for day in days],
        share_name=_("Accountable"),
        few=FEW,
        columns=_rate_columns(_("Day")),
        lines=[_rate_line(date_text(day.group), day) for day in days if day.n],
    )


def lateness_chart(row: RateRow, *, id: str, title: str) -> Distribution:
    """Draw how late the late deliveries were, with the percentiles."""
    counts = [0] * (len(LATENESS_EDGES) - 1)
    for number, count in row.lateness.items():
        counts[_bar(bounds(number)[1])] += count
    edges = [duration_text(edge) for edge in LATENESS_EDGES]
    marks = [
        Mark(f"P{percent}", _position(late), duration_text(nearest_minute(late)))
        for percent in PERCENTILES
        if (late := row.lateness_at(percent)) is not None
    ]
    return Distribution(
        id=id,
        title=title,
        # The last bar includes lateness of more than sixty days.
        edges=[*edges[:-1], "…"],
        counts=counts,
        marks=marks,
        count_name=_("Parcels"),
        columns=[_("Late by"), _("Parcels"), _("Share")],
        lines=[*_bars(edges, counts), *_marks(marks)],
    )


def reasons_chart(row: RateRow, *, id: str, title: str) -> Chart:
    """Draw how many commitments are left out of the accountable rate, by reason."""
    return Chart(
        id=id,
        title=title,
        kind="bar",
        category_name=_("Reason"),
        categories=[str(reason.label) for reason in row.excused_by],
        series=[Series(_("Exempt"), list(row.excused_by.values()))],
    )


def ranking_chart(
    couriers: Sequence[Standing], *, id: str, title: str, own: int | None = None, place: int | None = None
) -> Intervals:
    """Draw couriers by lower bound with their intervals; `own` is the reader's id, `place` its rank."""
    judged = [courier for courier in couriers if courier.row.accountable_n > 0]
    return Intervals(
        id=id,
        title=title,
        whiskers=[
            Whisker(
                courier.name,
                courier.row.lower_bound or 0.0,
                courier.row.accountable or 0.0,
                courier.row.upper_bound or 0.0,
                courier.row.n,
                courier.row.is_few,
                courier.row.group == own,
            )
            for courier in judged[:MOST_WHISKERS]
        ],
        share_name=_("Accountable"),
        interval_name=_("Interval of 95 %"),
        columns=[_("Courier"), _("Rank"), *_rate_columns("")[1:]],
        lines=[
            (courier.name, [(place or number, "number"), *_rate_line("", courier.row)[1]])
            for number, courier in enumerate(judged[:MOST_LINES], start=1)
        ],
    )


def _series(rows: Sequence[RateRow]) -> list[Series]:
    return [
        Series(_("Accountable"), [row.accountable for row in rows], colour=ACCOUNTABLE_COLOUR),
        Series(_("Raw"), [row.raw for row in rows], colour=RAW_COLOUR, dashed=True),
    ]


def _rate_columns(heading: str) -> list[str]:
    return [heading, _("Accountable"), _("At least"), _("At most"), _("Raw"), "n"]


def _rate_line(heading: str, row: RateRow) -> Line:
    cells: list[Cell] = [
        (row.accountable, "percent"),
        (row.lower_bound, "percent"),
        (row.upper_bound, "percent"),
        (row.raw, "percent"),
        (row.n, "number"),
    ]
    return heading, cells


def _busiest(lanes: Sequence[RateRow], end: int) -> dict[int, int]:
    """The cities at one end of lanes with the most parcels, each with its rank."""
    parcels: Counter[int] = Counter()
    for row in lanes:
        parcels[row.group[end]] += row.n
    return {city: index for index, (city, _n) in enumerate(parcels.most_common(MOST_CITIES))}


def _bar(lateness: timedelta) -> int:
    """The bar that contains a lateness; the last bar is open-ended."""
    bars = len(LATENESS_EDGES) - 1
    return next((bar for bar in range(bars) if lateness <= LATENESS_EDGES[bar + 1]), bars - 1)


def _position(lateness: timedelta) -> float:
    """The position of a lateness across the bars, each 1 wide."""
    bar = _bar(lateness)
    low, high = LATENESS_EDGES[bar], LATENESS_EDGES[bar + 1]
    return min(bar + (lateness - low) / (high - low), bar + 1.0)


def _marks(marks: Sequence[Mark]) -> list[Line]:
    return [(mark.name, [(mark.text, "text"), (None, "text")]) for mark in marks]


def _bars(edges: Sequence[str], counts: Sequence[int]) -> list[Line]:
    total = sum(counts)
    texts = [_("%(low)s to %(high)s") % {"low": low, "high": high} for low, high in pairwise(edges)]
    texts[-1] = _("more than %(low)s") % {"low": edges[-2]}
    return [
        (text, [(count, "number"), (count / total if total else None, "percent")])
        for text, count in zip(texts, counts, strict=True)
    ]
