"""The page of breaches: promise, outcome and lateness."""

import re
from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.identifiers import tracking_number
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.models import BreachListing
from slas.portal import breaches
from tests import factories
from tests.slas.helpers.commitments import DAY, HOUR, PICKUP, Lane, reach
from tests.slas.helpers.records import YESTERDAY, catch_up, judge_yesterday, promise

pytestmark = pytest.mark.django_db
URL = "/breaches/"


@pytest.fixture
def judged(lane: Lane) -> Lane:
    judge_yesterday(lane)
    return lane


def shown(client: Client, **query: str) -> list[breaches.Line]:
    response = client.get(URL, query)
    assert response.status_code == 200
    return response.context["lines"]


@pytest.mark.parametrize(
    ("fixture_name", "counterpart"), [("courier_client", "Lotus Tea"), ("merchant_client", "Swift Express")]
)
def test_both_parties_see_each_breach_and_the_other_party(
    judged: Lane, fixture_name: str, counterpart: str, request: pytest.FixtureRequest
) -> None:
    response = request.getfixturevalue(fixture_name).get(URL)
    page = response.content.decode()
    assert len(response.context["lines"]) == 3
    assert counterpart in page
    for line in response.context["lines"]:
        assert f'href="/breaches/{line.breach.number}/{line.breach.kind}/"' in page


def test_lateness_is_counted_to_the_scan_or_to_now(lane: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        late = promise(lane, YESTERDAY, late=timedelta(hours=2, minutes=5))
        missing = promise(lane, YESTERDAY - 5 * DAY, late=None)
    catch_up()
    result = {line.breach.parcel_id: line for line in shown(courier_client)}
    assert result[late].lateness == "2 h 5 min"
    assert result[missing].is_missing
    assert result[missing].lateness.startswith(("5 d", "6 d"))
    page = courier_client.get(URL).content.decode()
    assert "not completed" in page
    assert "so far" in page


def test_times_are_those_of_the_place(lane: Lane, courier_client: Client) -> None:
    lane.destination.time_zone, zone = "Europe/Berlin", lane.destination.time_zone
    lane.destination.save(update_fields=["time_zone"])
    with scope(Scope.everything()):
        promise(lane, YESTERDAY, late=HOUR)
        promise(lane, YESTERDAY, PICKUP, late=HOUR)
    delivery, pickup = sorted(shown(courier_client), key=lambda line: line.breach.kind)
    assert (delivery.zone, pickup.zone) == ("Europe/Berlin", zone)
    hours = {"12:00", "13:00"}
    page = courier_client.get(URL).content.decode()
    assert all(hour in page for hour in hours)
    assert any(hour in page for hour in ("05:00", "06:00"))


def test_withdrawn_breaches_stay_and_say_so(lane: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        parcel_id = promise(lane, YESTERDAY, late=HOUR)
        reach(parcel_id, YESTERDAY - HOUR, now=timezone.now())
    [line] = shown(courier_client)
    assert line.lateness == ""
    page = courier_client.get(URL).content.decode()
    assert "Withdrawn</span>" in page
    assert "On time</span>" in page
    assert len(shown(courier_client, state="withdrawn")) == 1
    assert not shown(courier_client, state="missing")


def test_excused_breaches_say_so(judged: Lane, courier_client: Client) -> None:
    [line] = shown(courier_client, state="excused")
    assert line.breach.excused
    assert "Exempt</span>" in courier_client.get(URL, {"state": "excused"}).content.decode()


def test_filters_narrow_the_list(judged: Lane, courier_client: Client) -> None:
    assert len(shown(courier_client, state="missing")) == 1
    assert len(shown(courier_client, state="late")) == 2
    assert not shown(courier_client, kind="pickup")
    assert len(shown(courier_client, tier="next_day")) == 3
    assert not shown(courier_client, tier="same_day")
    assert "No breach matches" in courier_client.get(URL, {"tier": "same_day"}).content.decode()


@pytest.mark.parametrize("name", ["state", "kind", "tier"])
def test_unknown_filter_value_is_refused_at_its_field(
    judged: Lane, courier_client: Client, name: str
) -> None:
    response = courier_client.get(URL, {name: "odd"})
    assert (response.status_code, response.context["lines"]) == (422, [])
    assert f'id="id_{name}_error"' in response.content.decode()
    assert response.content.decode().count("odd is not one of the available choices") == 2


def test_no_breach_is_good_news(courier_client: Client) -> None:
    assert "No breaches" in courier_client.get(URL).content.decode()


def test_pages_meet_without_gap_or_overlap_both_ways(
    lane: Lane, courier_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaches, "PAGE", 3)
    with scope(Scope.everything()):
        # Several at one moment, as a sweep opens them, and both milestones of one parcel.
        wanted = {(promise(lane, YESTERDAY, late=None), "delivery") for _number in range(6)}
        parcel_id, _kind = next(iter(wanted))
        promise(lane, YESTERDAY, PICKUP, late=None, parcel_id=parcel_id)
        wanted.add((parcel_id, "pickup"))
    catch_up()
    pages, query = [], {"state": "missing"}
    while len(pages) < 9:
        context = courier_client.get(URL, query).context
        pages.append([(line.breach.parcel_id, line.breach.kind) for line in context["lines"]])
        if not context["next_url"]:
            break
        query = asked(context["next_url"])
    assert [len(page) for page in pages] == [3, 3, 1]
    assert {key for page in pages for key in page} == wanted
    back = courier_client.get(URL, asked(context["previous_url"])).context
    assert [(line.breach.parcel_id, line.breach.kind) for line in back["lines"]] == pages[1]
    first = courier_client.get(URL, asked(back["previous_url"])).context
    assert [(line.breach.parcel_id, line.breach.kind) for line in first["lines"]] == pages[0]
    assert first["previous_url"] == ""


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(unescape(url)).query).items()}


@pytest.mark.parametrize(
    "place",
    ["nonsense", "2026-13-01|1|x", "2026-01-01T00:00|1|x", "2026-01-01T00:00Z|1|\0", "|||", "9" * 99],
)
def test_cursors_that_are_not_of_the_list_are_refused(
    judged: Lane, courier_client: Client, place: str
) -> None:
    for side in ("after", "before"):
        page = courier_client.get(URL, {side: place})
        assert (page.status_code, page.context["lines"]) == (422, [])
        assert "This link does not fit this list" in page.content.decode()


def test_list_begins_with_the_oldest_if_sorted_so(lane: Lane, courier_client: Client) -> None:
    with scope(Scope.everything()):
        for hours in (30, 20, 10):
            promise(lane, timezone.now() - hours * HOUR, late=HOUR)
    catch_up()
    newest = [line.breach.parcel_id for line in shown(courier_client)]
    assert [line.breach.parcel_id for line in shown(courier_client, sort="opened")] == newest[::-1]
    page = courier_client.get(URL, {"sort": "opened", "state": "late"})
    assert 'aria-sort="ascending"' in page.content.decode()
    # Filters keep the sort, and the sort the filters.
    assert '<input type="hidden" name="sort" value="opened" form="list-filters">' in page.content.decode()
    assert page.context["sorting"].sorted_by.url == "?state=late"
    assert courier_client.get(URL, {"sort": "merchant"}).status_code == 422


def test_others_breaches_are_not_shown(judged: Lane, rival_courier: Organisation) -> None:
    client = Client()
    outsider = factories.member_user("rival@alliance.example", rival_courier)
    client.force_login(outsider, backend="django.contrib.auth.backends.ModelBackend")
    assert not shown(client)


def test_ops_see_all_and_strangers_log_in(judged: Lane, ops_client: Client) -> None:
    assert len(shown(ops_client)) == 3
    assert Client().get(URL)["Location"].startswith("/accounts/login/")


def test_page_costs_the_same_for_one_and_many(
    lane: Lane, courier_client: Client, django_assert_num_queries: object
) -> None:
    with scope(Scope.everything()):
        first = promise(lane, YESTERDAY, late=HOUR)
    # The first request reads the cities and tiers.
    courier_client.get(URL)
    with django_assert_num_queries(18):
        page = courier_client.get(URL).content.decode()
    assert tracking_number(first) in page
    with scope(Scope.everything()):
        for _number in range(5):
            promise(lane, YESTERDAY, late=HOUR)
    with django_assert_num_queries(18):
        courier_client.get(URL)


@pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
def test_a_page_is_read_along_its_index_and_not_sorted(judged: Lane, courier: Actor) -> None:
    result = BreachListing.objects.visible_to(courier)
    with scope(Scope.of(courier)):
        with CaptureQueriesContext(connection) as queries:
            asked = breaches.LIST.asked(SimpleNamespace(GET=QueryDict(), actor=courier))
            breaches.LIST.page(result, asked, size=2)
        read = [query["sql"].replace("%", "%%") for query in queries]
        # The same with the planner's switches.
        plans = [raw_rows(f"EXPLAIN {sql}") if sql.startswith("SELECT") else raw_rows(sql) for sql in read]
    nodes = [line for plan in plans for (line,) in plan]
    assert any("courier_id_opened_at_idx" in line for line in nodes)
    assert not [line for line in nodes if re.match(r"(\s*->\s+)?Sort ", line)]
