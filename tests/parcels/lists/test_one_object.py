"""A parcel is one object wherever the API shows it, without what the reader may not see."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.choices import Role
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor
from tests.factories import LOTUS, SWIFT, api_client
from tests.parcels.helpers.parcel_views import RECIPIENT
from tests.parcels.helpers.watch_list import due_in, refresh

pytestmark = pytest.mark.django_db
# What the watch list says beside the parcel, and what moves on while a test runs.
WHY = {"reasons", "stage", "stage_at", "last_scan_at", "chance_late"}
PRICES = {"price", "currency"}


def shown(api: APIClient, number: str) -> list[dict[str, Any]]:
    """The parcel as the list, the watch list and its own address show it."""
    [listed] = api.get("/api/v1/parcels").json()["results"]
    [watched] = api.get("/api/v1/watch").json()["results"]
    assert watched.keys() - listed.keys() == WHY
    return [
        {name: value for name, value in answer.items() if name not in {*WHY, "expected"}}
        for answer in (listed, watched, api.get(f"/api/v1/parcels/{number}").json())
    ]


@pytest.fixture
def number(merchant_organisation: Organisation, courier_organisation: Organisation) -> str:
    [parcel] = due_in(merchant_organisation, courier_organisation, -2, reference="SO-77", **RECIPIENT)
    refresh()
    return str(parcel.number)


def test_lists_and_details_show_one_object(
    number: str, merchant_api: APIClient, courier_api: APIClient
) -> None:
    for api in (merchant_api, courier_api):
        listed, watched, detail = shown(api, number)
        for answer in (listed, watched, detail):
            if answer["promise"] and answer["promise"]["late_by_seconds"]:
                answer["promise"]["late_by_seconds"] = "some"
        assert listed == watched == detail
        assert (detail["merchant"], detail["courier"], detail["reference"]) == (LOTUS, SWIFT, "SO-77")


def test_it_leaves_out_what_a_key_may_not_see(number: str, merchant: Actor, courier: Actor) -> None:
    buyer = shown(api_client(merchant, {"parcels:read", "parcels:book"}), number)
    reader = shown(api_client(merchant, {"parcels:read"}), number)
    driver = shown(api_client(courier, {"parcels:read"}), number)
    for theirs, readers, drivers in zip(buyer, reader, driver, strict=True):
        assert theirs.keys() - readers.keys() == PRICES
        assert readers.keys() - drivers.keys() == {"rule"}
        assert "*" in readers["recipient"]["phone"]


def test_strangers_see_the_public_part_alone(
    number: str, client: Client, rival_courier: Organisation, merchant_api: APIClient
) -> None:
    rival = actor_of_organisation(rival_courier, kind="user", role=Role.OWNER, label="rival")
    rival_courier_api = api_client(rival, {"parcels:read"})
    assert rival_courier_api.get(f"/api/v1/parcels/{number}").status_code == 404
    assert rival_courier_api.get("/api/v1/parcels").json()["results"] == []
    assert rival_courier_api.get("/api/v1/watch").json()["results"] == []
    public = client.get(f"/api/v1/tracking/{number}").json()
    parcel = merchant_api.get(f"/api/v1/parcels/{number}").json()
    assert public.keys() & parcel.keys() == {
        "tracking_number", "status", "status_text", "status_at", "next_step", "promise", "lost", "expected",
        "courier", "courier_name", "tier", "origin", "origin_name", "destination", "destination_name",
        "is_test",
    }  # fmt: skip
    assert parcel["promise"].keys() - public["promise"].keys() == {"pickup_date", "pickup_by"}
