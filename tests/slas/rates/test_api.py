"""GET /api/v1/rates: queries, answers and refusals."""

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.members.acquaintances import acquaint
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.api import rates as door
from slas.choices import CommitmentKind, ExcuseReason, Outcome
from slas.rates import queries
from slas.rates.rules import GroupBy
from tests.factories import LOTUS, SWIFT
from tests.slas.helpers.commitments import DELIVERY, NOON, PICKUP, Lane, city
from tests.slas.helpers.facts import Fact, write_cells

pytestmark = pytest.mark.django_db
URL = "/api/v1/rates"
TODAY = NOON.date()
# A Monday that is over.
MONDAY = TODAY - timedelta(days=TODAY.weekday() + 14)


@pytest.fixture
def facts(lane: Lane) -> Lane:
    """A Monday in Hangzhou: three on time, one 26 hours late, one excused, one missing; pickups."""

    def fact(outcome: Outcome, kind: CommitmentKind = DELIVERY, **fields: object) -> Fact:
        there = (lane.origin, lane.destination)
        return Fact(lane.merchant.pk, lane.courier.pk, lane.tier.pk, *there, MONDAY, outcome, kind, **fields)

    quick = {"attempted": True, "first_attempt": True, "within_48h": True, "within_72h": True}
    with scope(Scope.everything()):
        write_cells(
            [
                *(fact(Outcome.MET, **quick) for _parcel in range(3)),
                fact(Outcome.LATE, late=timedelta(hours=26), attempted=True, within_72h=True),
                fact(Outcome.LATE, late=timedelta(minutes=10), reason=ExcuseReason.WEATHER, attempted=True),
                fact(Outcome.OVERDUE),
                fact(Outcome.VOID),
                fact(Outcome.MET, PICKUP),
                fact(Outcome.LATE, PICKUP, late=timedelta(hours=1)),
            ]
        )
    return lane


def ask(client: APIClient, **query: object) -> dict[str, object]:
    response = client.get(URL, {"from": MONDAY, "to": MONDAY + timedelta(days=6), **query})
    assert response.status_code == 200, response.content
    return response.json()


def test_every_figure_is_answered(facts: Lane, courier_api: APIClient) -> None:
    body = ask(courier_api)
    [row] = body["results"]
    assert row == body["totals"]
    assert row == {
        "met": 3, "late": 2, "overdue": 1, "excused": 1, "pending": 0, "void": 1, "n": 6, "accountable_n": 5,
        "raw_rate": 0.5, "accountable_rate": 0.6, "lower_bound": pytest.approx(0.2307, abs=1e-4),
        "upper_bound": pytest.approx(0.8824, abs=1e-4), "provisional": row["provisional"], "few": True,
        "excused_by": {"weather": 1},
        "late_by_days": {"one_day": 1, "two_days": 1, "three_days": 0, "more": 0, "missing": 1},
        # In bins of a quarter and of half an hour.
        "late_p50_seconds": 900, "late_p90_seconds": 93_600, "late_p95_seconds": 93_600,
        "attempted": 5, "first_attempt": 3, "first_attempt_rate": 0.6,
        "within_48h": 3, "within_48h_rate": 0.5, "within_72h": 4, "within_72h_rate": pytest.approx(4 / 6),
        "pickup_met": 1, "pickup_n": 2, "pickup_rate": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("day", {"day": str(MONDAY)}),
        ("week", {"week": str(MONDAY)}),
        ("month", {"month": f"{MONDAY:%Y-%m}"}),
        ("weekday", {"weekday": 1}),
        ("courier", {"courier": SWIFT, "courier_name": "Swift Express"}),
        ("merchant", {"merchant": LOTUS, "merchant_name": "Lotus Tea"}),
        ("tier", {"tier": "next_day"}),
        ("origin", {"origin": "CN-HGH", "origin_name": "Hangzhou"}),
        ("destination", {"destination": "CN-CTU", "destination_name": "Chengdu"}),
        (
            "lane",
            {
                "origin": "CN-HGH",
                "origin_name": "Hangzhou",
                "destination": "CN-CTU",
                "destination_name": "Chengdu",
            },
        ),
        ("origin_province", {"origin_province": "CN-Zhejiang"}),
        ("destination_province", {"destination_province": "CN-Sichuan"}),
    ],
)
def test_rows_have_public_names(
    facts: Lane, courier_api: APIClient, merchant_api: APIClient, group_by: str, expected: object
) -> None:
    for client in (courier_api, merchant_api):
        body = ask(client, group_by=group_by)
        assert body["group_by"] == group_by
        [row] = body["results"]
        assert ({name: row[name] for name in row.keys() - body["totals"].keys()}, row["n"]) == (expected, 6)


@pytest.mark.parametrize("way", ["tier,lane,month", ["tier", "lane", "month"], ["tier,lane", "month", ""]])
def test_groups_are_read_from_a_list_or_repeated_parameters(
    facts: Lane, courier_api: APIClient, way: object
) -> None:
    body = ask(courier_api, group_by=way)
    assert body["group_by"] == "tier,lane,month"
    [row] = body["results"]
    assert list(row)[:6] == [
        "tier", "origin", "origin_name", "destination", "destination_name", "month",
    ]  # fmt: skip


FOUND = [
    {"courier": SWIFT}, {"merchant": LOTUS}, {"tier": "next_day"},
    {"tier": "same_day,next_day"},
    {"origin": "CN-HGH"}, {"origin": "杭州"}, {"destination": ["CN-SHA", "Chengdu"]},
    {"origin_province": "Zhejiang"}, {"origin_province": "浙江"}, {"origin_province": "浙江省"},
    {"destination_province": "cn-sichuan"},
    {"weekday": 1}, {"weekday": "1,7"}, {"tier": ""}, {"origin": "CN-HGH", "origin_province": "Zhejiang"},
    {"origin": "CN-HGH", "destination": "CN-CTU", "tier": "next_day", "weekday": 1},
]  # fmt: skip
MISSED = [
    {"tier": "same_day"}, {"origin": "CN-SHA"}, {"destination": "CN-HGH"}, {"origin_province": "Sichuan"},
    {"weekday": "2,3"}, {"origin": "CN-HGH", "origin_province": "Sichuan"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "n"), [*((query, 6) for query in FOUND), *((query, 0) for query in MISSED)]
)
def test_filters_go_together(facts: Lane, courier_api: APIClient, query: dict[str, object], n: int) -> None:
    assert ask(courier_api, **query)["totals"]["n"] == n


def test_a_courier_names_merchants_of_its_parcels_only(
    facts: Lane, rival_merchant: Organisation, courier_api: APIClient
) -> None:
    """Whether there is another customer of that name is not told."""
    response = courier_api.get(URL, {"merchant": rival_merchant.public_id})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "unknown")
    with scope(Scope.everything()):
        acquaint([(rival_merchant.pk, facts.courier.pk)])
    assert ask(courier_api, merchant=rival_merchant.public_id)["totals"]["n"] == 0


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"from": "yesterday"}, "/from", "invalid"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "/from", "period"),
        ({"from": "0001-01-01"}, "/from", "min_value"),
        ({"to": "9999-12-31"}, "/to", "max_value"),
        ({"from": "2020-01-01", "group_by": "lane,day"}, "/from", "period"),
        ({"kind": "lunch"}, "/kind", "invalid_choice"),
        ({"tier": "never"}, "/tier", "unknown"),
        ({"courier": "nobody"}, "/courier", "unknown"),
        ({"merchant": "nobody"}, "/merchant", "unknown"),
        ({"origin": "Atlantis"}, "/origin", "unknown"),
        ({"destination": "CN-XXX"}, "/destination", "unknown"),
        ({"origin_province": "Middle-earth"}, "/origin_province", "unknown"),
        ({"destination_province": "CN-"}, "/destination_province", "unknown"),
        ({"weekday": "0"}, "/weekday", "unknown"),
        ({"weekday": "Monday"}, "/weekday", "unknown"),
        ({"weekday": "²"}, "/weekday", "unknown"),
        ({"origin": ",".join(f"c{number}" for number in range(101))}, "/origin", "too_many"),
        ({"courier": "a\0b"}, "/courier", "unknown"),
        ({"group_by": "mood"}, "/group_by", "choice"),
        ({"group_by": "day,mood"}, "/group_by", "choice"),
        ({"group_by": "day,week,month,tier"}, "/group_by", "too_many"),
        ({"orgin": "CN-HGH"}, "/orgin", "unknown"),
        ({"page": "2"}, "/page", "unknown"),
    ],
)
def test_invalid_queries_are_refused_with_messages(
    courier_api: APIClient, query: dict[str, str], pointer: str, code: str
) -> None:
    response = courier_api.get(URL, query)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    [error] = response.json()["errors"]
    assert (error["pointer"].removesuffix("/0"), error["code"]) == (pointer, code)


def test_all_errors_are_reported_together(courier_api: APIClient) -> None:
    query = {"tier": "never", "courier": "nobody", "weekday": "8", "group_by": "mood"}
    response = courier_api.get(URL, query)
    pointers = {error["pointer"] for error in response.json()["errors"]}
    assert pointers == {"/tier", "/courier", "/weekday", "/group_by"}


def test_too_long_answer_is_refused_with_advice(
    facts: Lane, courier_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_ROWS", 0)
    response = courier_api.get(URL, {"from": MONDAY, "group_by": "lane"})
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"]) == (422, "too_many_rows")
    assert "narrow the query" in error["detail"]


def test_no_promises_give_zeros_or_no_rows(courier_api: APIClient) -> None:
    body = ask(courier_api)
    [row] = body["results"]
    assert (row["n"], row["raw_rate"], row["late_p50_seconds"]) == (0, None, None)
    body = ask(courier_api, group_by="lane")
    assert body["results"] == []
    assert body["totals"]["n"] == 0


def test_pickups_have_no_hours_after_pickup(facts: Lane, courier_api: APIClient) -> None:
    row = ask(courier_api, kind="pickup")["totals"]
    assert (row["n"], row["raw_rate"], row["pickup_rate"]) == (2, 0.5, 0.5)
    assert (row["within_48h_rate"], row["within_72h_rate"], row["first_attempt_rate"]) == (None, None, None)


def test_ops_see_couriers_and_merchants(facts: Lane, ops_client: Client) -> None:
    body = ops_client.get(URL, {"from": MONDAY, "group_by": "courier,merchant"}).json()
    [row] = body["results"]
    assert (row["courier"], row["merchant"], row["n"]) == (
        SWIFT,
        LOTUS,
        6,
    )


def test_answers_cost_the_same_queries_for_one_and_many(
    facts: Lane, courier_api: APIClient, system: Actor, django_assert_num_queries: object
) -> None:
    query = {"from": MONDAY, "group_by": "lane,tier,merchant"}
    # The first request notes that the key is in use.
    courier_api.get(URL, query)
    with django_assert_num_queries(14):
        courier_api.get(URL, query)
    with scope(Scope.everything()):
        there = [city(f"CN-{name}", name) for name in ("SHA", "BJS", "WUH")]
        write_cells(
            Fact(facts.merchant.pk, facts.courier.pk, facts.tier.pk, origin, destination, MONDAY)
            for origin in there
            for destination in there
        )
    with django_assert_num_queries(14):
        assert len(courier_api.get(URL, query).json()["results"]) == 10


def test_schema_matches_the_answer(facts: Lane, courier_api: APIClient) -> None:
    """The names of a row's figures, and the groups that can be asked for."""
    [row] = ask(courier_api)["results"]
    assert set(row) == set(door.RateFigures().fields)
    groups = {item.value for item in GroupBy} - {"lane"}
    named = {"courier_name", "merchant_name", "origin_name", "destination_name"}
    assert set(door.Rate().fields) - set(row) == groups | named
