"""Scorecards in the API: a courier's own months, all months for ops, published rules."""

from decimal import Decimal

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.models import Organisation, User
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from slas.scorecards.rules import final_on, month_after
from slas.scorecards.services.scorecards import refresh_scorecards
from slas.scorecards.services.versions import RulesDraft, add_rules
from tests.factories import RIVAL, SWIFT
from tests.slas.helpers.scorecard_cases import stored
from tests.slas.helpers.scorecards import LAST, OLD, SILVER, THIS, count, on

pytestmark = pytest.mark.django_db
API, API_RULES = "/api/v1/scorecards", "/api/v1/scorecard-rules"


def test_the_api_lists_ones_own_months(courier_api: APIClient, scored: Organisation) -> None:
    answer = courier_api.get(API).json()
    assert [one["month"] for one in answer["results"]] == [
        f"{month:%Y-%m}" for month in (THIS, month_after(OLD), OLD)
    ]
    assert answer["results"][2] == {
        "month": f"{OLD:%Y-%m}",
        "courier": SWIFT,
        "courier_name": "Swift Express",
        "state": "final",
        "final_on": final_on(OLD).isoformat(),
        "score": "81.50",
        "grade": "silver",
        "rank": 1,
        "ranked": 1,
        "n": 1000,
        "rules_version": 1,
        "computed_at": answer["results"][2]["computed_at"],
    }
    assert (answer["results"][0]["grade"], answer["results"][0]["rank"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "found"), [("state=final", 2), ("state=provisional", 1), ("page_size=1", 1)]
)
def test_the_api_filters_and_pages(
    courier_api: APIClient, scored: Organisation, query: str, found: int
) -> None:
    assert len(courier_api.get(f"{API}?{query}").json()["results"]) == found


def test_couriers_are_named_by_their_id_alone(
    courier_api: APIClient, ops_client: Client, scored: Organisation
) -> None:
    for answer in (courier_api.get(API, {"courier": SWIFT}), ops_client.get(API, {"courier": SWIFT})):
        assert {card["courier"] for card in answer.json()["results"]} == {SWIFT}
    for text in ("\0", scored.slug, str(scored.pk), public_id(IdKind.MERCHANT, scored.pk)):
        nobody = ops_client.get(API, {"courier": text})
        assert [error["pointer"] for error in nobody.json()["errors"]] == ["/courier"]


def test_the_api_walks_on_by_cursor(courier_api: APIClient, scored: Organisation) -> None:
    seen, address = [], f"{API}?page_size=1"
    while address:
        answer = courier_api.get(address).json()
        seen += [one["month"] for one in answer["results"]]
        address = answer["next"]
    assert seen == [f"{month:%Y-%m}" for month in (THIS, month_after(OLD), OLD)]


def test_api_returns_the_components_of_a_month(courier_api: APIClient, scored: Organisation) -> None:
    answer = courier_api.get(f"{API}/{OLD:%Y-%m}").json()
    on_time, *_others, lateness = answer["components"]
    assert on_time == {
        "component": "delivery_on_time",
        "name": "Deliveries on time",
        "lower_is_better": False,
        "value": 0.95,
        "n": 1000,
        "points": 80,
        "band": {"threshold": 0.94, "points": 80},
        "next_band": {"threshold": 0.96, "points": 90},
        "weight_percent": 40,
        "share": 0.4,
        "adds": "32.00",
    }
    assert (lateness["lower_is_better"], lateness["points"], lateness["next_band"]) == (True, 100, None)
    adds = sum(Decimal(line["adds"]) for line in answer["components"])
    assert adds == Decimal(answer["score"]) == Decimal("81.50")


def test_ops_see_everybodys_in_the_api_and_say_whose(
    ops_client: Client, scored: Organisation, rival_courier: Organisation
) -> None:
    everybody = ops_client.get(API).json()["results"]
    assert {one["courier"] for one in everybody} == {SWIFT, RIVAL}
    assert len(ops_client.get(f"{API}?courier={RIVAL}").json()["results"]) == 1
    month = f"{API}/{month_after(OLD):%Y-%m}"
    assert ops_client.get(f"{month}?courier={RIVAL}").json()["rank"] == 1
    response = ops_client.get(month)
    assert response.status_code == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        ("/courier", "required")
    ]


@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        (f"{API}?state=done", "/state"),
        (f"{API}?month=2026-10", "/month"),
        (f"{API}?courier=nobody", "/courier"),
        (f"{API}?courier={RIVAL}", "/courier"),
        (f"{API}?courier=a b", "/courier"),
        (f"{API}?cursor=x", "/cursor"),
        (f"{API}/{OLD:%Y-%m}?colour=red", "/colour"),
        (f"{API}/{OLD:%Y-%m}?courier={RIVAL}", "/courier"),
        (f"{API_RULES}?version=1", "/version"),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    courier_api: APIClient, scored: Organisation, address: str, pointer: str
) -> None:
    response = courier_api.get(address)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_merchants_may_not_read_scorecards_but_the_rules(
    merchant_api: APIClient, scored: Organisation
) -> None:
    assert merchant_api.get(API).status_code == 403
    assert merchant_api.get(f"{API}/{OLD:%Y-%m}").status_code == 403
    assert merchant_api.get(API_RULES).status_code == 200


def test_the_api_publishes_the_rules(merchant_api: APIClient, system: Actor) -> None:
    with scope(Scope.everything()):
        draft = RulesDraft(**stored(minimum_volume=50))
        add_rules(actor=system, draft=draft, valid_from=month_after(THIS, 2), now=on(THIS))
    answer = merchant_api.get(API_RULES).json()
    assert (answer["final_on_day"], answer["claim_days"]) == (21, 14)
    announced, first = answer["versions"]
    assert (announced["version"], announced["in_force"], announced["minimum_volume"]) == (2, False, 50)
    assert (first["version"], first["first_month"], first["in_force"]) == (1, "2016-01", True)
    assert sum(one["weight_percent"] for one in first["components"]) == 100
    assert first["components"][4]["bands"][0] == {"threshold": 0.005, "points": 100}
    assert first["grades"] == [
        {"grade": "gold", "least_score": 85},
        {"grade": "silver", "least_score": 75},
        {"grade": "member", "least_score": 50},
    ]


def test_names_come_in_the_language_of_the_request(courier_user: User, courier_api: APIClient) -> None:
    answer = courier_api.get(API_RULES, headers={"Accept-Language": "en"}).json()
    assert [one["name"] for one in answer["versions"][0]["components"]][1] == "Pickups on time"


def test_last_months_are_not_final_before_their_day(courier_api: APIClient, swift: Organisation) -> None:
    count(swift, LAST, SILVER)
    refresh_scorecards(now=on(THIS.replace(day=20)))
    assert courier_api.get(f"{API}/{LAST:%Y-%m}").json()["state"] == "provisional"
