"""The first line of a file: spellings that are read, and everything else told by name."""

import io

import pytest
from django.utils import translation

from alliance.csv_files.columns import FileFormat
from alliance.csv_files.reading import examine, read_header
from alliance.errors import InvalidInput
from parcels.booking_files.columns import FORMAT as BOOKINGS
from parcels.scan_files.rows import COLUMNS as SCAN_COLUMNS
from parcels.scan_files.rows import FORMAT as SCANS
from slas.offers.services.offer_rows import FORMAT as OFFERS

FORMATS = [BOOKINGS, SCANS, OFFERS]


def columns(content: str | bytes, form: FileFormat = SCANS) -> list[str]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    examine(file, form)
    return read_header(file, "utf-8", form)[0]


def refusal(content: str | bytes, form: FileFormat = SCANS) -> str:
    with pytest.raises(InvalidInput) as refused:
        columns(content, form)
    [error] = refused.value.errors
    assert error.pointer == "/file"
    return error.message


@pytest.mark.parametrize(
    "header",
    [
        "Tracking Number,Code,Occurred At",
        "tracking-number, CODE ,occurredAt",
        "TrackingNumber,code,occurred_at,,",
        "ｔｒａｃｋｉｎｇ＿ｎｕｍｂｅｒ,ｃｏｄｅ,occurred_at",
        "\ufefftracking_number,code,occurred_at",
        '\ufeff"tracking_number","code","occurred_at"',
        '"=""tracking_number""",code,occurred_at',
        "tracking\u200b_number,code\u00a0,occurred_at",
        "运单号,扫描代码,扫描时间",
        "sep=,\ntracking_number,code,occurred_at",
        "\n,,\ntracking_number,code,occurred_at",
    ],
)
def test_names_are_read_in_any_spelling(header: str) -> None:
    assert columns(f"{header}\na,b,c\n") == list(SCAN_COLUMNS[:3])


@pytest.mark.parametrize("form", FORMATS)
def test_columns_and_their_chinese_names_are_one(form: FileFormat) -> None:
    labels = form.labels
    assert sorted(labels.values()) == sorted(form.columns)
    for header in (form.columns, sorted(labels, key=lambda label: form.columns.index(labels[label]))):
        assert columns(",".join(header) + "\nx\n", form) == list(form.columns)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_header_for_people_is_read(form: FileFormat, language: str) -> None:
    with translation.override(language):
        header = form.header()
    assert (header == list(form.columns)) == (language == "en")
    assert columns(",".join(header) + "\nx\n", form) == list(form.columns)


@pytest.mark.parametrize("form", FORMATS)
def test_names_of_other_programs_mean_columns_there_are(form: FileFormat) -> None:
    assert {column for meant in form.meant.values() for column in meant} <= set(form.columns)


def test_column_there_twice_is_told_by_name() -> None:
    assert "price appears twice" in refusal(
        "tier,origin,destination,price,daily_capacity,Price\n1,2,3,4,5,6\n", OFFERS
    )
    assert "origin appears twice" in refusal(
        "tier,origin,destination,price,daily_capacity,始发城市\nx\n", OFFERS
    )


def test_unknown_and_missing_columns_are_told_at_once() -> None:
    message = refusal(
        "Name,Email,Shipping Name,Shipping Address1,Shipping City,Shipping Phone\nx\n", BOOKINGS
    )
    assert "“Name”. Did you mean reference?" in message
    assert "“Email”. There" in message
    assert "“Shipping Name”. Did you mean recipient_name?" in message
    assert "“Shipping Address1”. Did you mean recipient_address?" in message
    assert "“Shipping City”. Did you mean destination?" in message
    assert "“Shipping Phone”. Did you mean recipient_phone?" in message
    assert "missing: tier, origin, weight_g." in message


def test_no_column_is_suggested_twice() -> None:
    message = refusal("address,address 2,street,pickup,shipping address\nx\n", BOOKINGS)
    assert message.count("mean recipient_address?") == 1
    assert "“shipping address”. Did you mean recipient_address?" in message


def test_chinese_names_have_suggestions_too() -> None:
    message = refusal("订单号,服务,始发,目的地,重量,收件人,手机,地址\nx\n", BOOKINGS)
    meant = ["reference", "tier", "origin", "destination", "weight_g", "recipient_name", "recipient_phone"]
    assert all(f"mean {column}?" in message for column in [*meant, "recipient_address"])
    assert "missing" not in message


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("mark", "name"),
    [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"), ("，", "full-width commas")],
)
def test_separator_is_told_by_name(form: FileFormat, mark: str, name: str) -> None:
    header = mark.join(form.columns)
    assert f"separated by {name}" in refusal(f"{header}\n{mark}12,50{mark}\n", form)
    assert f"separated by {name}" in refusal(f"sep=;\n{header}\nx\n", form)


@pytest.mark.parametrize("form", FORMATS)
def test_first_line_that_is_no_header_is_refused(form: FileFormat) -> None:
    names = ",".join(form.columns)
    assert "empty" in refusal(b"", form)
    assert "no rows" in refusal(names, form)
    assert "no rows" in refusal(f"{names}\n,,,\n \n\u200b\n", form)
    assert "old Mac" in refusal(f"{names}\r1,2,3\r", form)
    assert "too long" in refusal(f"{names},{'x' * 200_000}\n1\n", form)
    assert "more columns are unknown" in refusal(",".join(f"c{n}" for n in range(900)) + "\n1\n", form)
    assert len(refusal(",".join("长" * 100 + str(n) for n in range(50)) + "\n1\n", form)) < 1_500


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04...[Content_Types].xml...xl/workbook.xml", "an Excel workbook"),
        (b"PK\x03\x04...mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "a spreadsheet"),
        (b"PK\x03\x04...word/document.xml", "a text document"),
        (b"PK\x03\x04...scans.csv", "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (b"\x1f\x8b\x08", "an archive"),
        (b"<html><table><tr><td>tracking_number", "a web page or XML"),
        (b"\xef\xbb\xbf<?xml version=", "a web page or XML"),
        (b'[{"tracking_number": 1}]', "JSON"),
    ],
)
def test_other_kinds_of_files_are_told_by_name(head: bytes, kind: str) -> None:
    assert f"This is {kind}, not a CSV file." in refusal(head)
