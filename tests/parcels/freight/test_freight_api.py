"""The API of freight: lines, files, surcharges, settling, and what is refused where."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from python_calamine import CalamineWorkbook
from rest_framework.test import APIClient

from alliance.models import AuditEntry, Organisation, RetiredMonth
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from alliance.workbooks.writing import CONTENT_TYPE
from parcels.bookings.models import Parcel
from parcels.freight.files import COLUMNS
from parcels.freight.services.counting import count_freight
from slas.credits.months import ZONE
from tests import factories
from tests.factories import LOTUS, SWIFT
from tests.parcels.helpers.freight import AFTER, MONTH, TEXT, credit, finish, surcharge
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import HOUR, NOON

pytestmark = pytest.mark.django_db
URL = f"/api/v1/freight-statements/{TEXT}"
SURCHARGES = "/api/v1/surcharges"
BOTH = {"finance:read", "finance:write"}


@pytest.fixture
def theirs(courier: Actor) -> APIClient:
    """The courier's program."""
    return factories.api_client(courier, BOTH)


@pytest.fixture
def ours(merchant: Actor) -> APIClient:
    """The merchant's program."""
    return factories.api_client(merchant, BOTH)


def lines(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    """All lines, page by page."""
    found, url = [], f"{URL}/lines"
    while url:
        page = client.get(url, query if url == f"{URL}/lines" else None).json()
        found += page["results"]
        url = page["next"]
    return found


def problems(response: Any) -> list[tuple[str, str]]:
    assert response.status_code == 422, response.json()
    return [(each["pointer"], each["code"]) for each in response.json()["errors"]]


def fen(amounts: list[str]) -> int:
    return sum(round(float(each) * 100) for each in amounts)


def test_lines_of_both_sides_come_page_by_page_and_add_up(
    ours: APIClient, theirs: APIClient, courier: Actor, booked: list[Parcel], in_its_month: None
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    surcharge(courier, number=booked[1].number)
    credit(booked[0], 300)
    for client, other in ((ours, SWIFT), (theirs, LOTUS)):
        whole = lines(client)
        assert [line["entry"] for line in whole] == ["fee"] * 3 + ["cancellation", "surcharge", "credit"]
        assert {line["counterparty"] for line in whole} == {other}
        statement = client.get(URL).json()
        assert fen([line["amount"] for line in whole]) == fen([statement["amount_due"]]) == 1_950
        assert statement["counted_at"] is not None
        for size in (1, 2, 4):
            assert lines(client, page_size=size) == whole
    more, taken = lines(ours, entry="surcharge", page_size=1), lines(ours, entry="credit")
    assert [(line["tracking_number"], line["reason"]) for line in more] == [(booked[1].number, "Remote area")]
    assert [(line["amount"], line["cause"], line["tier"]) for line in taken] == [
        ("-3.00", "late", "next_day")
    ]


def test_cancellations_of_one_moment_are_all_on_some_page(
    ours: APIClient, merchant_organisation: Organisation, courier_organisation: Organisation,
    in_its_month: None,
) -> None:  # fmt: skip
    with scope(Scope.everything()):
        parcels = booked_parcels(
            merchant_organisation, courier_organisation, booked_at=NOON, count=5, fee_fen=1,
            cancelled_at=NOON, status="cancelled",
        )  # fmt: skip
    found = lines(ours, entry="cancellation", page_size=2)
    assert sorted(line["tracking_number"] for line in found) == sorted(each.number for each in parcels)


def test_a_page_of_lines_is_asked_for_in_its_own_words(
    ours: APIClient, theirs: APIClient, booked: list[Parcel], in_its_month: None
) -> None:
    cursor = ours.get(f"{URL}/lines?page_size=1").json()["next"].partition("cursor=")[2].partition("&")[0]
    for client, query, pointer in (
        (theirs, f"cursor={cursor}", "/cursor"), (ours, f"entry=credit&cursor={cursor}", "/cursor"),
        (ours, "cursor=fee~1", "/cursor"), (ours, "entry=fees", "/entry"),
        (ours, "page_size=0", "/page_size"), (ours, "page=2", "/page"),
    ):  # fmt: skip
        assert [each for each, _code in problems(client.get(f"{URL}/lines?{query}"))] == [pointer]


def test_lines_of_archived_parcels_are_refused_and_sums_are_kept(
    ours: APIClient, booked: list[Parcel], in_its_month: None
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    with scope(Scope.everything()):
        RetiredMonth.objects.create(month=MONTH, state="gone", folder=TEXT, label="test")
    for path in ("lines", "csv", "xlsx"):
        answer = ours.get(f"{URL}/{path}")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (410, "retired")
    assert ours.get(URL).json()["amount_due"] == "20.00"
    assert ours.get(f"{URL}/pdf").status_code == 200


def test_files_have_the_lines(ours: APIClient, booked: list[Parcel], in_its_month: None) -> None:
    count_freight(now=NOON + 2 * HOUR)
    credit(booked[0], 300)
    content = b"".join(ours.get(f"{URL}/csv").streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert fen([row["amount"] for row in rows]) == 1_700
    assert (rows[-1]["entry"], rows[-1]["note"]) == ("credit", "late")
    workbook = ours.get(f"{URL}/xlsx")
    sheet = b"".join(workbook.streaming_content)
    for close in workbook._resource_closers:
        close()
    cells = CalamineWorkbook.from_filelike(io.BytesIO(sheet)).get_sheet_by_index(0).to_python()
    assert [row[0] for row in cells[1:]] == [row["entry"] for row in rows]
    answer = ours.get(f"{URL}/pdf", HTTP_ACCEPT="application/pdf")
    for path, kind in (
        ("csv", "text/csv"),
        ("xlsx", CONTENT_TYPE),
        ("csv", "application/json"),
        ("pdf", "*/*"),
    ):
        file = ours.get(f"{URL}/{path}", HTTP_ACCEPT=kind)
        assert file.status_code == 200
        for close in file._resource_closers:
            close()
    assert ours.get(f"{URL}/csv", HTTP_ACCEPT="image/png").status_code == 406
    assert answer["Content-Disposition"].endswith(f'freight-lotus-tea-{TEXT}.pdf"')
    assert "17.00" in PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()


def test_every_column_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "freight.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \|", text.partition("Columns of the files")[2], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(COLUMNS)


def test_a_courier_enters_a_surcharge_once_and_the_merchant_reads_it(
    ours: APIClient, theirs: APIClient, booked: list[Parcel], in_its_month: None
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    body = {
        "merchant": LOTUS,
        "amount": "-2.5",
        "reason": "Too much",
        "tracking_number": booked[0].number,
    }
    first, again = (theirs.post(SURCHARGES, body, "json", HTTP_IDEMPOTENCY_KEY="1") for _try in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert (first.json()["amount"], first.json()["month"]) == ("-2.50", TEXT)
    assert theirs.get(first["Location"]).json() == first.json()
    listed = ours.get(SURCHARGES, {"month": TEXT, "counterparty": SWIFT}).json()["results"]
    assert listed == [first.json()]
    assert ours.get(SURCHARGES, {"month": "2020-01"}).json()["results"] == []
    assert ours.post(SURCHARGES, body, "json").status_code == 403


def test_a_surcharge_that_is_wrong_says_where(
    theirs: APIClient, courier: Actor, booked: list[Parcel], rival_merchant: Organisation,
    courier_organisation: Organisation, in_its_month: None,
) -> None:  # fmt: skip
    count_freight(now=NOON + 2 * HOUR)
    with scope(Scope.everything()):
        [foreign] = booked_parcels(rival_merchant, courier_organisation, booked_at=NOON, fee_fen=5)
    body = {"merchant": LOTUS, "amount": "1", "reason": "x"}
    for given, expected in (
        ({"amount": "0.001"}, ("/amount", "too_precise")), ({"amount": "1e9"}, ("/amount", "invalid")),
        ({"amount": 1e9}, ("/amount", "too_large")), ({"amount": "0"}, ("/amount", "range")),
        ({"amount": "1000000.01"}, ("/amount", "range")), ({"amount": "--1"}, ("/amount", "invalid")),
        ({"merchant": "x\0"}, ("/merchant", "null_characters_not_allowed")),
        ({"month": "2026-13"}, ("/month", "invalid")), ({"month": "2010-01"}, ("/month", "too_early")),
        ({"month": "2098-01"}, ("/month", "future")), ({"reason": " "}, ("/reason", "blank")),
        ({"tracking_number": foreign.number}, ("/tracking_number", "unknown")),
        ({"courier": SWIFT}, ("/courier", "unknown")), ({"fee": "1"}, ("/fee", "unknown_field")),
    ):  # fmt: skip
        assert problems(theirs.post(SURCHARGES, {**body, **given}, "json")) == [expected]
    assert factories.api_client(courier, {"finance:read"}).post(SURCHARGES, body, "json").status_code == 403


def test_a_surcharge_is_withdrawn_once_and_its_withdrawal_never(
    ours: APIClient, theirs: APIClient, courier: Actor, booked: list[Parcel], in_its_month: None
) -> None:
    count_freight(now=NOON + 2 * HOUR)
    pk = surcharge(courier, number=booked[0].number).pk
    outside, unknown = (public_id(IdKind.SURCHARGE, number) for number in (pk, pk + 99))
    url, reason = f"{SURCHARGES}/{outside}/withdraw", {"reason": "Entered twice"}
    assert ours.post(url, reason, "json").status_code == 403
    assert problems(theirs.post(url, {"reason": ""}, "json")) == [("/reason", "blank")]
    first, again = (theirs.post(url, reason, "json").json() for _try in range(2))
    assert first == again
    assert (first["amount"], first["withdraws"], first["month"]) == ("-2.50", outside, TEXT)
    assert ours.get(f"{SURCHARGES}/{outside}").json()["withdrawn_by"] == first["id"]
    undone = theirs.post(f"{SURCHARGES}/{first['id']}/withdraw", reason, "json")
    assert (undone.status_code, undone.json()["type"].rpartition(":")[2]) == (409, "is_withdrawal")
    assert theirs.post(f"{SURCHARGES}/{unknown}/withdraw", reason, "json").status_code == 404
    assert ours.get(URL).json()["surcharges"] == "0.00"
    with scope(Scope.everything()):
        details = AuditEntry.objects.filter(verb__startswith="surcharge.").order_by("pk")
        assert [entry.detail["withdraws"] for entry in details] == [None, pk]
        assert "Entered twice" not in str([entry.detail for entry in details])


def test_the_payee_settles_a_final_month_and_takes_it_back(
    ours: APIClient, theirs: APIClient, booked: list[Parcel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: AFTER)
    count_freight(now=NOON + 2 * HOUR)
    day = AFTER.astimezone(ZONE).date().isoformat()
    body = {"counterparty": LOTUS, "settled_on": day, "reference": "TT-1"}
    early = theirs.post(f"{URL}/settle", body, "json")
    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (409, "month_open")
    finish()
    refused = ours.post(f"{URL}/settle", {**body, "counterparty": SWIFT}, "json")
    assert refused.status_code == 403
    for given, expected in (
        ({"counterparty": "nobody"}, ("/counterparty", "unknown")),
        ({"settled_on": "2098-01-01"}, ("/settled_on", "range")),
        ({"settled_on": "soon"}, ("/settled_on", "invalid")),
        ({"reference": "x" * 81}, ("/reference", "max_length")),
        ({"organisation": SWIFT}, ("/organisation", "unknown")),
    ):
        assert problems(theirs.post(f"{URL}/settle", {**body, **given}, "json")) == [expected]
    first, again = (theirs.post(f"{URL}/settle", body, "json", HTTP_IDEMPOTENCY_KEY="1") for _try in range(2))
    assert first.json() == again.json()
    assert (first.json()["settled_on"], first.json()["amount_due"]) == (day, "20.00")
    assert theirs.post(f"{URL}/settle", body, "json").status_code == 409
    [part] = ours.get(URL).json()["by_counterparty"]
    assert (part["settled_on"], part["settled_reference"]) == (day, "TT-1")
    taken_back = theirs.post(f"{URL}/unsettle", {"counterparty": LOTUS, "reason": "Bounced"}, "json")
    assert (taken_back.status_code, taken_back.json()["settled_on"]) == (200, None)


def test_an_empty_organisation_is_not_ignored(ours: APIClient) -> None:
    for path in ("/api/v1/freight-statements", "/api/v1/statements"):
        assert problems(ours.get(path, {"organisation": ""})) == [("/organisation", "unknown")]
