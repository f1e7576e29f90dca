"""Lists of the admin: their filters, and their texts when empty."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

FILTERED_BY_COURIER = sorted(
    f"{model._meta.app_label}_{model._meta.model_name}"
    for model, listing in admin.site._registry.items()
    if "courier" in listing.list_filter
)


@pytest.mark.parametrize("name", FILTERED_BY_COURIER)
def test_lists_are_filtered_by_courier(ops_client: Client, name: str, courier) -> None:
    address = reverse(f"admin:{name}_changelist")
    query = {"courier__organisation__exact": courier.organisation_id}

    assert ops_client.get(address, query).status_code == 200


def test_lookup_without_a_filter_is_refused(ops_client: Client) -> None:
    address = reverse("admin:parcels_parcel_changelist")
    assert ops_client.get(address, {"merchant__organisation__name": "x"}).status_code == 400


def test_empty_read_only_list_has_no_add_link(ops_client: Client) -> None:
    page = ops_client.get(reverse("admin:alliance_retiredmonth_changelist")).content.decode()

    assert "Nothing here yet" in page
    assert "new item" not in page


def test_empty_search_offers_to_reset(ops_client: Client) -> None:
    page = ops_client.get(reverse("admin:couriers_courier_changelist"), {"q": "nobody"}).content.decode()

    assert "No entry matches the filters and the search." in page
    assert "Reset filters" in page


@pytest.mark.parametrize("query", [{}, {"kind__exact": "delivery"}])
def test_uncounted_lists_show_no_count(ops_client: Client, query: dict[str, str]) -> None:
    page = ops_client.get(reverse("admin:slas_breachlisting_changelist"), query).content.decode()

    assert "result" not in page.split("<h1", 1)[1].split("</h1>", 1)[0]
