"""The API of allocation rules."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Actor
from tests import factories
from tests.factories import RIVAL, SWIFT
from tests.slas.helpers.allocation import rule

URL = "/api/v1/allocation-rules"
HEAVY: dict[str, Any] = {
    "name": "Heavy", "destination": "Hunan province", "origin": "杭州", "least_g": 20_000, "tier": "next_day",
    "least_declared_value": "500.00", "most_declared_value": "20000.00",
    "action": "cheapest", "least_accountable_rate": 0.925, "stops": True,
}  # fmt: skip


@pytest.fixture
def api(merchant: Actor) -> APIClient:
    return factories.api_client(merchant, {"parcels:book", "rules:write"})


def test_the_whole_list_is_written_and_read(
    api: APIClient, courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    shares = [{"courier": SWIFT, "percent": 60}, {"courier": RIVAL, "percent": 40}]
    split = {"name": "Split", "action": "split", "couriers": shares, "active": False}
    answer = api.put(URL, {"rules": [HEAVY, split]}).json()
    assert answer == api.get(URL).json()
    heavy, other = answer["rules"]
    assert {name: heavy[name] for name in HEAVY} == {**HEAVY, "origin": "CN-HGH"}
    assert (other["couriers"], other["active"], other["tier"]) == (shares, False, None)
    # What was read can be sent: nothing changes. In another order, the rules stay the same ones.
    sent = answer["rules"]
    assert api.put(URL, answer).json() == answer
    turned = api.put(URL, {"rules": sent[::-1]}).json()["rules"]
    assert [each["id"] for each in turned] == [other["id"], heavy["id"]]
    assert api.put(URL, {"rules": []}).json() == {"currency": "CNY", "rules": []}


def test_what_is_wrong_is_said_by_the_place_of_the_rule(api: APIClient, merchant: Actor) -> None:
    rule(merchant, "Kept", "stop")
    stop = {"name": "Stop", "action": "stop"}
    wrong = [
        (stop, ("/rules/1/name", "taken")),
        (
            {"name": "A", "action": "only", "couriers": [{"courier": "nobody"}]},
            ("/rules/1/couriers/0/courier", "unknown"),
        ),
        ({"name": "A", "action": "most_reliable"}, ("/rules/1/highest_price", "range")),
        ({"name": "A", "action": "stop", "least_g": 5, "most_g": 4}, ("/rules/1/most_g", "range")),
        (
            {"name": "A", "action": "stop", "least_declared_value": "5", "most_declared_value": "4.99"},
            ("/rules/1/most_declared_value", "range"),
        ),
        (
            {"name": "A", "action": "stop", "least_declared_value": "1,000"},
            ("/rules/1/least_declared_value", "invalid"),
        ),
        ({"name": "A", "action": "stop", "origin": "Atlantis"}, ("/rules/1/origin", "unknown_city")),
        ({"name": "A", "action": "stop", "colour": "red"}, ("/rules/1/colour", "unknown_field")),
        ({"name": "A", "action": "fly"}, ("/rules/1/action", "invalid_choice")),
    ]  # fmt: skip
    for body, expected in wrong:
        response = api.put(URL, {"rules": [stop, body]})
        assert response.status_code == 422
        errors = [(error["pointer"], error["code"]) for error in response.json()["errors"]]
        assert errors == [expected]
    assert [each["name"] for each in api.get(URL).json()["rules"]] == ["Kept"]


def test_what_an_action_does_not_look_at_and_a_courier_named_twice_are_told(
    api: APIClient, courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    """Otherwise a share of 60 is overwritten by the 50 after it, and a price limits nothing."""
    shares = [(SWIFT, 60), (SWIFT, 50), (RIVAL, 50)]
    wrong: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        (
            {"action": "split", "couriers": [{"courier": name, "percent": share} for name, share in shares]},
            [("/rules/0/couriers/1/courier", "duplicate")],
        ),
        (
            {
                "action": "only",
                "couriers": [{"courier": SWIFT, "percent": 60}],
                "highest_price": "5.00",
            },
            [("/rules/0/highest_price", "unused"), ("/rules/0/couriers/0/percent", "unused")],
        ),
        (
            {"action": "cheapest", "least_accountable_rate": 0.9, "couriers": [{"courier": SWIFT}]},
            [("/rules/0/couriers", "unused")],
        ),
        ({"action": "stop", "least_accountable_rate": 0}, [("/rules/0/least_accountable_rate", "unused")]),
    ]
    for body, told in wrong:
        answer = api.put(URL, {"rules": [{"name": "A", **body}]})
        found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
        assert (answer.status_code, found) == (422, told)
    assert api.get(URL).json() == {"currency": "CNY", "rules": []}


def test_a_key_without_the_permission_only_reads(merchant: Actor, everything: None) -> None:
    reader = factories.api_client(merchant, {"parcels:book"})
    assert reader.get(URL).status_code == 200
    assert reader.put(URL, {"rules": []}).status_code == 403
    assert not AuditEntry.objects.filter(verb="allocation_rule.replaced").exists()
