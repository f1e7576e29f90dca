"""The list as a file: what is in it, who may have it, and what a spreadsheet must not run."""

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
from parcels.portal.exports import COLUMNS
from tests.parcels.helpers.parcel_views import client_of, scan, some_parcels

pytestmark = pytest.mark.django_db
EXPORT = "/parcels/export/"
Book = Callable[..., list[Parcel]]


@pytest.fixture
def book(merchant_organisation: Organisation, courier_organisation: Organisation) -> Book:
    def book(**given: Any) -> list[Parcel]:
        return some_parcels(merchant_organisation, courier_organisation, **given)

    return book


def file_of(client: Client, **query: Any) -> list[dict[str, str]]:
    response = client.get(EXPORT, query)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_is_streamed_with_a_byte_order_mark_and_a_name(book: Book, merchant_client: Client) -> None:
    book()
    response: Any = merchant_client.get(EXPORT)
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="parcels-\d{8}-\d{4}\.csv"', response["Content-Disposition"])
    assert b"".join(response.streaming_content).startswith(b"\xef\xbb\xbftracking_number,")


def test_every_parcel_is_in_it_once_newest_first(
    book: Book, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.exports.BATCH", 2)
    made = [parcel.number for parcel in book(count=5)][::-1]
    assert [row["tracking_number"] for row in file_of(merchant_client)] == made


def test_it_holds_what_the_filters_hold(book: Book, merchant_client: Client) -> None:
    late, young = book(hours_ago=40, reference="A-1")[0], book(hours_ago=1)[0]
    assert [row["tracking_number"] for row in file_of(merchant_client, late="true")] == [late.number]
    assert [row["tracking_number"] for row in file_of(merchant_client, search="A-")] == [late.number]
    assert [row["tracking_number"] for row in file_of(merchant_client, late="false")] == [young.number]


def test_each_sees_only_its_own(book: Book, courier_client: Client, rival_merchant: Organisation) -> None:
    [parcel] = book()
    assert [row["tracking_number"] for row in file_of(courier_client)] == [parcel.number]
    assert file_of(client_of(rival_merchant, Role.OWNER)) == []


def test_a_line_says_everything_with_offsets(book: Book, merchant_client: Client) -> None:
    [parcel] = book(hours_ago=40, reference="订单-1")
    scan(parcel, "delivered", 33)
    [row] = file_of(merchant_client)
    assert (row["reference"], row["status"], row["delivery_outcome"]) == ("订单-1", "delivered", "late")
    assert (row["merchant"], row["courier"], row["service"]) == ("Lotus Tea", "Swift Express", "next_day")
    assert (row["origin_code"], row["destination"]) == ("CN-HGH", "Chengdu")
    assert (row["weight_g"], row["fee_cny"]) == ("800", "12.50")
    assert row["delivered_at"].endswith("+08:00")
    assert datetime.fromisoformat(row["deliver_by"]) == parcel.deliver_by
    assert row["cancelled_at"] == ""


def test_recipients_are_masked_for_those_who_may_not_read_them(
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
def test_nothing_in_it_is_a_formula(text: str, book: Book, merchant_client: Client) -> None:
    book(reference=text, recipient_name=text)
    [row] = file_of(merchant_client)
    assert row["reference"] == row["recipient_name"] == f"'{text}"


def test_commas_quotes_and_lines_survive(book: Book, merchant_client: Client) -> None:
    book(recipient_name='王, "小"\n明', reference="a;b")
    [row] = file_of(merchant_client)
    assert (row["recipient_name"], row["reference"]) == ('王, "小"\n明', "a;b")


def test_it_takes_the_capability(book: Book, merchant_organisation: Organisation, client: Client) -> None:
    book()
    assert client_of(merchant_organisation, Role.VIEWER).get(EXPORT).status_code == 403
    assert client.get(EXPORT)["Location"].startswith("/accounts/login/")


def test_who_took_it_is_recorded(book: Book, merchant_client: Client) -> None:
    book()
    file_of(merchant_client, status=["booked", "lost"])
    with scope(Scope.everything()):
        entry = AuditEntry.objects.get(verb="parcels.exported")
    assert entry.detail == {"filters": {"status": ["booked", "lost"]}, "unmasked": True}


def test_filters_that_cannot_be_read_give_no_file(book: Book, merchant_client: Client) -> None:
    book()
    response = merchant_client.get(EXPORT, {"booked_from": "yesterday"})
    assert response.status_code == 422
    with scope(Scope.everything()):
        assert not AuditEntry.objects.filter(verb="parcels.exported").exists()


def test_a_page_of_it_costs_the_same_whatever_is_in_it(book: Book, merchant_client: Client) -> None:
    book()
    counts = []
    for _more in range(2):
        response: Any = merchant_client.get(EXPORT)
        with CaptureQueriesContext(connection) as queries:
            b"".join(response.streaming_content)
        counts.append(len(queries))
        book(count=2)
    # Savepoint, scope, the page, its names, its promises, scope, savepoint.
    assert counts == [9, 9]


@pytest.mark.django_db(transaction=True)
def test_each_page_has_a_transaction_and_a_scope_of_its_own(
    book: Book, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parcels.portal.exports.BATCH", 1)
    book(count=2)
    response: Any = merchant_client.get(EXPORT)
    stream = iter(response.streaming_content)
    next(stream)
    next(stream)
    # Between pages: no transaction is open, and the connection sees nothing.
    assert not connection.in_atomic_block
    assert not Parcel.objects.exists()
    assert len(list(stream)) == 1


def test_the_columns_are_documented() -> None:
    documented = (Path(django_settings.BASE_DIR) / "docs" / "csv-export.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE) == list(COLUMNS)
