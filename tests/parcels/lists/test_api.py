"""The API of parcels: detail and list."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Scope, scope
from slas.models import Offer
from tests.factories import SWIFT
from tests.parcels.helpers.bookings import BATCH, PARCELS, body_for, book
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db


def test_parcel_is_visible_only_to_its_merchant_and_courier(
    merchant_api: APIClient, courier_api: APIClient, sold: Offer, client: Any
) -> None:
    url = f"{PARCELS}/{book(merchant_api)['tracking_number'].lower()}"
    assert merchant_api.get(url).status_code == 200
    assert courier_api.get(url).json()["courier"] == SWIFT
    assert client.get(url).status_code == 401
    assert merchant_api.get(f"{PARCELS}/CA0000000000000000").status_code == 404
    assert merchant_api.get(f"{PARCELS}/nonsense").status_code == 404


def test_recipients_are_masked_unless_unmasking_is_allowed_and_audited(
    merchant_api: APIClient, courier_client: Any, sold: Offer
) -> None:
    number = book(merchant_api)["tracking_number"]
    masked = merchant_api.get(f"{PARCELS}/{number}").json()["recipient"]
    assert masked == {"name": "王**", "phone": "138******78", "address": "人民南路四段***号***单元***室"}
    assert merchant_api.get(f"{PARCELS}/{number}?unmask=true").status_code == 403
    full = courier_client.get(f"{PARCELS}?unmask=true").json()["results"][0]["recipient"]
    assert full["phone"] == "13812345678"
    with scope(Scope.everything()):
        assert AuditEntry.objects.get(verb="parcel.unmasked").detail["numbers"] == [number]


def test_list_filters_and_pages(
    merchant_api: APIClient, sold: Offer, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, chengdu, hangzhou, tier="standard")
    there = [book(merchant_api, reference=f"A-{number}")["tracking_number"] for number in range(3)]
    back = book(merchant_api, origin="CN-CTU", destination="CN-HGH", tier="standard")["tracking_number"]
    merchant_api.post(f"{PARCELS}/{there[0]}/cancel")

    def listed(query: str) -> list[str]:
        response = merchant_api.get(f"{PARCELS}?{query}")
        assert response.status_code == 200, response.content
        return [item["tracking_number"] for item in response.json()["results"]]

    assert listed("") == [back, *reversed(there)]
    assert listed("status=cancelled") == [there[0]]
    assert listed("tier=standard") == listed("origin=Chengdu") == listed("destination=CN-HGH") == [back]
    assert listed("search=A-1") == [there[1]]
    assert listed(f"search={there[2]}") == [there[2]]
    assert listed("late=true") == []
    assert len(listed("late=false")) == 4
    assert listed("booked_to=2020-01-01") == []
    assert len(listed("booked_from=2020-01-01&booked_to=9999-12-31")) == 4
    first = merchant_api.get(f"{PARCELS}?page_size=3").json()
    rest = merchant_api.get(first["next"]).json()
    assert [item["tracking_number"] for item in rest["results"]] == [there[0]]


@pytest.mark.parametrize(
    "query", ["status=gone", "tier=x", "late=maybe", "booked_from=yesterday", "origin=Atlantis", "search=%00"]
)
def test_list_refuses_unknown_filters(merchant_api: APIClient, query: str) -> None:
    assert merchant_api.get(f"{PARCELS}?{query}").status_code == 422


@pytest.mark.parametrize("count", [1, 3])
def test_list_query_count_does_not_depend_on_its_length(
    merchant_client: Any, sold: Offer, count: int, django_assert_num_queries: Any, merchant_api: APIClient
) -> None:
    merchant_api.post(BATCH, [body_for()] * count)
    merchant_api.get(PARCELS)
    # Savepoint and scope (open, close), key (found with its organisation), the page.
    with django_assert_num_queries(14):
        merchant_api.get(PARCELS)
