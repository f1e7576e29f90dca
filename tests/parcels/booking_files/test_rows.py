"""Booking files: results per row, and refused files."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotPermitted
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.columns import FORMAT, MAX_BYTES
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import FileKnown, book_file, cancel_booking_file
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.models import BookingFile, PickupAddress
from slas.models import Commitment, Offer
from tests.factories import SWIFT
from tests.parcels.helpers.booking_files import (
    HEADER,
    counts,
    finished,
    outcomes,
    reread,
    results,
    row,
    started,
    text_of,
    to_correct,
    upload_of,
)
from tests.parcels.helpers.bookings import parcels_of
from tests.slas.helpers.allocation import rule

pytestmark = pytest.mark.usefixtures("filing")


# --- rows ------------------------------------------------------------------------------------

BAD_ROWS: list[tuple[str, dict[str, str], str, str]] = [
    # description, row, expected column, expected problem
    ("no tier", row(tier=""), "tier", "required"),
    ("unknown tier", row(tier="tomorrow"), "tier", "unknown"),
    ("a tier nobody sells here", row(tier="same_day"), "destination", "not_offered"),
    ("no origin", row(origin=""), "origin", "required"),
    ("unknown origin", row(origin="Atlantis"), "origin", "unknown_city"),
    ("ambiguous city", row(destination="Suzhou"), "destination", "ambiguous_city"),
    ("NUL in a city", row(origin="CN\0HGH"), "origin", "unknown_city"),
    ("no weight", row(weight_g=""), "weight_g", "required"),
    ("weight in words", row(weight_g="light"), "weight_g", "invalid"),
    ("weight with a unit", row(weight_g="0.8kg"), "weight_g", "invalid"),
    ("negative weight", row(weight_g="-5"), "weight_g", "invalid"),
    ("weightless", row(weight_g="0"), "weight_g", "min_value"),
    ("too heavy for anybody", row(weight_g="99999999"), "weight_g", "too_heavy"),
    ("a number no integer holds", row(weight_g="9" * 40), "weight_g", "invalid"),
    ("digits of another script", row(weight_g="٨٠٠"), "weight_g", "invalid"),
    ("no name", row(recipient_name=" "), "recipient_name", "required"),
    ("long name", row(recipient_name="王" * 121), "recipient_name", "max_length"),
    ("no phone", row(recipient_phone=""), "recipient_phone", "required"),
    ("phone without digits", row(recipient_phone="call me"), "recipient_phone", "invalid"),
    ("phone shortened by Excel", row(recipient_phone="1.38123E+10"), "recipient_phone", "shortened"),
    ("no address", row(recipient_address=""), "recipient_address", "required"),
    ("NUL in an address", row(recipient_address="Road\0 1"), "recipient_address", "unprintable"),
    ("long reference", row(reference="R" * 65), "reference", "max_length"),
    ("NUL in a reference", row(reference="R\0"), "reference", "unprintable"),
    ("reference shortened", row(reference="2.02611E+15"), "reference", "shortened"),
    ("odd if_full", row(if_full="maybe"), "if_full", "choice"),
    (
        "a total",
        row(reference="合计", recipient_name="", recipient_phone=" ", recipient_address=""),
        "",
        "no_recipient",
    ),
    ("two mistakes", row(weight_g="", recipient_phone="x"), "weight_g", "required"),
]


def test_bad_rows_are_reported_and_good_rows_are_booked(merchant: Actor) -> None:
    content = text_of(row(reference="first"), *(bad for _what, bad, _column, _problem in BAD_ROWS), row())
    file = finished(merchant, content)
    assert counts(file) == ("done", len(BAD_ROWS) + 2, 2, 0, len(BAD_ROWS))
    result_rows = results(file)
    assert [result_rows[0]["result"], result_rows[-1]["result"]] == ["booked", "booked"]
    assert [(item["line"], item["column"], item["problem"]) for item in result_rows[1:-1]] == [
        (str(line), column, problem) for line, (_what, _bad, column, problem) in enumerate(BAD_ROWS, start=3)
    ]
    assert all(item["detail"] and item["what_to_do"] for item in result_rows[1:-1])


def test_row_is_booked_only_at_the_price_and_promise_it_expects(merchant: Actor) -> None:
    header = (*HEADER, "expected_price", "expected_deliver_by")
    kept = row(expected_price="12.0")
    late = row(expected_price="12.00", expected_deliver_by="2030-01-01T20:00:00+08:00")
    wrong = row(expected_price="12,50")
    file = finished(merchant, text_of(row(expected_price="11.50"), kept, late, wrong, header=header))
    cheap, booked, later, unread = results(file)
    assert (booked["result"], booked["price"]) == ("booked", "12.00")
    assert (cheap["column"], cheap["problem"]) == ("expected_price", "price_changed")
    assert (cheap["price"], cheap["courier"]) == ("12.00", SWIFT)
    assert "CNY 12.00" in cheap["detail"]
    assert (later["problem"], later["promise_current"]) == ("promise_changed", booked["promise_current"])
    assert (unread["column"], unread["price"]) == ("expected_price", "")


def test_result_of_a_booked_row_has_its_number_and_promise(merchant: Actor) -> None:
    [result] = results(finished(merchant, text_of(row(reference="SO-1"))))
    [parcel] = parcels_of(merchant)
    assert (result["line"], result["reference"], result["tracking_number"]) == ("2", "SO-1", parcel.number)
    assert (
        result["promise_current"] == parcel.deliver_by.astimezone(timezone.get_default_timezone()).isoformat()
    )
    assert (parcel.source, parcel.reference, parcel.recipient_name) == ("file", "SO-1", "王小明")
    with scope(Scope.everything()):
        assert Commitment.objects.filter(parcel_id=parcel.pk).count() == 2


@pytest.mark.parametrize(
    ("what", "text", "expected"),
    [
        (
            "quoted line break",
            '"a\nb",next_day,CN-HGH,CN-CTU,800,W,13812345678,"Road 1\r\nroom 2",',
            "booked",
        ),
        ("doubled quotes", 'a,next_day,CN-HGH,CN-CTU,800,"W ""X""",13812345678,Road 1,', "booked"),
        ("quotes in the middle", 'a,next_day,CN-HGH,CN-CTU,800,5" W,13812345678,Road 1,', "booked"),
        ("cells left out", "a,next_day,CN-HGH,CN-CTU,800,W,13812345678,Road 1", "booked"),
        ("empty cells too many", "a,next_day,CN-HGH,CN-CTU,800,W,13812345678,Road 1,,,,", "booked"),
        ("cells too many", "a,next_day,CN-HGH,CN-CTU,800,W,13812345678,Road 1,,x", "too_many_cells"),
        ("text after a quote", 'a,next_day,CN-HGH,CN-CTU,800,"W"x,13812345678,Road 1,', "quotes"),
        ("quote never closed", 'a,next_day,CN-HGH,CN-CTU,800,"W,13812345678,Road 1,', "open_quote"),
        ("too long", f"a,next_day,CN-HGH,CN-CTU,800,W,1,{'x' * 20_000},", "row_too_long"),
    ],
)
def test_rows_are_parsed_as_spreadsheets_write_them(
    merchant: Actor, what: str, text: str, expected: str
) -> None:
    after = text_of(row(reference="after")).split("\r\n", 1)[1]
    file = finished(merchant, f"{','.join(HEADER)}\r\n{text}\r\n\r\n{after}")
    result_rows = results(file)
    assert (result_rows[0]["line"], result_rows[0]["problem"] or result_rows[0]["result"]) == (
        "2",
        expected,
    ), what
    assert (result_rows[-1]["reference"], result_rows[-1]["result"]) == ("after", "booked"), what
    assert len(result_rows) == 2


def test_unclosed_quotation_mark_rejects_only_its_row(merchant: Actor) -> None:
    good = text_of(*(row(reference=f"R{n}") for n in range(60))).split("\r\n", 1)[1]
    file = finished(merchant, f'{",".join(HEADER)}\r\n"open,next_day\r\n{good}')
    assert outcomes(file)[0] == ("2", "rejected", "", "open_quote")
    assert counts(file) == ("done", 61, 60, 0, 1)


def test_line_in_another_encoding_rejects_only_its_row(merchant: Actor) -> None:
    lines = text_of(row(reference="one"), row(reference="two"), row(reference="three")).encode()
    broken = lines.replace(b"two,next_day", b"\xe9,\xff,\xfe")
    file = finished(merchant, broken)
    assert [problem for *_others, problem in outcomes(file)] == ["", "not_text", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_are_detected(merchant: Actor, encoding: str) -> None:
    # The first Chinese character comes late: the beginning alone does not determine the encoding.
    rows = [row(recipient_name="A", recipient_address="B")] * 200 + [row(recipient_address="北京西路1号")]
    file = finished(merchant, text_of(*rows).encode(encoding))
    assert file.booked == 201
    assert parcels_of(merchant)[-1].recipient_address in ("B", "北京西路1号")
    assert "北京西路1号" in {parcel.recipient_address for parcel in parcels_of(merchant)}


def test_line_that_makes_a_file_valid_gb18030_rejects_only_its_row(merchant: Actor) -> None:
    # UTF-8 with an even number of characters is valid GB18030 too, and would book wrong recipients.
    good = [row(recipient_name="王明", recipient_address="北京西路") for _number in range(3)]
    bad = text_of(row(recipient_name="李雷", recipient_address="A")).split("\r\n", 1)[1].encode("gb18030")
    content = text_of(*good).encode() + bad
    assert content.decode("gb18030")
    file = finished(merchant, content)
    assert [problem for *_others, problem in outcomes(file)] == ["", "", "", "not_text"]
    assert {parcel.recipient_name for parcel in parcels_of(merchant)} == {"王明"}


def test_headers_may_have_another_spelling_and_order(merchant: Actor) -> None:
    header = "Recipient Phone, DESTINATION,weight-g,tier,Origin,recipient_name,recipient address,,"
    line = "13812345678,成都,800,Next day,杭州,W,Road 1"
    assert finished(merchant, f"{header}\n{line}\n").booked == 1


def test_pickup_address_may_stand_for_the_origin(merchant: Actor, hangzhou: City, chengdu: City) -> None:
    with scope(Scope.of(merchant)):
        for name, city in (("Depot", hangzhou), ("Far away", chengdu)):
            PickupAddress.objects.create(merchant_id=merchant.tenant_id, name=name, city=city, address="1")
    header = (*HEADER, "pickup_address")
    rows = [
        row(origin="", pickup_address="depot"),
        row(pickup_address="Depot"),
        row(origin="", pickup_address="Nowhere"),
        row(pickup_address="Far away"),
    ]
    file = finished(merchant, text_of(*rows, header=header))
    assert [(result, column) for _line, result, column, _problem in outcomes(file)] == [
        ("booked", ""),
        ("booked", ""),
        ("rejected", "pickup_address origin"),
        ("rejected", "pickup_address"),
    ]


def test_ready_time_is_checked_against_the_time_of_upload(merchant: Actor) -> None:
    header = (*HEADER, "ready_at")
    now = timezone.now()
    rows = [
        row(ready_at=ready_at)
        for ready_at in (now.isoformat(), "2026-11-22 10:00", "soon", "2020-01-01T00:00:00Z")
    ]
    file = started(merchant, text_of(*rows, header=header))
    with scope(Scope.everything()):
        BookingFile.objects.update(uploaded_at=now - timedelta(minutes=30))
        file.refresh_from_db()
    # Ready ten minutes after the upload, which was thirty minutes ago: the wait is not the row's fault.
    path = Path(file.content.path)
    path.write_text(
        text_of(row(ready_at=(now - timedelta(minutes=20)).isoformat()), *rows[1:], header=header)
    )
    book_file(file_id=file.pk)
    assert [problem for *_others, problem in outcomes(file)] == ["", "naive", "time", "past"]


def test_results_escape_formulas_and_can_be_uploaded_again(merchant: Actor) -> None:
    bad = row(reference="=cmd|' /C calc'!A0", recipient_phone="+86 138 1234 5678", weight_g="x")
    file = finished(merchant, text_of(bad))
    assert results(file)[0]["reference"].startswith("'=")
    again = to_correct(file)
    assert finished(merchant, again.replace(",x,", ",700,")).booked == 1
    [parcel] = parcels_of(merchant)
    assert (parcel.reference, parcel.recipient_phone) == (bad["reference"], bad["recipient_phone"])


# --- references ------------------------------------------------------------------------------


def test_reference_is_booked_once(merchant: Actor, rival_merchant: Organisation) -> None:
    rows = [row(reference="A"), row(reference="B", weight_g="x"), row(reference="A"), row(reference="B")]
    file = finished(merchant, text_of(*rows, row(), row()))
    first = results(file)[0]["tracking_number"]
    assert outcomes(file) == [
        ("2", "booked", "", ""),
        ("3", "rejected", "weight_g", "invalid"),
        ("4", "duplicate", "reference", "booked_before"),
        # The row before it was rejected.
        ("5", "booked", "", ""),
        ("6", "booked", "", ""),
        ("7", "booked", "", ""),
    ]
    assert results(file)[2]["tracking_number"] == first


def test_corrected_file_books_only_the_missing_rows(merchant: Actor) -> None:
    rows = [row(reference=f"R{n}") for n in range(5)]
    finished(merchant, text_of(*rows[:3], row(reference="R3", weight_g="x"), rows[4]))
    file = finished(merchant, text_of(*rows))
    assert counts(file) == ("done", 5, 1, 4, 0)
    assert sorted(parcel.reference for parcel in parcels_of(merchant)) == [f"R{n}" for n in range(5)]


def test_reference_of_a_cancelled_parcel_may_be_booked_again(merchant: Actor) -> None:
    finished(merchant, text_of(row(reference="A")))
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcels_of(merchant)[0].pk, at=timezone.now())
    file = finished(merchant, text_of(row(reference="A"), row(), row(reference="A")))
    assert (file.booked, file.duplicate) == (2, 1)


# --- capacity --------------------------------------------------------------------------------


def test_rules_bind_the_rows_of_a_file(
    merchant: Actor, lane_on_sale: Offer, courier_organisation: Organisation
) -> None:
    made = rule(merchant, "BB never", "never", couriers=[courier_organisation], reference_prefix="BB")
    file = finished(merchant, text_of(row(reference="AA1"), row(reference="BB1")))
    assert outcomes(file)[1:] == [("3", "rejected", "destination", "ruled_out")]
    [booked, refused] = results(file)
    assert booked["result"] == "booked"
    assert made.name in refused["detail"]
    assert refused["what_to_do"].startswith("Change that allocation rule")


def test_full_day_rejects_a_row_by_default(merchant: Actor, lane_on_sale: Offer) -> None:
    with scope(Scope.everything()):
        Offer.objects.filter(pk=lane_on_sale.pk).update(daily_capacity=2)
    rows = [row(reference=f"R{n}") for n in range(4)]
    file = finished(merchant, text_of(*rows, row(reference="R4", if_full="next")))
    assert [(result, problem) for _line, result, _column, problem in outcomes(file)] == [
        ("booked", ""),
        ("booked", ""),
        ("rejected", "capacity_full"),
        ("rejected", "capacity_full"),
        ("booked", ""),
    ]
    full = results(file)[2]
    assert "full" in full["detail"]
    assert "if_full" in full["what_to_do"]
    days = {parcel.reference: parcel.pickup_date for parcel in parcels_of(merchant)}
    assert days["R0"] == days["R1"] < days["R4"]


# --- refused files ---------------------------------------------------------------------------

LINE = ",".join(row().get(name, "") for name in HEADER)
NAMES = ",".join(HEADER)


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (NAMES.encode(), "no rows"),
        (f"{NAMES}\r\n".encode(), "no rows"),
        (b"\r\n\r\n", "name the columns"),
        (b"PK\x03\x04\x14\x00...xl/workbook.xml", "workbook is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "workbook is damaged"),
        (b"%PDF-1.7", "a PDF, not a CSV"),
        (NAMES.encode("utf-16"), "no rows"),
        (NAMES.replace(",", "，").encode() + "\nx，y\n".encode(), "separated by full-width commas"),
        (f"{NAMES}\r{LINE}\r".encode(), "old Mac"),
        (f"{NAMES.replace('recipient_phone', 'recipient_fone')}\n{LINE}\n".encode(), "mean recipient_phone"),
        (f"{NAMES.replace('tier', 'Service')}\n{LINE}\n".encode(), "mean tier"),
        (f"{NAMES},colour\n{LINE}\n".encode(), "no column “colour”"),
        (f"{NAMES},tier\n{LINE}\n".encode(), "tier appears twice"),
        (f"{NAMES.replace('weight_g,', '')}\n{LINE}\n".encode(), "missing: weight_g"),
        (b'"' + b"x" * 100_000 + b"\n" + LINE.encode(), "name the columns"),
        (b"\x00" * 5_000, "binary data"),
        (NAMES.encode() + b"\n" * (FORMAT.max_lines + 1), "2,000,001"),
    ],
)  # fmt: skip
def test_unusable_file_is_refused_with_a_reason(merchant: Actor, content: bytes, phrases: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        started(merchant, content)
    message = caught.value.errors[0].message
    assert any(word in message for word in phrases.split("|")), message
    with scope(Scope.everything()):
        assert not BookingFile.objects.exists()


def test_too_large_file_is_refused_without_reading(merchant: Actor) -> None:
    upload = upload_of(text_of(row()))
    upload.size = MAX_BYTES + 1
    with pytest.raises(InvalidInput) as caught, scope(Scope.of(merchant)):
        booking_files.start_booking_file(actor=merchant, upload=upload)
    assert "500 MB" in caught.value.errors[0].message


def test_same_file_is_detected(merchant: Actor) -> None:
    content = text_of(row(reference="A"), row())
    first = finished(merchant, content)
    with pytest.raises(FileKnown) as caught:
        started(merchant, content)
    assert caught.value.file == first
    # With `again`, rows with a known reference are still skipped.
    assert counts(finished(merchant, content, again=True)) == ("done", 2, 1, 1, 0)


def test_cancelled_file_may_be_uploaded_again(merchant: Actor) -> None:
    content = text_of(row(reference="A"))
    file = started(merchant, content)
    with scope(Scope.of(merchant)):
        cancel_booking_file(actor=merchant, file_id=file.pk)
    assert book_file(file_id=file.pk)
    assert reread(file).booked == 0
    assert finished(merchant, content).booked == 1


def test_unfinished_files_are_limited(merchant: Actor) -> None:
    for number in range(booking_files.MOST_RUNNING):
        started(merchant, text_of(row(reference=f"R{number}")))
    with pytest.raises(Conflict, match="already being booked"):
        started(merchant, text_of(row(reference="one more")))


def test_couriers_cannot_upload_booking_files(courier: Actor) -> None:
    with pytest.raises(NotPermitted), scope(Scope.of(courier)):
        booking_files.start_booking_file(actor=courier, upload=upload_of(text_of(row())))
