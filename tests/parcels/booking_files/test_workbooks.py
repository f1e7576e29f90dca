"""Workbooks of bookings: which row and cell is booked, and what is said of the others."""

import csv
import io
import re
import struct
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from alliance.errors import InvalidInput, Unavailable
from alliance.tenancy import Actor, current_scope
from alliance.workbooks import reading
from alliance.workbooks.cells import SheetRow
from alliance.workbooks.html_tables import tables_of
from parcels.booking_files import tables
from tests.parcels.helpers.booking_files import GOOD, finished, results, to_correct
from tests.parcels.helpers.bookings import parcels_of

pytestmark = pytest.mark.usefixtures("filing")
HEADER = ("reference", *GOOD)


def book(*rows: dict[str, Any], formats: dict[str, str] | None = None, **options: Any) -> bytes:
    """A workbook of one sheet; `formats` are the number formats of columns."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet("Orders")
        styles = {name: workbook.add_format({"num_format": code}) for name, code in (formats or {}).items()}
        top = options.get("top", 0)
        for place, title in enumerate(options.get("titles", ())):
            sheet.write(place, 0, title)
        sheet.write_row(top, 0, HEADER)
        for number, row in enumerate(rows, top + 1):
            for column, name in enumerate(HEADER):
                value = {**GOOD, **row}.get(name, "")
                if str(value).startswith("="):
                    sheet.write_formula(number, column, value, None, "#N/A")
                else:
                    sheet.write(number, column, value, styles.get(name))
        for number in options.get("hidden", ()):
            sheet.set_row(number, None, None, {"hidden": True})
        for name, cells in options.get("others", {}).items():
            other = workbook.add_worksheet(name)
            other.write_row(0, 0, cells)
            other.write_row(1, 0, ["A", *GOOD.values()])
            if name.startswith("_"):
                other.hide()
    return content.getvalue()


def problems(file: Any) -> list[tuple[str, str, str]]:
    return [
        (row["line"], row["column"], row["problem"]) for row in results(file) if row["result"] == "rejected"
    ]


def test_rows_of_a_workbook_are_booked_like_those_of_a_csv(merchant: Actor) -> None:
    file = finished(
        merchant, book({"reference": "A", "weight_g": 800}, {"reference": "B", "weight_g": 750.0})
    )
    assert (file.booked, file.rejected) == (2, 0)
    assert sorted((found.reference, found.weight_g) for found in parcels_of(merchant)) == [
        ("A", 800),
        ("B", 750),
    ]


def test_zeros_are_restored_where_the_format_says_so(merchant: Actor) -> None:
    content = book(
        {"reference": 121, "recipient_phone": 57112345678},
        formats={"reference": "000000", "recipient_phone": "000000000000"},
    )
    finished(merchant, content)
    [parcel] = parcels_of(merchant)
    assert (parcel.reference, parcel.recipient_phone) == ("000121", "057112345678")


def test_number_formatted_as_text_is_taken_as_it_is_shown(merchant: Actor) -> None:
    finished(merchant, book({"reference": 121}, formats={"reference": "@"}))
    assert [found.reference for found in parcels_of(merchant)] == ["121"]


def test_number_that_may_have_lost_zeros_rejects_its_row(merchant: Actor) -> None:
    file = finished(
        merchant,
        book(
            {"reference": 121},
            {"reference": "B", "recipient_phone": 57112345678},
            {"reference": "C", "recipient_phone": 13812345678},
            {"reference": 12345678901234567890},
        ),
    )
    assert problems(file) == [
        ("2", "reference", "number_cell"),
        ("3", "recipient_phone", "number_cell"),
        ("5", "reference", "shortened"),
    ]
    assert [found.reference for found in parcels_of(merchant)] == ["C"]
    assert "Format the column as text" in results(file)[0]["what_to_do"]
    # What is to be corrected has no mark of ours.
    assert [row["reference"] for row in csv.DictReader(io.StringIO(to_correct(file)))] == [
        "121",
        "B",
        "1.23456789012346e+19",
    ]


def test_dates_and_errors_in_a_cell_reject_its_row(merchant: Actor) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC).replace(tzinfo=None)
    content = book({"reference": at}, {"reference": "=NA()"}, formats={"reference": "yyyy-mm-dd"})
    assert problems(finished(merchant, content)) == [
        ("2", "reference", "date_cell"), ("3", "reference", "cell_error"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ('<c r="A2"><f>B9&amp;"x"</f></c>', [("2", "reference", "cell_error")]),
        ('<c r="A2"><f>B9&amp;"x"</f><v></v></c>', [("2", "reference", "cell_error")]),
        ('<c r="A2"><f t="shared" si="0"/></c>', [("2", "reference", "cell_error")]),
        ('<c r="A2" t="str"><f>B9&amp;"x"</f><v>x</v></c>', []),
    ],
)
def test_formula_that_was_never_worked_out_rejects_its_row(
    merchant: Actor, cell: str, told: list[tuple[str, str, str]]
) -> None:
    """Programs write formulas without results: such a reference would be an empty one."""
    assert problems(finished(merchant, with_cell(cell))) == told


def with_cell(cell: str) -> bytes:
    """A workbook whose first cell is written as this XML."""
    source, target = io.BytesIO(book({"reference": "A"})), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = re.sub(rb'<c r="A2".*?</c>', lambda _found: cell.encode(), content)
            new.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_table_of_a_web_page_is_read_as_it_is_seen(merchant: Actor, encoding: str) -> None:
    """Many back offices in China name one .xls."""
    cells = {**GOOD, "recipient_name": "欧阳&nbsp;琪", "recipient_address": "人民南路<br>12号 &lt;A&gt;"}
    head = "".join(f"<th>{name}" for name in HEADER)
    first = "".join(f"<td>{text}</td>" for text in ("000121", *cells.values()))
    hidden = "".join(f"<td>{text}</td>" for text in ("000122", *cells.values()))
    page = (
        f"<html><head><meta charset={encoding}><style>td{{color:red}}</style></head><body><p>订单</p><table>"
        f"<tr><th colspan=9>订单导出</th></tr><tr>{head}</tr><tr>{first}</tr>"
        f'<tr style="display:none">{hidden}</tr></table></body></html>'
    )
    file = finished(merchant, page.encode(encoding))
    assert problems(file) == [("4", "", "hidden_row")]
    [parcel] = parcels_of(merchant)
    assert (parcel.reference, parcel.recipient_name) == ("000121", "欧阳 琪")
    assert parcel.recipient_address == "人民南路 12号 <A>"


def test_cells_of_a_web_page_that_reach_over_rows_fill_them() -> None:
    text = "<table><tr><th>a<th>b<th>c</tr><tr><td rowspan=2>1<td colspan=2>2<tr><td>3<td>4</table>"
    assert [row.cells for row in rows_of_page(text)] == [["a", "b", "c"], ["1", "2"], ["1", "3", "4"]]
    # What Excel saves has the number beside what its column is too narrow for.
    assert rows_of_page('<table><tr><td x:num="13800000001">1.38E+10</table>')[0].cells == ["13800000001"]


@pytest.mark.parametrize("unfinished", ["<a", "<a b='", "<!--", "</a"])
def test_page_of_unfinished_tags_is_read_in_no_time(unfinished: str, tmp_path: Path) -> None:
    """Read to its end tag by tag, this one would take an hour."""
    path = tmp_path / "a.xls"
    path.write_text(f"<table><tr><td>1</td></tr>{unfinished * 200_000}")
    before = time.process_time()
    assert [row.cells for _name, rows in tables_of(path) for row in rows] == [["1"]]
    assert time.process_time() - before < 20


def rows_of_page(text: str) -> list[SheetRow]:
    with NamedTemporaryFile(suffix=".xls") as file:
        file.write(text.encode())
        file.flush()
        [(_name, rows)] = tables_of(Path(file.name))
    return rows


def test_hidden_rows_are_not_booked_and_told(merchant: Actor) -> None:
    file = finished(merchant, book({"reference": "A"}, {"reference": "B"}, hidden=[2]))
    assert problems(file) == [("3", "", "hidden_row")]
    assert [found.reference for found in parcels_of(merchant)] == ["A"]


def test_titles_above_the_header_are_passed_over_and_rows_keep_their_numbers(merchant: Actor) -> None:
    file = finished(merchant, book({"weight_g": "light"}, top=4, titles=["Orders of November"]))
    assert problems(file) == [("6", "weight_g", "invalid")]


def test_sheet_with_bookings_is_found_among_others(merchant: Actor) -> None:
    others = {"Notes": ["call", "tomorrow"], "_old": HEADER}
    assert finished(merchant, book({"reference": "A"}, others=others)).booked == 1


def test_two_sheets_with_bookings_are_refused(merchant: Actor) -> None:
    with pytest.raises(InvalidInput) as caught:
        finished(merchant, book({"reference": "A"}, others={"Old": HEADER}))
    assert "“Orders”, “Old”" in caught.value.errors[0].message


def test_nothing_of_a_refused_workbook_is_left_on_the_disk(
    merchant: Actor, settings: Any, tmp_path: Path
) -> None:
    """Its rows have recipients in them, and no retention knows of them."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    refused = (
        book({"reference": "A"}, others={"Old": HEADER}),
        book({"reference": "A"})[:-200],
        # An old workbook whose first record is cut off: another library reads it.
        b"\x09\x08\x10\x00" + b"\0" * 400,
    )
    for content in refused:
        with pytest.raises(InvalidInput):
            finished(merchant, content)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"\x09\x08\x10\x00\0\6" + b"\5" * 600, b"\x09\x08\x10\x00" + b"\xff" * 600]
)
def test_broken_old_workbook_is_damaged_and_not_too_large(merchant: Actor, content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        finished(merchant, content)
    assert "damaged" in caught.value.errors[0].message


def locked_xls() -> bytes:
    """The beginning of a sheet in Excel's old format, and the record that says it has a password."""
    begin = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0x1FAA, 0x7CD, 0, 6)
    return begin + struct.pack("<HHHHH", 0x2F, 6, 0, 1, 1) + struct.pack("<HH", 0x0A, 0)


def locked_ods() -> bytes:
    """As LibreOffice saves one with a password: names of parts in plain text, the parts as noise."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", bytes(range(256)))
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/>'
            "</manifest:file-entry></manifest:manifest>",
        )
    return content.getvalue()


def locked_xlsx() -> bytes:
    """What matters of one: an OLE2 file that names its encrypted package."""
    return (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
    )


@pytest.mark.parametrize("content", [locked_xls(), locked_ods(), locked_xlsx()], ids=["xls", "ods", "xlsx"])
def test_workbook_with_a_password_is_refused_and_says_so(merchant: Actor, content: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        finished(merchant, content)
    assert "password" in refusal.value.errors[0].message


def test_workbooks_are_read_one_at_a_time(
    merchant: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(book({"reference": "A"}))
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0.01)
    reading._gate.cache_clear()
    with reading.open_workbook(path, most_rows=10), pytest.raises(Unavailable):
        finished(merchant, book({"reference": "B"}))
    assert finished(merchant, book({"reference": "B"})).booked == 1
    reading._gate.cache_clear()


@pytest.mark.parametrize("door", ["/bookings/upload/", "/api/v1/booking-files", "/recipients/import/"])
def test_a_workbook_is_read_before_the_transaction_and_left_nowhere(
    merchant_client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    scopes: list[str] = []

    def spied(*args: Any, **options: Any) -> Any:
        scopes.append(current_scope().value)
        return reading.open_workbook(*args, **options)

    monkeypatch.setattr(tables, "open_workbook", spied)
    # Good; another one without a template of this name, which is refused before it is asked for; damaged.
    contents = (book({"reference": "A"}), book({"reference": "B"}), book({"reference": "C"})[:-200])
    statuses = []
    for content, template in zip(contents, ("", "none of this name", ""), strict=True):
        upload = SimpleUploadedFile("orders.xlsx", content)
        statuses.append(merchant_client.post(door, {"file": upload, "template": template}).status_code)
        assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    assert statuses == {"/recipients/import/": [422, 422, 422], "/api/v1/booking-files": [202, 422, 422]}.get(
        door, [302, 422, 422]
    )
    assert scopes == ["", "", ""]


def test_header_that_stands_there_again_is_no_row(merchant: Actor) -> None:
    again = dict(zip(HEADER, HEADER, strict=True))
    file = finished(merchant, book(again, {"reference": "A"}, again, {"reference": "B"}))
    assert (file.booked, file.rejected) == (2, 0)
    assert [row["line"] for row in results(file)] == ["3", "5"]
