"""The page of on-time rates: its form, its answers, and its file."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.forms import BoundField
from django.test import Client
from django.utils import timezone

from alliance.choices import Role
from alliance.models import Organisation
from alliance.portal.charts import Picture
from alliance.tenancy import Scope, scope
from slas.choices import TierCode
from slas.portal import rates
from slas.rates import filter_choices
from tests import factories
from tests.factories import LOTUS, SWIFT
from tests.slas.helpers.commitments import DAY, HOUR, Lane, city, tier
from tests.slas.helpers.records import YESTERDAY, catch_up, judge_yesterday, promise

pytestmark = pytest.mark.django_db
URL, FILE = "/rates/", "/rates/download/"
TODAY = timezone.localdate()


@pytest.fixture
def judged(lane: Lane) -> Lane:
    judge_yesterday(lane)
    return lane


def page(client: Client, **query: object) -> rates.Page:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.context["page"]


def chart(client: Client, **query: object) -> Picture:
    return client.get(URL, query).context["shown"].chart


@pytest.mark.parametrize("fixture_name", ["courier_client", "merchant_client", "ops_client"])
def test_each_party_and_ops_see_the_period_as_a_whole(
    judged: Lane, fixture_name: str, request: pytest.FixtureRequest
) -> None:
    total = page(request.getfixturevalue(fixture_name)).total
    assert (total.n, total.raw, total.accountable, total.excused) == (6, 0.5, 0.6, 1)


@pytest.mark.parametrize(("period", "days"), [("7", 7), ("30", 30), ("90", 90)])
def test_periods_end_today(judged: Lane, courier_client: Client, period: str, days: int) -> None:
    result_page = page(courier_client, period=period)
    assert (result_page.first, result_page.last) == (TODAY - timedelta(days=days - 1), TODAY)
    trend = chart(courier_client, period=period)
    assert len(trend.categories) == days
    assert trend.counts[-2] == 6


def test_custom_dates_can_be_selected(judged: Lane, courier_client: Client) -> None:
    day = {"period": "custom", "from": TODAY - DAY, "to": TODAY - DAY}
    assert page(courier_client, **day).total.n == 6
    before = {"period": "custom", "from": TODAY - 9 * DAY, "to": TODAY - 2 * DAY}
    assert page(courier_client, **before).total.n == 0
    assert "Nothing was due on these days" in courier_client.get(URL, before).content.decode()


def test_dates_alone_are_meant(judged: Lane, courier_client: Client) -> None:
    """A URL has the parameters of the API, which has no period."""
    result_page = page(courier_client, **{"from": TODAY - 9 * DAY, "to": TODAY - 2 * DAY})
    assert (result_page.first, result_page.last) == (TODAY - 9 * DAY, TODAY - 2 * DAY)
    # A named period outweighs dates left over in the form.
    assert page(courier_client, **{"period": "7", "from": TODAY, "to": TODAY}).first == TODAY - 6 * DAY


def test_other_dates_begin_with_those_shown(courier_client: Client) -> None:
    form = courier_client.get(URL, {"period": "90"}).context["form"]
    assert (form["from"].value(), form["to"].value()) == (
        (TODAY - 89 * DAY).isoformat(),
        TODAY.isoformat(),
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"period": "custom"}, "Enter both dates."),
        ({"period": "custom", "from": "2026-02-30", "to": "2026-03-01"}, "Enter a valid date."),
        ({"period": "custom", "from": "2026-03-02", "to": "2026-03-01"}, "end date is before the start date"),
        ({"period": "custom", "from": "2020-01-01", "to": "2026-03-01"}, "At most 366 days"),
        ({"period": "custom", "from": "0001-01-01", "to": "2026-03-01"}, "between 2000 and 2099"),
        ({"group_by": "mood"}, "Cannot group by “mood”"),
        ({"group_by": "day,week,month,tier"}, "at most 3 things"),
        ({"tier": "never"}, "Unknown service “never”"),
        ({"origin": "Atlantis"}, "Unknown city “Atlantis”"),
        ({"origin_province": "Middle-earth"}, "Unknown province “Middle-earth”"),
        ({"merchant": "nobody\0"}, "Null characters are not allowed"),
        ({"weekday": "8"}, "Weekdays are numbers from 1"),
        ({"picture": "poem"}, "Select a valid choice"),
        ({"figures": "poem"}, "Select a valid choice"),
    ],
)
def test_questions_that_cannot_be_are_explained(
    courier_client: Client, query: dict[str, str], message: str
) -> None:
    response = courier_client.get(URL, query)
    assert response.status_code == 422
    assert response.context["page"] is None
    assert message in response.content.decode()
    refused = courier_client.get(FILE, query)
    assert refused.status_code == 422
    assert message in refused.content.decode()


def test_milestone_and_service_narrow_it(judged: Lane, courier_client: Client) -> None:
    pickups = page(courier_client, kind="pickup").total
    assert (pickups.n, pickups.met, pickups.pending) == (1, 1, 1)
    assert page(courier_client, tier="next_day").total.n == 6
    assert page(courier_client, tier="same_day").total.n == 0


def test_days_are_listed_newest_first(judged: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        promise(judged, YESTERDAY - DAY, late=HOUR)
    catch_up()
    assert [line.row.group for line in page(courier_client).rows] == [TODAY - DAY, TODAY - 2 * DAY]


def test_lanes_are_ranked_by_lower_bound(judged: Lane, courier_client: Client) -> None:
    shanghai = city("CN-SHA", "Shanghai")
    with scope(Scope.everything()):
        for _number in range(12):
            promise(judged, YESTERDAY, late=-HOUR, destination_id=shanghai.pk)
    catch_up()
    result_page = page(courier_client, group_by="lane")
    assert [(*line.names, line.row.n) for line in result_page.rows] == [
        ("Hangzhou → Shanghai", 12),
        ("Hangzhou → Chengdu", 6),
    ]
    assert chart(courier_client, group_by="lane", picture="groups").kind == "bar"


def test_merchants_compare_couriers_services_and_lanes(judged: Lane, merchant_client: Client) -> None:
    for group_by, name in (
        ("courier", "Swift Express"),
        ("tier", tier(TierCode.NEXT_DAY).name),
        ("lane", "Hangzhou → Chengdu"),
    ):
        [line] = page(merchant_client, group_by=group_by).rows
        assert (line.names, line.row.n) == ((name,), 6)


def test_couriers_compare_merchants(judged: Lane, courier_client: Client) -> None:
    [line] = page(courier_client, group_by="merchant").rows
    assert (line.names, line.row.n) == (("Lotus Tea",), 6)


def merchant_field(client: Client, query: str = "") -> BoundField:
    form = client.get(f"{URL}?{query}").context["form"]
    return next(field for field in form.more_fields if field.name == "merchant")


@pytest.mark.parametrize("fixture_name", ["courier_client", "ops_client"])
def test_merchants_are_a_list_while_they_are_few(
    judged: Lane, fixture_name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = request.getfixturevalue(fixture_name)
    assert f'<option value="{LOTUS}">Lotus Tea</option>' in str(merchant_field(client))
    monkeypatch.setattr(filter_choices, "MOST_MERCHANTS", 0)
    field = str(merchant_field(client, f"merchant={LOTUS}"))
    assert f'<input type="text" name="merchant" value="{LOTUS}"' in field
    assert 'hx-get="/rates/merchants/"' in field
    assert page(client, merchant=LOTUS).total.n == 6


def test_merchants_are_suggested_to_those_who_have_parcels_of_theirs(
    judged: Lane, courier_client: Client, ops_client: Client, rival_courier: Organisation
) -> None:
    rival = factories.logged_in(factories.member_user("rival@alliance.example", rival_courier))
    for client, text, expected in (
        (courier_client, "otus", f'<option value="{LOTUS}">Lotus Tea</option>'),
        (ops_client, "otus", f'<option value="{LOTUS}">Lotus Tea</option>'),
        (courier_client, "", ""),
        (rival, "otus", ""),
    ):
        assert client.get(f"{URL}merchants/", {"merchant": text}).content.decode().strip() == expected


def test_rows_are_by_up_to_three_things(judged: Lane, ops_client: Client) -> None:
    query = {"group_by": ["month", "courier", "merchant"]}
    [line] = page(ops_client, **query).rows
    assert line.codes == (f"{TODAY - DAY:%Y-%m}", SWIFT, LOTUS)
    html = ops_client.get(URL, query).content.decode()
    assert html.count("selected>Courier</option>") == 1


def test_long_lists_are_cut_on_the_page_but_not_in_the_file(
    judged: Lane, courier_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "MOST_ROWS", 1)
    with scope(Scope.everything()):
        promise(judged, YESTERDAY, late=HOUR, destination_id=city("CN-SHA", "Shanghai").pk)
    catch_up()
    response = courier_client.get(URL, {"group_by": "lane"})
    assert len(response.context["page"].rows) == 1
    assert "The first 1 of 2" in response.content.decode()
    assert len(lines(courier_client, group_by="lane")) == 2


def lines(client: Client, **query: str) -> list[dict[str, str]]:
    response = client.get(FILE, query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))


def test_file_has_the_same_figures(judged: Lane, courier_client: Client) -> None:
    [line] = lines(courier_client, group_by="lane", period="7")
    assert (line["lane"], line["lane_name"]) == ("CN-HGH-CN-CTU", "Hangzhou → Chengdu")
    assert (line["met"], line["late"], line["overdue"], line["excused"], line["n"]) == (
        "3",
        "2",
        "1",
        "1",
        "6",
    )
    assert (line["raw_rate"], line["accountable_rate"], line["few"]) == ("0.500000", "0.600000", "yes")
    [day] = lines(courier_client)
    assert day["day"] == str(TODAY - DAY)


def test_names_in_the_file_are_never_formulas(judged: Lane, merchant_client: Client) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=judged.courier.pk).update(name="=1+1")
    [line] = lines(merchant_client, group_by="courier")
    assert line["courier_name"] == "'=1+1"


def test_viewers_look_but_do_not_download(judged: Lane, courier_organisation: Organisation) -> None:
    client = Client()
    viewer = factories.member_user("viewer@alliance.example", courier_organisation, Role.VIEWER)
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(URL)
    assert response.status_code == 200
    assert FILE not in response.content.decode()
    assert client.get(FILE).status_code == 403


def test_others_rates_are_not_shown(judged: Lane, rival_courier: Organisation) -> None:
    client = Client()
    outsider = factories.member_user("rival@alliance.example", rival_courier)
    client.force_login(outsider, backend="django.contrib.auth.backends.ModelBackend")
    assert page(client).total.n == 0


def test_strangers_log_in_first(db: None) -> None:
    for address in (URL, FILE):
        assert Client().get(address)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"group_by": "lane", "picture": "lanes"},
        {"group_by": "tier", "picture": "groups"},
        {"group_by": "tier", "picture": "calendar"},
        {"group_by": ["day", "lane"], "picture": "lateness"},
        {"group_by": "merchant", "picture": "couriers"},
    ],
)
def test_page_costs_the_same_for_one_row_and_many(
    judged: Lane,
    courier_client: Client,
    django_assert_max_num_queries: Any,
    django_assert_num_queries: Any,
    query: dict[str, str],
) -> None:
    with django_assert_max_num_queries(34) as one:
        courier_client.get(URL, query)
    with scope(Scope.everything()):
        for back, name in enumerate(("Shanghai", "Beijing", "Wuhan")):
            there = city(f"CN-{name[:3].upper()}", name)
            fields = {"destination_id": there.pk, "tier_id": tier(TierCode.SAME_DAY).pk}
            promise(judged, YESTERDAY - back * DAY, late=HOUR, **fields)
    catch_up()
    with django_assert_num_queries(len(one)):
        courier_client.get(URL, query)
