"""Scripts of other origins read public tracking, and nothing else."""

from typing import Any

import pytest
from django.test import Client

from alliance.models import Organisation
from tests.parcels.helpers.parcel_views import some_parcels

pytestmark = pytest.mark.django_db
SHOP = {"Origin": "https://shop.example"}


def test_a_shops_page_reads_tracking(
    client: Client, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation)
    address = f"/api/v1/tracking/{parcel.number}"
    answer = client.get(address, headers=SHOP)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Access-Control-Allow-Credentials" not in answer
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    again = client.get(address, headers={**SHOP, "If-None-Match": answer["ETag"]})
    assert (again.status_code, again["Access-Control-Allow-Origin"]) == (304, "*")


def test_it_reads_why_there_is_none(client: Client) -> None:
    answer = client.get("/api/v1/tracking/CA1", headers=SHOP)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (404, "*")


def asked(client: Client, address: str) -> Any:
    headers = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    return client.options(address, headers={**SHOP, **headers})


def test_a_browser_may_ask_before_it_polls(client: Client) -> None:
    answer = asked(client, "/api/v1/tracking/CA180HFPF3JNCPRS")
    assert (answer.status_code, answer["Access-Control-Allow-Headers"]) == (204, "If-None-Match")
    assert answer["Access-Control-Allow-Methods"] == "GET, HEAD"


@pytest.mark.parametrize("address", ["/api/v1/parcels", "/api/v1/tiers", "/track/CA180HFPF3JNCPRS/"])
def test_nothing_else_is_open(address: str, client: Client) -> None:
    for answer in (client.get(address, headers=SHOP), asked(client, address)):
        assert "Access-Control-Allow-Origin" not in answer
