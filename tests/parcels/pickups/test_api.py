"""The API of pickup requests: each number its own result, answers by both sides."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.public_ids import IdKind, public_id
from parcels.models import Parcel, PickupAddress
from tests.factories import SWIFT, id_of
from tests.parcels.helpers.bookings import pointers

pytestmark = pytest.mark.django_db
PICKUPS = "/api/v1/pickups"


@pytest.fixture
def body(booked: list[Parcel], nine: datetime) -> dict[str, Any]:
    """Two parcels, tomorrow from ten to twelve; they are ready at nine."""
    return {
        "starts_at": (nine + timedelta(hours=1)).isoformat(),
        "ends_at": (nine + timedelta(hours=3)).isoformat(),
        "tracking_numbers": [parcel.number for parcel in booked[:2]],
    }


def test_each_number_has_its_own_result_and_a_replay_requests_once(
    merchant_api: APIClient, body: dict[str, Any]
) -> None:
    body["tracking_numbers"] += ["CA2K7W9X0M3N5P8", 7]
    first = merchant_api.post(PICKUPS, body, format="json", HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == 201, first.content
    answer = first.json()
    assert [each["status"] for each in answer["results"]] == ["requested"] * 2 + ["rejected"] * 2
    assert answer["results"][2]["tracking_number"] == "CA2K7W9X0M3N5P8"
    assert answer["results"][2]["errors"][0]["pointer"] == "/tracking_numbers/2"
    assert (answer["state"], answer["parcel_count"], answer["weight_g"]) == ("requested", 2, 1600)
    assert answer["window"]["starts_at"].endswith("+08:00")
    assert answer["pickup_place"]["address"] == "文三路90号"
    again = merchant_api.post(PICKUPS, body, format="json", HTTP_IDEMPOTENCY_KEY="k")
    assert again.json() == answer
    refused = merchant_api.post(PICKUPS, body, format="json")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("no_parcel")
    assert pointers(refused)[0] == ("/tracking_numbers/0", "in_pickup")


def test_without_numbers_all_that_wait_for_the_courier_there_are_requested(
    merchant_api: APIClient, body: dict[str, Any], address: PickupAddress, booked: list[Parcel]
) -> None:
    del body["tracking_numbers"]
    assert pointers(merchant_api.post(PICKUPS, body, format="json")) == [("/tracking_numbers", "required")]
    stop = {"courier": SWIFT, "pickup_address": id_of(address)}
    answer = merchant_api.post(PICKUPS, {**body, **stop}, format="json").json()
    assert {each["tracking_number"] for each in answer["results"]} == {each.number for each in booked}
    gone = merchant_api.post(PICKUPS, {**body, **stop}, format="json")
    assert (gone.status_code, gone.json()["type"].rsplit(":", 1)[1]) == (409, "no_parcel")
    unknown = merchant_api.post(PICKUPS, {**body, **stop, "courier": "nobody"}, format="json")
    assert pointers(unknown) == [("/courier", "unknown")]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"starts_at": "2026-11-23T10:00:00"}, "/starts_at", "naive"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at", "order"),
        ({"note": "x" * 301}, "/note", "max_length"),
        ({"tracking_numbers": []}, "/tracking_numbers", "min_length"),
        ({"pickup_address": public_id(IdKind.PICKUP_ADDRESS, 999_999_999)}, "/pickup_address", "unknown"),
        ({"dry_run": True}, "/dry_run", "unknown_field"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(
    merchant_api: APIClient, body: dict[str, Any], changes: dict[str, Any], pointer: str, code: str
) -> None:
    refused = merchant_api.post(PICKUPS, {**body, **changes}, format="json")
    assert refused.status_code == 422
    assert [place for place, _code in pointers(refused)] == [pointer], (refused.json(), code)


def test_both_sides_answer_and_read_the_parcels(
    merchant_api: APIClient, courier_api: APIClient, body: dict[str, Any], nine: datetime
) -> None:
    made = merchant_api.post(PICKUPS, body, format="json").json()
    url = f"{PICKUPS}/{made['id']}"
    window = {
        "starts_at": (nine + timedelta(hours=2)).isoformat(),
        "ends_at": (nine + timedelta(hours=4)).isoformat(),
    }
    proposed = courier_api.post(f"{url}/propose", {**window, "note": "No van before"}, format="json")
    assert (proposed.status_code, proposed.json()["state"]) == (200, "proposed")
    assert merchant_api.post(f"{url}/accept", {}, format="json").status_code == 403
    other = {**window, "ends_at": (nine + timedelta(hours=5)).isoformat()}
    refused = merchant_api.post(f"{url}/agree", other, format="json")
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[1]) == (409, "window_over")
    agreed = merchant_api.post(f"{url}/agree", window, format="json").json()
    assert (agreed["state"], agreed["window"], agreed["answer"]) == ("accepted", window, "No van before")
    assert [item["tracking_number"] for item in agreed["items"]] == body["tracking_numbers"]
    [listed] = courier_api.get(PICKUPS, {"state": "accepted"}).json()["results"]
    assert listed["id"] == made["id"]
    assert courier_api.get(PICKUPS, {"state": "agreed"}).status_code == 422
    assert merchant_api.post(f"{url}/cancel", {}, format="json").json()["state"] == "cancelled"
    assert courier_api.post(f"{url}/decline", {"note": "x"}, format="json").status_code == 409


def test_requests_are_listed_in_pages(
    merchant_api: APIClient, body: dict[str, Any], booked: list[Parcel]
) -> None:
    made = [
        merchant_api.post(PICKUPS, {**body, "tracking_numbers": [parcel.number]}, format="json").json()
        for parcel in booked
    ]
    first = merchant_api.get(PICKUPS, {"page_size": 2}).json()
    rest = merchant_api.get(first["next"]).json()
    ids = [each["id"] for each in [*first["results"], *rest["results"]]]
    assert ids == [each["id"] for each in reversed(made)]
