"""The pages and the API of booking files."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import book_file
from parcels.models import BookingFile
from tests.factories import pk_of
from tests.parcels.helpers.booking_files import finished, reread, row, started, text_of, upload_of
from tests.parcels.helpers.bookings import parcels_of

UPLOAD = "/bookings/upload/"
API = "/api/v1/booking-files"


pytestmark = pytest.mark.usefixtures("filing")


def content_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode("utf-8-sig")


# --- pages -----------------------------------------------------------------------------------


def test_upload_redirects_to_a_page_that_polls_until_the_file_is_finished(
    merchant: Actor, merchant_client: Client
) -> None:
    content = text_of(row(reference="A"), row(reference="B", weight_g="light"), row(reference="A"))
    answer = merchant_client.post(UPLOAD, {"file": upload_of(content)}, follow=True)
    url, _status = answer.redirect_chain[0]
    page = answer.content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert 'max="4"' in page
    assert "Waiting in the queue" in page
    with scope(Scope.everything()):
        book_file(file_id=BookingFile.objects.get().pk)
    asked_again = merchant_client.get(url, headers={"HX-Request": "true"})
    assert asked_again["HX-Refresh"] == "true"
    page = merchant_client.get(url).content.decode()
    assert "hx-trigger" not in page.split("<main", 1)[1].split("</main", 1)[0]
    assert "whole grams" in page
    assert "Already booked" in page
    assert parcels_of(merchant)[0].number in page
    assert "bookings.csv" in merchant_client.get(UPLOAD).content.decode()


def test_refused_upload_shows_the_error_at_the_field(merchant_client: Client) -> None:
    answer = merchant_client.post(UPLOAD, {"file": upload_of(b"PK\x03\x04...xl/", "orders.xlsx")})
    assert answer.status_code == 422
    assert "workbook is damaged" in answer.content.decode()
    assert merchant_client.post(UPLOAD, {"file": upload_of(b"")}).status_code == 422


def test_same_file_links_to_the_first_and_can_be_booked_again(
    merchant: Actor, merchant_client: Client
) -> None:
    content = text_of(row(reference="A"))
    file = finished(merchant, content)
    answer = merchant_client.post(UPLOAD, {"file": upload_of(content)})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'href="/bookings/files/{file.pk}/"' in page
    assert 'name="again"' in page
    answer = merchant_client.post(UPLOAD, {"file": upload_of(content), "again": "on"})
    assert answer.status_code == 302


def test_downloads_are_complete(merchant: Actor, merchant_client: Client) -> None:
    file = finished(
        merchant, text_of(*(row(reference=f"R{n}", weight_g="x" if n else "1") for n in range(5)))
    )
    url = f"/bookings/files/{file.pk}/"
    results = list(csv.DictReader(io.StringIO(content_of(merchant_client.get(f"{url}results.csv")))))
    assert [found["result"] for found in results] == ["booked", *["rejected"] * 4]
    problems = merchant_client.get(f"{url}problems.csv")
    assert len(content_of(problems).splitlines()) == 5
    assert "bookings-problems.csv" in problems["Content-Disposition"]
    assert len(content_of(merchant_client.get(f"{url}rejected.csv")).splitlines()) == 5
    template = merchant_client.get("/bookings/template.csv").content.decode("utf-8-sig")
    assert template.startswith("reference,tier,origin")


def test_downloads_are_not_found_before_the_first_slice(merchant: Actor, merchant_client: Client) -> None:
    file = started(merchant, text_of(row()))
    for name in ("results", "problems", "rejected"):
        assert merchant_client.get(f"/bookings/files/{file.pk}/{name}.csv").status_code == 404


def test_cancel_button_cancels_a_file(merchant: Actor, merchant_client: Client) -> None:
    file = started(merchant, text_of(row()))
    page = merchant_client.post(f"/bookings/files/{file.pk}/cancel/", follow=True).content.decode()
    assert "stay booked" in page
    assert reread(file).state == "cancelled"
    finished_file = finished(merchant, text_of(row(reference="B")))
    page = merchant_client.post(f"/bookings/files/{finished_file.pk}/cancel/", follow=True).content.decode()
    assert "nothing to cancel" in page


def test_failed_slice_is_told_and_when_it_is_tried_again(
    merchant: Actor, merchant_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_given: Any) -> None:
        raise RuntimeError("a bug of ours")

    file = started(merchant, text_of(row()))
    with monkeypatch.context() as patched:
        patched.setattr(booking_files, "book_rows", broken)
        assert not book_file(file_id=file.pk)
    page = merchant_client.get(f"/bookings/files/{file.pk}/").content.decode()
    assert "Something went wrong on our side. Rows already processed: 0. We will try again after" in page
    assert book_file(file_id=file.pk)
    page = merchant_client.get(f"/bookings/files/{file.pk}/").content.decode()
    assert "went wrong on our side" not in page


def test_problems_are_paged(merchant: Actor, merchant_client: Client) -> None:
    file = finished(merchant, text_of(*(row(weight_g="x", reference=f"R{n}") for n in range(130))))
    url = f"/bookings/files/{file.pk}/"
    page = merchant_client.get(url).content.decode()
    assert page.count("Enter the weight") == 100
    following = page.split("?from=", 1)[1].split("#", 1)[0]
    assert merchant_client.get(url, {"from": following}).content.decode().count("Enter the weight") == 30
    for odd in ("x", "-1", "9" * 30, "7"):
        assert merchant_client.get(url, {"from": odd}).status_code == 200


def test_problems_are_shown_in_the_readers_language(merchant: Actor, merchant_client: Client) -> None:
    rows = [
        row(reference="A", weight_g="light"),
        row(reference="B", recipient_name="", recipient_address=""),
        row(reference="C", recipient_phone="1.38123E+10"),
        row(reference="D", tier="", weight_g="x"),
        row(reference="E", origin="Atlantis"),
        row(reference="F"),
        row(reference="G"),
        row(reference="F"),
    ]
    url = f"/bookings/files/{finished(merchant, text_of(*rows)).pk}/"
    merchant_client.cookies["django_language"] = "zh-hans"
    page = merchant_client.get(url).content.decode()
    for phrase in (
        "请以整数克填写重量",
        "recipient_name: 该字段必填。 recipient_address: 该字段必填。",
        "该数字已被电子表格软件缩写",
        # Several codes do not determine their columns, and only the file has the city's name.
        "tier: This field is required. weight_g: Enter the weight",
        "Unknown city “Atlantis”",
    ):
        assert phrase in page
    assert [parcel.reference for parcel in parcels_of(merchant) if parcel.number in page] == ["F"]
    for unsaid in ("A spreadsheet has", "Fill in this cell", "Correct this cell", "already booked"):
        assert unsaid not in page


@pytest.mark.parametrize("rows", [1, 3])
def test_page_query_count_is_constant(
    merchant: Actor, merchant_client: Client, rows: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(rows):
        finished(merchant, text_of(*(row(weight_g="x", reference=f"R{number}") for _row in range(rows))))
    merchant_client.get(UPLOAD)
    with django_assert_max_num_queries(19):
        merchant_client.get(UPLOAD)


def test_ops_see_files_and_resume_failed_ones(merchant: Actor, ops_client: Client) -> None:
    file = started(merchant, text_of(row()))
    with scope(Scope.everything()):
        BookingFile.objects.update(state="failed", problem="a bug of ours", attempts=5)
    url = "/admin/parcels/bookingfile/"
    assert "a bug of ours" in ops_client.get(url).content.decode()
    ops_client.post(url, {"action": "go_on", "_selected_action": [file.pk]})
    assert (reread(file).state, reread(file).attempts) == ("queued", 0)


# --- API -------------------------------------------------------------------------------------


def test_api_accepts_a_file_and_reports_its_progress(merchant: Actor, merchant_api: APIClient) -> None:
    content = text_of(row(reference="A"), row(tier=""))
    answer = merchant_api.post(API, {"file": upload_of(content)}, format="multipart")
    assert answer.status_code == 202
    progress = answer.json()
    assert (progress["state"], progress["lines_total"], progress["results_url"]) == ("queued", 3, None)
    assert answer["Location"] == f"{API}/{progress['id']}"
    book_file(file_id=pk_of(progress["id"]))
    progress = merchant_api.get(answer["Location"]).json()
    assert (progress["state"], progress["rows_done"], progress["booked"], progress["rejected"]) == (
        "done",
        2,
        1,
        1,
    )
    results = content_of(merchant_api.get(progress["results_url"], HTTP_ACCEPT="text/csv"))
    assert parcels_of(merchant)[0].number in results
    assert merchant_api.post(f"{answer['Location']}/cancel").status_code == 409


def test_api_refuses_invalid_uploads_with_a_pointer(merchant_api: APIClient) -> None:
    answer = merchant_api.post(API, {}, format="multipart")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/file"
    answer = merchant_api.post(API, {"file": upload_of(b"a,b\n1,2\n")}, format="multipart")
    assert answer.status_code == 422
    assert "no column" in answer.json()["errors"][0]["detail"]
    assert merchant_api.post(API, {"x": 1}, format="json").status_code == 415


def test_api_detects_the_same_file_and_replays_the_same_call(merchant_api: APIClient) -> None:
    content = text_of(row(reference="A"))
    first = merchant_api.post(
        API, {"file": upload_of(content)}, format="multipart", headers={"Idempotency-Key": "k"}
    )
    again = merchant_api.post(
        API, {"file": upload_of(content)}, format="multipart", headers={"Idempotency-Key": "k"}
    )
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    refused = merchant_api.post(API, {"file": upload_of(content)}, format="multipart")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("file_known")
    assert refused.json()["errors"][0]["detail"] == first["Location"]
    insisted = merchant_api.post(API, {"file": upload_of(content), "again": "true"}, format="multipart")
    assert insisted.status_code == 202


def test_upload_is_stored_by_renaming_without_copying(merchant: Actor, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = settings.MEDIA_ROOT
    from parcels.booking_files.services.files import start_booking_file  # noqa: PLC0415 -- one test's

    upload = TemporaryUploadedFile("big.csv", "text/csv", 0, None)
    upload.write(text_of(row()).encode())
    upload.size = upload.tell()
    inode = Path(upload.temporary_file_path()).stat().st_ino
    with scope(Scope.of(merchant)):
        file = start_booking_file(actor=merchant, upload=upload)
    assert Path(file.content.path).stat().st_ino == inode
    upload.close()
