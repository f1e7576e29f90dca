"""The data of rate charts, and the table behind each."""

from datetime import date, timedelta
from random import Random

import pytest
from django.test import Client

from alliance.durations import duration_text, nearest_minute
from alliance.models import Organisation
from alliance.portal.charts import Chart, Picture
from alliance.portal.pictures import DayMap, Distribution, HeatMap, Intervals
from alliance.tenancy import Scope, scope
from slas.choices import Outcome
from slas.commitments.histograms import EDGES, bin_of
from slas.rates import charts
from slas.rates.charts import calendar_map, lane_map, lateness_chart, ranking_chart, reasons_chart
from slas.rates.names import Standing
from slas.rates.rules import REASONS, RateRow
from tests.slas.helpers.commitments import DAY, HOUR, NOON, Lane
from tests.slas.helpers.facts import Fact, write_cells

YESTERDAY = NOON.date() - DAY


def lateness_of(*lengths: timedelta) -> RateRow:
    histogram: dict[int, int] = {}
    for length in lengths:
        histogram[bin_of(length)] = histogram.get(bin_of(length), 0) + 1
    return RateRow(group=(), late=len(lengths), lateness=histogram)


def names_of(picture: Picture) -> list[str]:
    return [heading for heading, _cells in picture.lines]


# --- lanes -----------------------------------------------------------------------------------


def test_of_forty_by_forty_cities_the_busiest_are_drawn_and_more_are_listed() -> None:
    """City 1 has the most parcels, city 40 the fewest."""
    lanes = [
        RateRow(group=(origin, destination), met=(41 - origin) * (41 - destination))
        for origin in range(1, 41)
        for destination in range(1, 41)
    ]
    Random(1).shuffle(lanes)
    picture = lane_map(lanes, {city: f"City {city}" for city in range(1, 41)}, id="lanes", title="Lanes")
    assert list(picture.across) == list(picture.down) == [f"City {city}" for city in range(1, 16)]
    assert len(picture.spots) == 15 * 15
    assert len(picture.lines) == charts.MOST_LINES
    assert names_of(picture)[0] == "City 1 → City 1"


def test_a_spot_is_where_its_cities_are() -> None:
    lanes = [
        RateRow(group=(7, 8), met=9, late=1),
        RateRow(group=(8, 7), met=3),
        RateRow(group=(7, 7), void=5),
    ]
    picture = lane_map(lanes, {7: "Hangzhou", 8: "Chengdu"}, id="lanes", title="Lanes")
    assert (picture.down, picture.across) == (["Hangzhou", "Chengdu"], ["Chengdu", "Hangzhou"])
    assert [tuple(spot) for spot in picture.spots] == [(0, 0, 0.9, 10), (1, 1, 1.0, 3)]
    # Rows without judged commitments are neither drawn nor listed.
    assert names_of(picture) == ["Hangzhou → Chengdu", "Chengdu → Hangzhou"]
    assert picture.as_json()["few"] == 30


def test_all_excused_is_nothing_judged() -> None:
    picture = lane_map([RateRow(group=(1, 1), late=2, excused=2)], {1: "Wuhan"}, id="lanes", title="Lanes")
    [spot] = picture.spots
    assert (spot.share, spot.n) == (None, 2)


# --- calendar --------------------------------------------------------------------------------


def test_a_calendar_has_the_days_that_were_judged() -> None:
    first = date(2026, 1, 1)
    days = [RateRow(group=first + DAY * ahead, met=ahead % 2) for ahead in range(365)]
    picture = calendar_map(days, id="calendar", title="Calendar")
    assert picture.as_json()["range"] == ["2026-01-01", "2026-12-31"]
    assert len(picture.as_json()["days"]) == len(picture.lines) == 182
    assert picture.as_json()["days"][0] == ["2026-01-02", 1.0, 1]


# --- lateness --------------------------------------------------------------------------------


def test_bars_of_lateness_are_edges_of_bins() -> None:
    assert set(charts.LATENESS_EDGES[1:]) <= set(EDGES)


@pytest.mark.parametrize(
    ("late", "bar"),
    [
        (timedelta(seconds=1), 0), (HOUR / 2, 0), (HOUR / 2 + timedelta(seconds=1), 1), (HOUR, 1), (DAY, 6),
        (DAY + HOUR, 7), (3 * DAY, 8), (11 * DAY, 11), (60 * DAY, 11), (300 * DAY, 11),
    ],
)  # fmt: skip
def test_each_lateness_is_in_one_bar(late: timedelta, bar: int) -> None:
    picture = lateness_chart(lateness_of(late), id="late", title="Late")
    assert [number for number, count in enumerate(picture.counts) if count] == [bar]
    assert len(picture.edges) == len(picture.counts) + 1
    for mark in picture.marks:
        assert bar <= mark.at <= bar + 1


def test_percentiles_stand_in_the_picture_and_its_table() -> None:
    row = lateness_of(*[HOUR] * 89, *[2 * DAY] * 11)
    picture = lateness_chart(row, id="late", title="Late")
    assert [(mark.name, mark.text) for mark in picture.marks][0] == (
        "P50",
        duration_text(nearest_minute(row.p50)),
    )
    assert picture.marks[1].at == pytest.approx(8, abs=0.05)
    assert names_of(picture)[-3:] == ["P50", "P90", "P95"]
    assert picture.lines[1] == ("30 min to 1 h", [(89, "number"), (0.89, "percent")])


# --- ranking ---------------------------------------------------------------------------------


def standing(pk: int, **counts: int) -> Standing:
    return Standing(f"Courier {pk}", f"courier-{pk}", RateRow(group=pk, **counts))


def test_a_ranking_marks_few_and_ones_own() -> None:
    couriers = [
        standing(1, met=100),
        standing(2, met=90, late=10),
        standing(3, met=2),
        standing(4, pending=3),
    ]
    picture = ranking_chart(couriers, id="couriers", title="Couriers", own=2)
    result = [(whisker.name, whisker.n, whisker.is_few, whisker.is_own) for whisker in picture.whiskers]
    assert result == [
        ("Courier 1", 100, False, False),
        ("Courier 2", 100, False, True),
        ("Courier 3", 2, True, False),
    ]
    for whisker in picture.whiskers:
        assert whisker.low <= whisker.share <= whisker.high
    assert [cells[0] for _name, cells in picture.lines] == [(1, "number"), (2, "number"), (3, "number")]


# --- the page --------------------------------------------------------------------------------


@pytest.fixture
def judged(lane: Lane) -> Lane:
    parties = (lane.merchant.pk, lane.courier.pk, lane.tier.pk, lane.origin, lane.destination, YESTERDAY)
    with scope(Scope.everything()):
        write_cells(
            [Fact(*parties), Fact(*parties, Outcome.LATE, late=HOUR), Fact(*parties, Outcome.OVERDUE)]
        )
    return lane


@pytest.mark.django_db
@pytest.mark.parametrize("fixture_name", ["courier_client", "merchant_client", "ops_client"])
@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        ("trend", Chart), ("lanes", HeatMap), ("calendar", DayMap), ("lateness", Distribution),
        ("couriers", Intervals), ("groups", Chart),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_actor_gets_every_chart_with_a_table(
    judged: Lane, request: pytest.FixtureRequest, fixture_name: str, picture: str, kind: type, language: str
) -> None:
    client: Client = request.getfixturevalue(fixture_name)
    client.cookies["django_language"] = language
    response = client.get("/rates/", {"group_by": "tier", "picture": picture})
    chart: Picture = response.context["shown"].chart
    assert isinstance(chart, kind)
    assert not chart.is_empty
    assert chart.lines
    for _heading, cells in chart.lines:
        assert len(cells) == len(chart.columns) - 1
    html = response.content.decode()
    assert '<template id="rates-chart-data">' in html
    assert 'aria-current="page"' in html.partition('class="ca-pictures"')[2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("period", "points", "first_name"), [("30", 30, None), ("365", 1, "week"), ("custom", 1, "month")]
)
def test_a_long_trend_is_by_week_or_month(
    judged: Lane, courier_client: Client, period: str, points: int, first_name: str | None
) -> None:
    dates = {"from": YESTERDAY - 900 * DAY, "to": NOON.date()} if period == "custom" else {}
    response = courier_client.get("/rates/", {"period": period, "group_by": "tier", **dates})
    chart = response.context["shown"].chart
    assert len(chart.categories) == points
    assert str(chart.title) == f"On time by {first_name or 'day'}"


def test_exempt_parcels_are_drawn_by_reason() -> None:
    # By the place of the reason in REASONS.
    row = RateRow(("x",), reasons={0: 3, 2: 5, 1: 0})
    chart = reasons_chart(row, id="x", title="Excluded by reason")
    assert list(chart.categories) == [str(reason.label) for reason in (REASONS[0], REASONS[2])]
    assert [list(series.values) for series in chart.series] == [[3, 5]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("label", "title"),
    [("Provinces", "On time by province of destination"), ("Excluded by reason", "Excluded by reason")],
)
def test_a_preset_draws_what_it_says(judged: Lane, courier_client: Client, label: str, title: str) -> None:
    page = courier_client.get("/rates/")
    [url] = [preset.url for preset in page.context["presets"] if preset.label == label]
    assert str(courier_client.get(f"/rates/{url}").context["shown"].chart.title) == title


@pytest.mark.django_db
def test_lateness_chart_notes_missing_parcels(judged: Lane, courier_client: Client) -> None:
    html = courier_client.get("/rates/", {"picture": "lateness"}).content.decode()
    assert "1 not completed" in html


@pytest.mark.django_db
def test_courier_with_few_parcels_reads_why_it_has_no_rank(
    judged: Lane, rival_courier: Organisation, courier_client: Client
) -> None:
    response = courier_client.get("/rates/", {"picture": "couriers"})
    assert "at least 3 couriers of 30 parcels each" in response.content.decode()
    assert rival_courier.name not in response.content.decode()


@pytest.mark.django_db
def test_rates_without_promises_have_no_chart(courier_client: Client, lane: Lane) -> None:
    response = courier_client.get("/rates/", {"picture": "calendar"})
    assert "Nothing was due on these days" in response.content.decode()
    assert "data-chart=" not in response.content.decode()


@pytest.mark.django_db
def test_too_many_lanes_for_one_picture_leave_the_table(
    judged: Lane, courier_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rows by tier fit, lanes do not.
    with scope(Scope.everything()):
        write_cells(
            [
                Fact(
                    judged.merchant.pk, judged.courier.pk, judged.tier.pk, judged.destination, judged.origin,
                    YESTERDAY,
                )
            ]
        )  # fmt: skip
    monkeypatch.setattr("slas.rates.queries.MOST_ROWS", 1)
    response = courier_client.get("/rates/", {"picture": "lanes", "group_by": "tier"})
    assert "Too much data for one chart" in response.content.decode()
    assert [line.row.n for line in response.context["page"].rows] == [4]
