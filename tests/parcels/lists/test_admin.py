"""The admin of parcels: search by number or reference, scans and commitments, no count queries."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel, PickupAddress
from slas.commitments.services.sweeping import sweep_overdue
from tests.parcels.helpers.parcel_views import scan, some_parcels, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/parcels/parcel/"
Book = Callable[..., list[Parcel]]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**values: Any) -> list[Parcel]:
        return some_parcels(merchant_organisation, courier_organisation, **values)

    return book


def search_results(client: Client, text: str) -> list[str]:
    return [parcel.number for parcel in client.get(LIST, {"q": text}).context["cl"].result_list]


def test_ops_find_a_parcel_by_number_or_reference(book: Book, ops_client: Client) -> None:
    first, second = book(count=2, reference="PO-1")
    [other] = book(reference="XX")
    assert search_results(ops_client, first.number.lower()) == [first.number]
    assert search_results(ops_client, "PO-") == [second.number, first.number]
    assert search_results(ops_client, "O-1") == []
    assert other.number in search_results(ops_client, "")


def test_list_is_never_counted_and_query_count_is_constant(book: Book, ops_client: Client) -> None:
    book()
    ops_client.get(LIST)
    counts = []
    for _more in range(2):
        with CaptureQueriesContext(connection) as queries:
            ops_client.get(LIST)
        counts.append(len(queries))
        book(count=2)
    assert counts[0] == counts[1]
    parcels = [query["sql"] for query in queries if "parcels_parcel" in query["sql"]]
    assert parcels
    assert not [sql for sql in parcels if "COUNT(" in sql or "JOIN" in sql]


def test_parcel_shows_its_commitments_and_scans(book: Book, ops_client: Client) -> None:
    [parcel] = book(hours_ago=40)
    scan(parcel, "picked_up", 1, facility="HGH-1")
    scan(parcel, "held", 2, reason="weather_typhoon", event_id="e1", now=timezone.now())
    scan(parcel, "correction", 3, corrects="e1", now=timezone.now())
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    response = ops_client.get(f"{LIST}{parcel.pk}/change/")
    page = text_of(response)
    assert "On time (5 h early)" in page
    assert "Overdue (10 h overdue)" in page
    assert "open since" in page
    assert "HGH-1" in page
    assert "<del>Held</del>" in response.content.decode()
    assert "Correction: Held" in page
    assert "欧***" in page
    assert "欧阳娜娜" not in page


def test_parcel_opens_by_its_number(book: Book, ops_client: Client) -> None:
    [parcel] = book()
    response = ops_client.get(f"{LIST}{parcel.number}/change/")
    assert response.status_code == 200
    assert parcel.number in text_of(response)


def test_admin_is_read_only(book: Book, ops_client: Client) -> None:
    [parcel] = book()
    assert ops_client.get(f"{LIST}add/").status_code == 403
    assert ops_client.post(f"{LIST}{parcel.pk}/change/", {"status": "lost"}).status_code == 403
    assert ops_client.post(f"{LIST}{parcel.pk}/delete/", {"post": "yes"}).status_code == 403


def test_merchants_and_their_addresses_are_listed(
    merchant_organisation: Organisation, hangzhou: City, ops_client: Client
) -> None:
    with scope(Scope.everything()):
        PickupAddress.objects.create(
            merchant_id=merchant_organisation.pk, name="Warehouse 1", city=hangzhou, address="文三路 1",
            contact_name="Li", contact_phone="1",
        )  # fmt: skip
    assert "Lotus Tea" in text_of(ops_client.get("/admin/parcels/merchant/", {"q": "lotus"}))
    assert "Warehouse 1" in text_of(ops_client.get("/admin/parcels/pickupaddress/", {"q": "hangzhou"}))


def test_members_have_no_access(book: Book, merchant_client: Client) -> None:
    [parcel] = book()
    assert merchant_client.get(f"{LIST}{parcel.pk}/change/").status_code == 302
