"""Programs make manifests and pick them up."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.choices import Capability
from alliance.models import Organisation
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from parcels.manifests.services.making import Made
from parcels.models import Manifest, Parcel, PickupAddress
from tests import factories
from tests.factories import id_of
from tests.parcels.helpers.bookings import pointers
from tests.parcels.manifests.conftest import DAY, parcel_of, waiting_parcels

MANIFESTS = "/api/v1/manifests"


@pytest.fixture
def seller(merchant: Actor) -> APIClient:
    return factories.api_client(merchant, {Capability.BOOK_PARCELS, Capability.VIEW_PARCELS})


@pytest.fixture
def driver(courier: Actor) -> APIClient:
    return factories.api_client(courier, {Capability.SEND_SCANS, Capability.VIEW_PARCELS})


def body_of(courier: Organisation, address: PickupAddress) -> dict[str, Any]:
    return {"courier": courier.public_id, "pickup_address": id_of(address), "day": DAY().isoformat()}


def test_made_once_for_a_key_and_picked_up_once(
    seller: APIClient,
    driver: APIClient,
    courier_organisation: Organisation,
    address: PickupAddress,
    waiting: list[Parcel],
) -> None:
    body = body_of(courier_organisation, address)
    first = seller.post(MANIFESTS, body, headers={"Idempotency-Key": "1"})
    again = seller.post(MANIFESTS, body, headers={"Idempotency-Key": "1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    manifest = first.json()["manifest"]
    assert (manifest["counts"]["listed"], manifest["state"]) == (3, "open")
    url = first["Location"]
    assert driver.get(url).json()["pickup_place"]["name"] == address.name
    wrong = driver.post(f"{url}/pick-up", {"missing_numbers": [waiting[0].number, "CA1"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/missing_numbers/1")
    told = {"missing_numbers": [waiting[0].number], "extra_numbers": ["CA1"]}
    done = driver.post(f"{url}/pick-up", told)
    repeated = driver.post(f"{url}/pick-up", told)
    assert done.status_code == repeated.status_code == 200
    assert [each["status"] for each in done.json()["missing_results"]] == ["accepted"]
    assert [each["status"] for each in done.json()["extra_results"]] == ["rejected"]
    assert {**repeated.json(), "repeated": False} == done.json()
    assert done.json()["manifest"]["counts"] == {
        **{"listed": 3, "to_pick_up": 0, "picked_up": 2, "cancelled": 0},
        **{"missing": 1, "extra": 0, "refused": 0, "removed": 0},
    }
    lines = seller.get(f"{url}/parcels").json()
    assert [each["handover"] for each in lines["results"]] == ["picked_up", "picked_up"]
    assert [each["tracking_number"] for each in lines["missing_parcels"]] == [waiting[0].number]
    [listed] = driver.get(MANIFESTS, {"state": "handed_over", "day": DAY().isoformat()}).json()["results"]
    assert listed["manifest_number"] == manifest["manifest_number"]
    assert driver.get(f"{url}/pdf").content[:5] == b"%PDF-"


def test_numbers_that_do_not_fit_are_told_by_their_place(seller: APIClient, waiting: list[Parcel]) -> None:
    numbers = [waiting[0].number, "CA1", waiting[1].number]
    made = seller.post(MANIFESTS, {"tracking_numbers": numbers})
    assert made.status_code == 201
    results = made.json()["results"]
    assert [each["status"] for each in results] == ["accepted", "rejected", "accepted"]
    assert results[1]["type"].endswith("unknown_tracking_number")
    refused = seller.post(MANIFESTS, {"tracking_numbers": numbers[:1]})
    assert pointers(refused) == [("/tracking_numbers/0", "on_another_manifest")]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/courier"),
        (
            {
                "courier": "nobody",
                "pickup_address": public_id(IdKind.PICKUP_ADDRESS, 1),
                "day": "2026-12-01",
            },
            "/courier",
        ),
        ({"tracking_numbers": []}, "/tracking_numbers"),
        ({"day": "tomorrow"}, "/day"),
        ({"date": "2026-12-01"}, "/date"),
    ],
)
def test_wrong_bodies_are_refused_where_they_are_wrong(
    seller: APIClient, body: dict[str, Any], pointer: str
) -> None:
    refused = seller.post(MANIFESTS, body)
    assert refused.status_code == 422
    assert pointer in [place for place, _code in pointers(refused)]


def test_wrong_times_and_states_of_a_pickup(seller: APIClient, driver: APIClient, made: Made) -> None:
    url = f"{MANIFESTS}/{made.manifest.number}"
    future = (timezone.now() + timedelta(hours=1)).isoformat()
    for at in ("2026-12-01T10:00:00", future):
        assert pointers(driver.post(f"{url}/pick-up", {"picked_up_at": at}))[0][0] == "/picked_up_at"
    assert seller.post(f"{url}/pick-up").status_code == 403
    assert seller.put(f"{url}/remark", {"remark": "Gate 3"}).json()["merchant_remark"] == "Gate 3"
    assert seller.post(f"{url}/cancel").json()["state"] == "cancelled"
    assert seller.post(f"{url}/cancel").status_code == 200
    refused = driver.post(f"{url}/pick-up")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:alliance:problem:manifest_cancelled")
    assert driver.get(f"{MANIFESTS}/MF00000000000").status_code == 404


def test_parcels_beside_the_list_by_the_api(
    driver: APIClient,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    made: Made,
) -> None:

    [beside] = waiting_parcels(merchant_organisation, courier_organisation, None)
    done = driver.post(
        f"{MANIFESTS}/{made.manifest.number}/pick-up", {"extra_numbers": [beside.number]}
    ).json()
    assert done["manifest"]["counts"]["picked_up"] == 4
    assert parcel_of(beside.pk).manifest_id == made.manifest.pk
    with scope(Scope.everything()):
        assert Manifest.objects.get().extra == [beside.pk]
