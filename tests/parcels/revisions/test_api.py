"""Revisions of a delivery through the API."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.identifiers import tracking_number
from alliance.models import Organisation
from parcels.models import Parcel
from tests.helpers.owner import execute_as_owner
from tests.parcels.helpers.parcel_views import scan, some_parcels
from tests.parcels.helpers.revisions import day, revisions_of

pytestmark = pytest.mark.django_db


def send(api: APIClient, parcel: Parcel, **values: Any) -> Any:
    body = {"day": day(parcel).isoformat(), "requested_by": "merchant", "reason": "Sold out"}
    headers = {"HTTP_IDEMPOTENCY_KEY": values.pop("key")} if "key" in values else {}
    return api.post(f"/api/v1/parcels/{parcel.number}/revisions", {**body, **values}, **headers)


def test_api_moves_a_delivery_and_returns_both_days(parcel: Parcel, merchant_api: APIClient) -> None:
    before = merchant_api.get(f"/api/v1/parcels/{parcel.number}/revisions").json()
    assert before["revisions"] == []
    assert before["promise"]["current"] == before["promise"]["original"]
    assert before["possible_days"][0]["day"] == day(parcel, 1).isoformat()
    response = send(merchant_api, parcel)
    assert response.status_code == 201
    answer = response.json()
    [revision] = answer["revisions"]
    assert answer["promise"]["original"] == before["promise"]["current"] == revision["previous_promise"]
    assert answer["promise"]["judged_by"] == answer["promise"]["current"] == revision["new_promise"]
    assert revision["new_promise"].startswith(day(parcel).isoformat())
    assert (revision["requested_by"], revision["judged"]) == ("merchant", True)
    public = APIClient().get(f"/api/v1/tracking/{parcel.number}").json()
    promise = public["promise"]
    assert (promise["current"], promise["original"]) == (
        answer["promise"]["current"],
        before["promise"]["current"],
    )
    assert promise["moved_by"] == "merchant"
    assert revision.pop("reason") == "Sold out"
    assert public["revisions"] == [revision]


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"day": None}, "/day"),
        ({"day": "2016-01-01"}, "/day"),
        ({"day": "2026-11-31"}, "/day"),
        ({"requested_by": "courier"}, "/requested_by"),
        ({"requested_by": "recipient"}, "/requested_by"),
        ({"reason": ""}, "/reason"),
        ({"reason": "a\nb"}, "/reason"),
        ({"because": "x"}, "/because"),
    ],
)
def test_api_reports_errors_with_pointers(
    parcel: Parcel, merchant_api: APIClient, values: dict[str, Any], pointer: str
) -> None:
    response = send(merchant_api, parcel, **values)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert revisions_of(parcel) == []


def test_same_key_moves_a_delivery_once(parcel: Parcel, merchant_api: APIClient) -> None:
    first, again = (send(merchant_api, parcel, key="k") for _time in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert len(revisions_of(parcel)) == 1
    assert send(merchant_api, parcel, key="k", reason="Another").status_code == 422


@pytest.mark.django_db(transaction=True)
def test_answer_is_not_repeated_before_its_revision_is_there(
    parcel: Parcel, merchant_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a cluster: a worker was killed before it committed what the coordinator had.
    first = send(merchant_api, parcel, key="k")
    monkeypatch.setattr("parcels.api.revisions.is_distributed", lambda: True)
    assert send(merchant_api, parcel, key="k").json() == first.json()
    execute_as_owner("DELETE FROM slas_revision")
    again = send(merchant_api, parcel, key="k")
    assert (again.status_code, again["Retry-After"].isdecimal()) == (503, True)


def test_courier_is_refused(parcel: Parcel, courier_api: APIClient) -> None:
    assert send(courier_api, parcel).status_code == 403
    answer = courier_api.get(f"/api/v1/parcels/{parcel.number}/revisions")
    assert (answer.status_code, answer.json()["possible_days"]) == (200, [])


def test_refusals_by_state_have_their_codes(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant_api: APIClient
) -> None:
    [late] = some_parcels(merchant_organisation, courier_organisation, hours_ago=40)
    response = send(merchant_api, late)
    assert (response.status_code, response.json()["revisions"][0]["judged"]) == (201, False)
    scan(late, "delivered", 39)
    response = send(merchant_api, late)
    assert (response.status_code, response.json()["type"]) == (409, "urn:alliance:problem:settled")


@pytest.mark.parametrize("method", ["get", "post"])
def test_parcel_of_another_merchant_is_not_found(
    parcel: Parcel, merchant_api: APIClient, rival_merchant: Organisation, rival_courier: Organisation,
    method: str,
) -> None:  # fmt: skip
    [theirs] = some_parcels(rival_merchant, rival_courier)
    call: Callable[..., Any] = getattr(merchant_api, method)
    for number in (theirs.number, "CA1", tracking_number(9)):
        assert (
            call(f"/api/v1/parcels/{number}/revisions", {} if method == "post" else None).status_code == 404
        )


def test_unknown_parameters_are_refused(parcel: Parcel, merchant_api: APIClient) -> None:
    response = merchant_api.get(f"/api/v1/parcels/{parcel.number}/revisions", {"sort": "day"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/sort")
