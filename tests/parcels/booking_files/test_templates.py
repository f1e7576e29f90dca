"""Files with other columns: the page that names them, templates, and what the API answers."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services.files import book_file
from parcels.models import BookingFile, BookingTemplate
from tests.parcels.helpers.booking_files import upload_of
from tests.parcels.helpers.bookings import parcels_of

pytestmark = pytest.mark.usefixtures("filing")
UPLOAD = "/bookings/upload/"
ORDERS = """Order;Who;Phone;Street;City
1001;欧阳琪;13800000001;人民路1号;成都
1002;沈雨;13800000002;春熙路2号;成都
"""
CHOICE = {
    "column_0": "reference", "column_1": "recipient_name", "column_2": "recipient_phone",
    "column_3": "recipient_address", "column_4": "destination",
    "tier": "next_day", "origin": "杭州", "weight_g": "800", "save_as": "Our shop",
}  # fmt: skip


def draft_page(client: Client, content: str = ORDERS) -> str:
    answer = client.post(UPLOAD, {"file": upload_of(content, "orders.csv")}, follow=True)
    return str(answer.redirect_chain[-1][0])


def test_unknown_columns_are_named_on_a_page_and_kept_as_a_template(
    merchant: Actor, merchant_client: Client
) -> None:
    url = draft_page(merchant_client)
    page = merchant_client.get(url).content.decode()
    assert url.endswith("/columns/")
    assert "欧阳琪" in page
    assert '<option value="recipient_phone" selected>' in page
    checked = merchant_client.post(url, {**CHOICE, "tier": "", "check": "1"}).content.decode()
    assert "Still missing: Service" in checked
    refused = merchant_client.post(url, {**CHOICE, "tier": ""})
    assert refused.status_code == 422
    assert "Choose a column for what is still missing" in refused.content.decode()
    booked = merchant_client.post(url, CHOICE)
    assert booked.status_code == 302
    with scope(Scope.everything()):
        file = BookingFile.objects.get()
    assert book_file(file_id=file.pk)
    assert sorted((parcel.reference, parcel.weight_g) for parcel in parcels_of(merchant)) == [
        ("1001", 800), ("1002", 800),
    ]  # fmt: skip
    # The next file with these columns has the template on its page; by name it needs no page.
    later = draft_page(merchant_client, ORDERS.replace("100", "200"))
    assert 'value="Our shop"' in merchant_client.get(later).content.decode()
    upload = upload_of(ORDERS.replace("100", "300"), "orders.csv")
    answer = merchant_client.post(UPLOAD, {"file": upload, "template": "Our shop"})
    assert "columns" not in answer["Location"]


def test_drafts_are_discarded_and_templates_removed(merchant: Actor, merchant_client: Client) -> None:
    url = draft_page(merchant_client)
    merchant_client.post(url, CHOICE)
    other = draft_page(merchant_client, ORDERS.replace("100", "400"))
    assert (
        "was discarded"
        in merchant_client.post(other.replace("/columns/", "/discard/"), follow=True).content.decode()
    )
    with scope(Scope.everything()):
        template = BookingTemplate.objects.get()
        assert BookingFile.objects.count() == 1
    merchant_client.post(f"/bookings/templates/{template.pk}/remove/")
    with scope(Scope.everything()):
        assert not BookingTemplate.objects.exists()


def test_one_column_is_not_two_things(merchant_client: Client) -> None:
    url = draft_page(merchant_client)
    page = merchant_client.post(url, {**CHOICE, "column_4": "reference"})
    assert page.status_code == 422
    assert "choose one of the two" in page.content.decode()


def test_api_books_by_a_template_and_names_one_that_fits(
    merchant: Actor, merchant_client: Client, merchant_api: APIClient
) -> None:
    merchant_client.post(draft_page(merchant_client), CHOICE)
    content = ORDERS.replace("100", "500")
    refused = merchant_api.post("/api/v1/booking-files", {"file": upload_of(content)}, format="multipart")
    assert refused.status_code == 422
    assert "“Our shop” was made for these columns" in refused.content.decode()
    unknown = {"file": upload_of(content), "template": "Theirs"}
    assert (
        "Yours are: Our shop"
        in merchant_api.post("/api/v1/booking-files", unknown, format="multipart").content.decode()
    )
    given = {"file": upload_of(content), "template": "Our shop"}
    assert merchant_api.post("/api/v1/booking-files", given, format="multipart").status_code == 202


def test_results_and_rejected_rows_are_workbooks_too(merchant: Actor, merchant_client: Client) -> None:
    url = draft_page(merchant_client, ORDERS.replace("13800000002", "=1+2"))
    merchant_client.post(url, CHOICE)
    with scope(Scope.everything()):
        file = BookingFile.objects.get()
    assert book_file(file_id=file.pk)
    base = f"/bookings/files/{file.pk}/"
    rejected = b"".join(merchant_client.get(f"{base}rejected.xlsx").streaming_content)  # type: ignore[attr-defined]
    assert b"".join(merchant_client.get(f"{base}results.xlsx").streaming_content)[:2] == b"PK"  # type: ignore[attr-defined]
    # The workbook of rejected rows is read as it is, without its column of reasons, and needs no template.
    answer = merchant_client.post(UPLOAD, {"file": upload_of(rejected, "rejected.xlsx")})
    assert answer.status_code == 302
    with scope(Scope.everything()):
        again = BookingFile.objects.order_by("-pk")[0]
    assert again.state == "queued"
    assert book_file(file_id=again.pk)
    text = b"".join(merchant_client.get(f"/bookings/files/{again.pk}/rejected.csv").streaming_content)  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text.decode("utf-8-sig")))
    found: dict[str, Any] = row
    assert found["recipient_phone"] == "'=1+2"


@pytest.mark.parametrize(("second", "is_ticked"), [("1001", True), ("1002", False)])
def test_repeated_numbers_are_taken_for_articles_until_a_person_says_otherwise(
    merchant: Actor, merchant_client: Client, second: str, is_ticked: bool
) -> None:
    """A row of an article that is taken for a box is a parcel that nobody meant."""
    rows = f"1001;Li;13800000001;A 1;成都;Cup\n{second};Li;13800000001;A 1;成都;Plate\n"
    url = draft_page(merchant_client, f"Order;Who;Phone;Street;City;What\n{rows}")
    form = merchant_client.get(url).context["form"]
    assert bool(form["one_row_each"].value()) == is_ticked
    # Unticked, as a browser sends it, they are parcels of one order.
    assert merchant_client.post(url, {**CHOICE, "save_as": ""}).status_code == 302
    with scope(Scope.everything()):
        book_file(file_id=BookingFile.objects.get().pk)
    assert sorted(parcel.pieces for parcel in parcels_of(merchant)) == ([2, 2] if is_ticked else [1, 1])


def test_page_shows_the_first_rows_as_they_are_read_and_what_is_wrong_with_them(
    merchant_client: Client,
) -> None:
    rows = "\n".join(
        (
            'Order;Who;Phone;Street;City', '"=""00012""";欧阳琪;13800000001;人民路1号;成都',
            "13;沈雨;138****0002;春熙路2号;成都", "14;沈雨;13800000002;春熙路2号;Atlantis", "合计;;;;",
        )
    )  # fmt: skip
    url = draft_page(merchant_client, rows)
    page = merchant_client.post(url, {**CHOICE, "check": "1"}).content.decode()
    shown = page[page.index("First rows, as they will be booked") : page.index("First ten rows of the file")]
    assert "00012" in shown
    assert "=&quot;" not in shown
    for problem in ("Digits of this number are hidden", "Unknown city", "This row has no recipient"):
        assert problem in shown
    assert shown.count("will be rejected") == 3
