"""Files of bookings, whatever they are: refused with a reason, or booked but for the rows that cannot be.

Sent over the wire and booked by a worker, as they are in production.
"""

import csv
import io
import itertools
import time
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.hostile.target import FILES, MULTIPART, PATIENCE, Answer, Target, form, part
from tests.parcels.helpers.booking_files import HEADER, row, text_of

pytestmark = pytest.mark.django_db
MEGABYTE = 2**20
BASE64 = b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
COLUMNS = (*HEADER, "ready_at", "expected_deliver_by", "courier")
NAMES = ",".join(COLUMNS)
GOOD = text_of(row(), header=COLUMNS).splitlines()[1]
_numbers = itertools.count()


def lines(*rows: str | bytes) -> bytes:
    """A file of these rows below its header."""
    found = [line.encode() if isinstance(line, str) else line for line in (NAMES, *rows)]
    return b"\n".join(found) + b"\n"


def good(**given: str) -> str:
    """A row that is booked, unlike any other: the very same file is not booked twice."""
    return text_of(row(**{"reference": f"H{next(_numbers)}", **given}), header=COLUMNS).splitlines()[1]


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", content)
    return packed.getvalue()


# What a person may still name the columns of; a program is refused.
OTHER_COLUMNS = frozenset(
    {
        "no header", "thousands of short ones", "the same column again", "the same, spelled otherwise",
        "an unknown column", "a column like another", "a column less",
    }
)  # fmt: skip
# What is no file of bookings at all, and a word of what is said about it.
USELESS: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "empty"),
    ("a mark and nothing", b"\xef\xbb\xbf", "empty"),
    ("only a header", NAMES.encode(), "no rows"),
    ("a header and a line break", lines(), "no rows"),
    ("no header", f"{GOOD}\n{GOOD.replace('1', '2')}\n".encode(), "no column"),
    ("blank lines", b"\n" * 1_000, "name the columns"),
    ("UTF-16 of something else", "a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
    ("a page that begins with a remark", b"\n<!-- x --><table>", "web page"),
    ("carriage returns", lines(GOOD).replace(b"\n", b"\r"), "old Mac"),
    ("NUL bytes", b"\0" * MEGABYTE, "binary data"),
    ("noise", bytes(range(128, 256)) * 1_000, "encoding of this file"),
    ("a ZIP archive", zipped(lines(GOOD)), "workbook is damaged"),
    ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "workbook is damaged"),
    ("a gzip archive", b"\x1f\x8b\x08\x00" + b"\0" * 100, "an archive, not a CSV"),
    ("a picture", b"\x89PNG\r\n\x1a\n", "not a CSV"),
    ("a quotation mark, then megabytes", b'"' + lines(GOOD) * 20_000, "name the columns"),
    ("a first line of 10 MB", b"a" * 10 * MEGABYTE + b"\n" + GOOD.encode(), "name the columns"),
    ("10,000 columns", ",".join(f"c{n}" for n in range(10_000)).encode() + b"\n1\n", "name the columns"),
    ("thousands of short ones", b"c," * 8_000 + b"\n1\n", "no column"),
    ("the same column again", lines(GOOD).replace(b"\n", b",tier\n", 1), "appears twice"),
    ("the same, spelled otherwise", lines(GOOD).replace(b"\n", b", TIER \n", 1), "appears twice"),
    ("an unknown column", lines(GOOD).replace(b"\n", b",colour\n", 1), "no column “colour”"),
    ("a column like another", lines(GOOD).replace(b"weight_g", b"wieght_g", 1), "mean weight_g"),
    ("a column less", lines(GOOD).replace(b"weight_g,", b"", 1), "missing: weight_g"),
    ("JSON", b'[{"tier": "next_day"}]\n[]\n', "JSON, not a CSV"),
    ("more than two million lines", NAMES.encode() + b"\n" * 2_000_002, "2,000,001"),
]  # fmt: skip

# Cells that cost their row: what is in them, the column told, and the code.
CELLS: list[tuple[str, dict[str, str], str, str]] = [
    ("NaN for a weight", {"weight_g": "NaN"}, "weight_g", "invalid"),
    ("infinity", {"weight_g": "inf"}, "weight_g", "invalid"),
    ("less than nothing", {"weight_g": "-1e400"}, "weight_g", "invalid"),
    ("20 digits", {"weight_g": "9" * 20}, "weight_g", "invalid"),
    ("5,000 digits", {"weight_g": "9" * 5_000}, "weight_g", "invalid"),
    ("digits of elsewhere", {"weight_g": "٨٠٠"}, "weight_g", "invalid"),
    ("a broken gram", {"weight_g": "800.5"}, "weight_g", "invalid"),
    ("more than the world", {"weight_g": "9" * 9}, "weight_g", "too_heavy"),
    ("time without zone", {"ready_at": "2026-11-22T10:00:00"}, "ready_at", "naive"),
    ("a day", {"ready_at": "2026-11-22"}, "ready_at", "naive"),
    ("1970", {"ready_at": "1970-01-01T00:00:00Z"}, "ready_at", "past"),
    ("year 1", {"ready_at": "0001-01-01T00:00:00+23:59"}, "ready_at", "past"),
    ("2100", {"ready_at": "2100-01-01T00:00:00Z"}, "ready_at", "too_far_ahead"),
    ("9999", {"ready_at": "9999-12-31T23:59:59-23:59"}, "ready_at", "too_far_ahead"),
    ("seconds since 1970", {"ready_at": "1763600000"}, "ready_at", "time"),
    ("a week date of 20 digits", {"ready_at": "2" * 20}, "ready_at", "time"),
    ("a promise of 9999", {"expected_deliver_by": "9999-12-31T23:59:59-23:59"}, "expected_deliver_by",
     "promise_changed"),
    ("a formula for a tier", {"tier": "=cmd|' /C calc'!A0"}, "tier", "unknown"),
    ("a formula for a city", {"origin": "@SUM(1+9)*cmd|' /C calc'!A0"}, "origin", "unknown_city"),
    ("a formula for a phone", {"recipient_phone": "=HYPERLINK(1)"}, "recipient_phone", "invalid"),
    ("SQL for a courier", {"courier": "'; DROP TABLE parcels_parcel; --"}, "courier", "not_offered"),
    ("SQL for a city", {"destination": "' OR 1=1 --"}, "destination", "unknown_city"),
    ("NUL in a name", {"recipient_name": "a\0b"}, "recipient_name", "unprintable"),
    ("an escape in an address", {"recipient_address": "\x1b[2J"}, "recipient_address", "unprintable"),
    ("NUL in a reference", {"reference": "a\0b"}, "reference", "unprintable"),
    ("NUL in a courier", {"courier": "\0"}, "courier", "not_offered"),
    ("a shortened number", {"recipient_phone": "1.38E+10"}, "recipient_phone", "shortened"),
    ("10 KB of name", {"recipient_name": "x" * 10_000}, "recipient_name", "max_length"),
    ("a name of emoji", {"recipient_name": "💩" * 121}, "recipient_name", "max_length no_letters"),
    ("10 KB of city", {"origin": "杭" * 3_000}, "origin", "unknown_city"),
    ("no such choice", {"if_full": "DROP"}, "if_full", "choice"),
]  # fmt: skip

# Rows as they are written, and the codes of those that are rejected: those beside them are booked.
ROWS: list[tuple[str, bytes, list[str]]] = [
    ("a field of 10 MB", GOOD.encode().replace(b"800", b"8" * 10 * MEGABYTE), ["row_too_long"]),
    ("a quotation mark, then megabytes", b'"' + b"x" * 5 * MEGABYTE, ["row_too_long"]),
    (
        "a quotation mark, then lines",
        b'"' + b"\n".join([b"a"] * 200),
        ["open_quote", *["no_recipient"] * 199],
    ),
    ("10,000 cells", GOOD.encode() + b",x" * 5_000, ["too_many_cells"]),
    ("16,000 commas", b"," * 16_000 + b"x", ["too_many_cells"]),
    ("a carriage return", GOOD.encode().replace(b",", b"\r", 1), ["line_end"]),
    ("bytes that are no UTF-8", GOOD.encode().replace(b"800", b"\xff\xfe"), ["not_text"]),
    ("half a pair", GOOD.encode().replace(b"800", b"\xed\xa0\x80"), ["not_text"]),
    ("a character cut off", GOOD.encode().replace(b"800", "杭".encode()[:2]), ["not_text"]),
    ("a NUL byte", b"\0", ["no_recipient"]),
    ("a header once more", NAMES.encode(), ["unknown_city"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def booked(target: Target, worker: None) -> dict[str, dict[str, str]]:
    """What became of the rows of CELLS, each of which has a good one behind it."""
    rows = [text_of(row(**cells), header=COLUMNS).splitlines()[1] for _what, cells, *_told in CELLS]
    told, found = booked_from(target, lines(*itertools.chain(*((line, good()) for line in rows))))
    assert (told["booked"], told["rejected"]) == (len(CELLS), len(CELLS))
    return {what: answer for (what, *_rest), answer in zip(CELLS, found[::2], strict=True)}


def booked_from(target: Target, content: bytes) -> tuple[Any, list[dict[str, str]]]:
    """Upload a file and wait for its end; return what the API says of it, and its results."""
    answer = target.upload(form(part(content)))
    assert answer.status == 202, answer.body
    return ended(target, answer)


def ended(target: Target, answer: Answer) -> tuple[Any, list[dict[str, str]]]:
    deadline = time.monotonic() + PATIENCE
    place = answer.headers["location"]
    while (told := target.send("GET", place, token=target.merchant).json)["state"] in ("queued", "running"):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert told["state"] == "done"
    results = target.send("GET", told["results_url"], token=target.merchant)
    assert results.status == 200
    return told, list(csv.DictReader(io.StringIO(results.body.decode("utf-8-sig"), newline="")))


def is_refused(answer: Answer, said: str) -> bool:
    assert (answer.status, answer.is_problem) == (422, True), answer.body[:300]
    [error] = answer.json["errors"]
    assert error["pointer"] == "/file"
    assert len(answer.body) < 2_000
    return any(word in error["detail"] for word in said.split("|"))


@pytest.mark.parametrize(
    ("content", "said"), [item[1:] for item in USELESS], ids=[item[0] for item in USELESS]
)
def test_useless_file_is_refused_with_what_is_wrong(target: Target, content: bytes, said: str) -> None:
    answer = target.upload(form(part(content)))
    assert is_refused(answer, said), answer.json


@pytest.mark.parametrize(("name", "content", "said"), USELESS, ids=[item[0] for item in USELESS])
def test_page_says_the_same_or_asks_what_the_columns_are(
    merchant_client: Client, name: str, content: bytes, said: str
) -> None:
    upload = SimpleUploadedFile("bookings.csv", content, "text/csv")
    answer = merchant_client.post("/bookings/upload/", {"file": upload})
    if name in OTHER_COLUMNS:
        page = merchant_client.get(answer["Location"], follow=True)
        assert page.redirect_chain == [(f"{answer['Location']}columns/", 302)]
        # However many columns a first line has.
        assert len(page.content) < MEGABYTE
        return
    assert answer.status_code == 422
    assert any(word in answer.content.decode() for word in said.split("|"))


@pytest.mark.parametrize("what", [item[0] for item in CELLS])
def test_bad_cell_costs_its_row_and_is_told(booked: dict[str, dict[str, str]], what: str) -> None:
    [(place, column, code)] = [
        (place, column, code) for place, (name, _cells, column, code) in enumerate(CELLS) if name == what
    ]
    answer = booked[what]
    assert (answer["line"], answer["result"]) == (str(2 + 2 * place), "rejected")
    assert (answer["column"], answer["problem"]) == (column, code)
    assert answer["detail"]
    assert answer["what_to_do"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in answer.values())
    assert sum(map(len, answer.values())) < 1_000


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("text", "codes"), [item[1:] for item in ROWS], ids=[item[0] for item in ROWS])
def test_bad_row_costs_itself_only(target: Target, text: bytes, codes: list[str]) -> None:
    told, found = booked_from(target, lines(good(), text, good()))
    assert (told["booked"], told["rejected"]) == (2, len(codes))
    assert [answer["problem"].split()[0] for answer in found[1:-1]] == codes
    assert (found[0]["line"], found[1]["line"]) == ("2", "3")
    assert all(answer["detail"] and answer["what_to_do"] for answer in found[1:-1])


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_file_is_read_in_the_encoding_it_is_in(target: Target, encoding: str) -> None:
    told, _found = booked_from(target, lines(good(), good()).decode().encode(encoding))
    assert told["booked"] == 2


@pytest.mark.usefixtures("worker")
def test_formulas_are_none_in_the_results_and_whole_in_the_parcel(target: Target) -> None:
    formula = f"=cmd|' /C calc'!A{next(_numbers)}"
    _told, [found] = booked_from(target, lines(good(reference=formula)))
    assert (found["result"], found["reference"]) == ("booked", f"'{formula}")
    parcel = target.send("GET", f"/api/v1/parcels/{found['tracking_number']}", token=target.merchant)
    assert parcel.json["reference"] == formula


# --- the form around the file ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "body", "status", "pointer"),
    [
        ("no file", form(part(b"1", name="again", file_name=None)), 422, "/file"),
        ("nothing at all", form(), 422, "/file"),
        ("no body", b"", 422, "/file"),
        ("a file of another name", form(part(lines(GOOD), name="upload")), 422, "/upload"),
        ("text for a file", form(part(lines(GOOD), file_name=None)), 422, "/file"),
        ("a file without a name", form(part(lines(GOOD), file_name=b"")), 422, "/file"),
        ("again neither true nor false", form(part(lines(GOOD)), part(b"x", name="again", file_name=None)),
         422, "/again"),
        ("JSON in a form", b'{"file": "x"}', 422, "/file"),
        ("7,000 fields", form(*[part(b"x", name=f"f{n}", file_name=None) for n in range(7_000)]), 400, ""),
        ("200 files", form(*[part(b"x", name=f"f{n}") for n in range(200)]), 400, ""),
        ("a field of 13 MB", form(part(b"x" * 13 * MEGABYTE, name="again", file_name=None)), 400, ""),
        ("a file name of 5 KB", form(part(lines(GOOD), file_name=b"x" * 5_000)), 400, ""),
        ("a file name in another encoding", form(part(lines(GOOD), file_name=b"\xff\xfe.csv")), 422, "/file"),
        ("a form that does not end", form(part(lines(GOOD)))[:-30], 422, "/file"),
        ("base64 that is none", form(part(b"x" * 5).replace(b"\r\n\r\n", BASE64)), 400, ""),
    ],
)  # fmt: skip
def test_form_that_is_none_is_refused(
    target: Target, what: str, body: bytes, status: int, pointer: str
) -> None:
    answer = target.upload(body)
    assert (answer.status, answer.is_problem) == (status, True), answer.body[:300]
    assert not pointer or answer.json["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("text/csv", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "x" * 5_000, 400),
        (f"{MULTIPART}; charset=nonsense", 422),
    ],
)
def test_content_type_that_does_not_fit_is_refused(target: Target, content_type: str, status: int) -> None:
    answer = target.upload(form(part(b"")), content_type)
    assert (answer.status, answer.is_problem) == (status, True), answer.body[:300]


def test_upload_cut_off_is_not_taken(target: Target) -> None:
    """What came of it would be a file of its own: its first rows."""
    body = form(part(lines(good(), good())))
    head = target.head(FILES, f"Content-Length: {len(body)}", token=target.merchant)
    heard = target.say(head.replace(b"application/json", MULTIPART.encode()), body[:-200], hang_up=True)
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"problem:cut_off" in heard


def test_of_two_files_one_is_not_dropped_in_silence(target: Target) -> None:
    answer = target.upload(form(part(lines(good())), part(lines(good()))))
    assert is_refused(answer, "one file")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (b"../../etc/passwd.csv", "passwd.csv"),
        (b"C:\\\\Users\\\\mei\\\\orders.csv", "orders.csv"),
        (b"/orders.csv", "orders.csv"),
        (b"a\0b\x1b\x7f.csv", "ab.csv"),
        ("订单" * 100 + ".csv", None),
        ("订单\u202egpj.csv", "订单gpj.csv"),
        (b"=cmd.csv", "=cmd.csv"),
        (b"<script>alert(1)</script>.csv", "script>.csv"),
        (b"x" * 900, None),
    ],
)  # fmt: skip
def test_file_may_be_called_anything(target: Target, name: bytes | str, kept: str | None) -> None:
    called = name.encode() if isinstance(name, str) else name
    told, _found = ended(target, target.upload(form(part(lines(good()), file_name=called))))
    assert told["booked"] == 1
    assert kept is None or told["name"] == kept
    assert 0 < len(told["name"]) <= 200
    assert told["name"].isprintable()
