"""The API of labels."""

import base64
import io
import json
from typing import Any

import pytest
from pypdf import PdfReader
from rest_framework.test import APIClient

from alliance.models import AuditEntry, Organisation
from alliance.tenancy import Scope, scope
from drills.label_reading import told_by_pdf
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from tests import factories
from tests.access.trade import owner
from tests.parcels.helpers.parcel_views import some_parcels

pytestmark = pytest.mark.django_db
LABELS = "/api/v1/parcels/labels"


@pytest.fixture
def api(merchant_organisation: Organisation) -> APIClient:
    actor = owner(merchant_organisation)
    return factories.api_client(actor, set(actor.capabilities) - {"members:write", "keys:write"})


def content_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def label_url(parcel: Parcel, query: str = "") -> str:
    return f"/api/v1/parcels/{parcel.number}/label{query}"


def cancel(parcel: Parcel) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(status=ParcelStatus.CANCELLED)


def test_a_label_is_a_pdf_and_the_next_one_a_reprint(api: APIClient, parcel: Parcel) -> None:
    first, second = api.get(label_url(parcel)), api.get(label_url(parcel))
    assert first["Content-Type"] == "application/pdf"
    assert first["Content-Disposition"] == f'inline; filename="label-{parcel.number}.pdf"'
    assert first["Cache-Control"] == "private, no-store"
    assert "REPRINT" not in told_by_pdf(content_of(first))
    assert "REPRINT" in told_by_pdf(content_of(second))


def test_the_same_key_prints_the_same_label_again(api: APIClient, parcel: Parcel) -> None:
    for _try in range(2):
        answer = api.get(label_url(parcel), headers={"Idempotency-Key": "print-1"})
        assert "REPRINT" not in told_by_pdf(content_of(answer))
    assert "REPRINT" in told_by_pdf(content_of(api.get(label_url(parcel))))


def test_head_prints_nothing(api: APIClient, parcel: Parcel) -> None:
    assert api.head(label_url(parcel)).status_code == 200
    assert "REPRINT" not in told_by_pdf(content_of(api.get(label_url(parcel))))


@pytest.mark.parametrize(
    ("query", "width"), [("", "PW608"), ("&size=100x150", "PW800"), ("&dpi=300", "PW898")]
)
def test_zpl_comes_in_both_sizes_and_resolutions(
    api: APIClient, parcel: Parcel, query: str, width: str
) -> None:
    answer = api.get(label_url(parcel, f"?format=zpl{query}"))
    assert answer["Content-Type"] == "application/zpl"
    text = content_of(answer).decode("ascii")
    assert f"^{width}" in text
    assert f"^FD{parcel.number}^FS" in text


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("?format=png", "/format"), ("?size=A4", "/size"), ("?dpi=600", "/dpi"), ("?sise=76x130", "/sise")],
)
def test_a_wrong_value_is_named(api: APIClient, parcel: Parcel, query: str, pointer: str) -> None:
    answer = api.get(label_url(parcel, query))
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_cancelled_parcel_has_no_label(api: APIClient, parcel: Parcel) -> None:
    cancel(parcel)
    answer = api.get(label_url(parcel))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:alliance:problem:parcel_cancelled")


def test_a_file_has_the_labels_in_the_order_asked_for(
    api: APIClient, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    parcels = some_parcels(merchant_organisation, courier_organisation, count=4)
    cancel(parcels[0])
    numbers = [parcels[place].number for place in (3, 0, 1)] + ["CA0000000000000X", parcels[2].number]
    answer = api.post(LABELS, {"tracking_numbers": numbers, "size": "100x150"})
    assert (answer["Labels-Made"], answer["Labels-Rejected"]) == ("3", "2")
    assert answer["Labels-Rejected-Items"] == "1=parcel_cancelled, 3=unknown_tracking_number"
    pages = PdfReader(io.BytesIO(content_of(answer))).pages
    texts = [page.extract_text().replace(" ", "") for page in pages]
    assert [parcels[place].number in text for place, text in zip((3, 1, 2), texts, strict=True)] == [True] * 3


def test_in_json_each_number_has_a_result(api: APIClient, parcel: Parcel) -> None:
    answer = api.post(
        LABELS, {"tracking_numbers": ["x", parcel.number]}, headers={"Accept": "application/json"}
    )
    body = json.loads(content_of(answer))
    assert (body["made"], body["rejected"]) == (1, 1)
    first, second = body["results"]
    assert (first["index"], first["status"]) == (0, "rejected")
    assert first["type"] == "urn:alliance:problem:unknown_tracking_number"
    assert (second["status"], second["page"], second["reprint"]) == ("made", 1, False)
    assert base64.b64decode(body["label_file"]["content_base64"]).startswith(b"%PDF")


def test_what_is_no_number_costs_its_own_label_only(api: APIClient, parcel: Parcel) -> None:
    numbers = [parcel.number, "", None, 5, "9" * 500, "CA\0"]
    answer = api.post(LABELS, {"tracking_numbers": numbers}, headers={"Accept": "application/json"})
    results = json.loads(content_of(answer))["results"]
    assert [each["status"] for each in results] == ["made", *["rejected"] * 5]
    assert {each["type"] for each in results[1:]} == {"urn:alliance:problem:unknown_tracking_number"}


def test_a_file_sent_again_with_its_key_has_no_reprints(api: APIClient, parcel: Parcel) -> None:
    for _try in range(2):
        answer = api.post(
            LABELS, {"tracking_numbers": [parcel.number]}, headers={"Idempotency-Key": "file-1"}
        )
        assert "REPRINT" not in told_by_pdf(content_of(answer))


def test_recipients_shown_again_by_a_key_are_audited_again(api: APIClient, parcel: Parcel) -> None:
    body = {"tracking_numbers": [parcel.number], "unmask": True}
    for times in (1, 2):
        api.post(LABELS, body, headers={"Idempotency-Key": "file-1"})
        with scope(Scope.everything()):
            assert AuditEntry.objects.filter(verb="label.unmasked").count() == times


def test_no_label_at_all_is_an_error_that_names_each_number(api: APIClient, parcel: Parcel) -> None:
    cancel(parcel)
    for also in ([], ["x"]):
        answer = api.post(LABELS, {"tracking_numbers": [parcel.number, *also]})
        assert answer.status_code == 422
        errors = answer.json()["errors"]
        assert [(error["pointer"], error["code"]) for error in errors] == [
            ("/tracking_numbers/0", "parcel_cancelled"),
            ("/tracking_numbers/1", "unknown_tracking_number"),
        ][: 1 + len(also)]


@pytest.mark.parametrize(
    "body", [{}, {"tracking_numbers": []}, {"tracking_numbers": ["x"] * 1001}, {"tracking_numbers": "x"}, []]
)
def test_a_wrong_body_is_refused(api: APIClient, body: Any) -> None:
    assert api.post(LABELS, body).status_code in (400, 422)
