"""The list as CSV: content, access, and no formulas."""

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alliance.choices import Role
from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from parcels.portal.parcels_csv import COLUMNS
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels

pytestmark = pytest.mark.django_db
EXPORT = "/parcels/export/"
Book = Callable[..., list[Parcel]]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**values: Any) -> list[Parcel]:
        return some_parcels(merchant_organisation, courier_organisation, **values)

    return book


def file_of(client: Client, **query: Any) -> list[dict[str, str]]:
    response = client.get(EXPORT, query)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_file_is_streamed_with_bom_and_name(book: Book, merchant_client: Client) -> None:
    book()
    response: Any = merchant_client.get(EXPORT)
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="parcels-\d{8}-\d{4}\.csv"', response["Content-Disposition"])
    assert b"".join(response.streaming_content).startswith(b"\xef\xbb\xbftracking_number,")


def test_every_parcel_is_exported_once_newest_first(
    book: Book, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.parcels_csv.BATCH", 2)
    numbers = [parcel.number for parcel in book(count=5)][::-1]
    assert [row["tracking_number"] for row in file_of(merchant_client)] == numbers


def test_export_applies_the_filters(book: Book, merchant_client: Client) -> None:
    late, young = book(hours_ago=40, reference="A-1")[0], book(hours_ago=1)[0]
    assert [row["tracking_number"] for row in file_of(merchant_client, late="true")] == [late.number]
    assert [row["tracking_number"] for row in file_of(merchant_client, search="A-")] == [late.number]
    assert [row["tracking_number"] for row in file_of(merchant_client, late="false")] == [young.number]


def test_export_has_only_own_parcels(
    book: Book, courier_client: Client, rival_merchant: Organisation
) -> None:
    [parcel] = book()
    assert [row["tracking_number"] for row in file_of(courier_client)] == [parcel.number]
    assert file_of(client_of(rival_merchant, Role.OWNER)) == []


def test_line_has_all_columns_with_offsets(book: Book, merchant_client: Client) -> None:
    [parcel] = book(hours_ago=40, reference="订单-1")
    scan(parcel, "delivered", 33)
    [row] = file_of(merchant_client)
    assert (row["reference"], row["status"], row["outcome"]) == ("订单-1", "delivered", "late")
    assert (row["merchant_name"], row["courier_name"], row["tier"]) == (
        "Lotus Tea",
        "Swift Express",
        "next_day",
    )
    assert (row["origin"], row["destination_name"]) == ("CN-HGH", "Chengdu")
    assert (row["weight_g"], row["price"], row["declared_value"]) == ("800", "12.50", "")
    assert row["delivered_at"].endswith("+08:00")
    assert datetime.fromisoformat(row["promise_current"]) == parcel.deliver_by
    assert row["cancelled_at"] == ""


def test_recipients_are_masked_without_the_capability(
    book: Book, merchant_organisation: Organisation, merchant_client: Client
) -> None:
    book()
    [masked] = file_of(client_of(merchant_organisation, Role.FINANCE))
    assert masked["recipient_name"] == "欧***"
    assert "1203" not in masked["recipient_address"]
    assert "5678" not in masked["recipient_phone"]
    [full] = file_of(merchant_client)
    assert full["recipient_name"] == "欧阳娜娜"
    assert full["recipient_address"].endswith("1203室")


@pytest.mark.parametrize("text", ["=1+1", "+86 1", "-2", "@SUM(A1)", "\tx", '=HYPERLINK("http://x")'])
def test_cells_are_never_formulas(text: str, book: Book, merchant_client: Client) -> None:
    book(reference=text, recipient_name=text)
    [row] = file_of(merchant_client)
    assert row["reference"] == row["recipient_name"] == f"'{text}"


def test_commas_quotes_and_line_breaks_are_preserved(book: Book, merchant_client: Client) -> None:
    book(recipient_name='王, "小"\n明', reference="a;b")
    [row] = file_of(merchant_client)
    assert (row["recipient_name"], row["reference"]) == ('王, "小"\n明', "a;b")


def test_export_requires_the_capability(
    book: Book, merchant_organisation: Organisation, client: Client
) -> None:
    book()
    assert client_of(merchant_organisation, Role.VIEWER).get(EXPORT).status_code == 403
    assert client.get(EXPORT)["Location"].startswith("/accounts/login/")


def test_export_is_audited(book: Book, merchant_client: Client) -> None:
    book()
    file_of(merchant_client, status=["booked", "lost"])
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="parcels.exported")
    assert entry.detail == {"filters": {"status": ["booked", "lost"]}, "unmasked": True}


def test_invalid_filters_give_no_file(book: Book, merchant_client: Client) -> None:
    book()
    response = merchant_client.get(EXPORT, {"booked_from": "yesterday"})
    assert response.status_code == 422
    with scope(Scope.everything()):
        assert not AuditEntry.objects.filter(verb="parcels.exported").exists()


def test_query_count_of_a_page_is_constant(book: Book, merchant_client: Client) -> None:
    book()
    # The first request reads the cities and tiers.
    b"".join(merchant_client.get(EXPORT).streaming_content)
    counts = []
    for _more in range(2):
        with CaptureQueriesContext(connection) as queries:
            # The first page is read before the answer begins.
            b"".join(merchant_client.get(EXPORT).streaming_content)
        counts.append(len(queries))
        book(count=2)
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_each_page_has_its_own_transaction_and_scope(
    book: Book, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.parcels_csv.BATCH", 1)
    book(count=2)
    response: Any = merchant_client.get(EXPORT)
    stream = iter(response.streaming_content)
    next(stream)
    # Between pages no transaction is open, and the connection has no scope.
    assert not connection.in_atomic_block
    assert not Parcel.objects.exists()
    assert len(list(stream)) == 1


def test_columns_are_documented() -> None:
    documented = (Path(django_settings.BASE_DIR) / "docs" / "csv-export.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE) == list(COLUMNS)
