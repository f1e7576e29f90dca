"""The format of CSV files of bookings, and a reader that can start at any row.

Pure. Files are read line by line, so that memory stays constant for any size; an unreadable row does
not affect the rows after it.
"""

import codecs
import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import IO, Final

from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput

REQUIRED: Final = (
    "tier",
    "origin",
    "destination",
    "weight_g",
    "recipient_name",
    "recipient_phone",
    "recipient_address",
)
COLUMNS: Final = (
    "reference",
    *REQUIRED,
    "pickup_address",
    "ready_at",
    "courier",
    "expected_deliver_by",
    "expected_price",
    "if_full",
)
# A column in the file of rows to correct; ignored when that file is uploaded again.
REMARK: Final = "problem"
# Common names for our columns; the column is suggested in the error message.
_SYNONYMS: Final = {
    "service": "tier",
    "from": "origin",
    "to": "destination",
    "city": "destination",
    "weight": "weight_g",
    "name": "recipient_name",
    "recipient": "recipient_name",
    "phone": "recipient_phone",
    "mobile": "recipient_phone",
    "address": "recipient_address",
    "order": "reference",
    "order_number": "reference",
    "ready": "ready_at",
    "deliver_by": "expected_deliver_by",
    "price": "expected_price",
}
MAX_BYTES: Final = 500 * 1024 * 1024
MAX_LINES: Final = 2_000_001
# Longer than a row whose cells all have their maximum length in four-byte characters.
MAX_ROW_BYTES: Final = 16 * 1024
# Lines of one row: addresses may have line breaks; an unclosed quotation mark would take all the rest.
MAX_ROW_LINES: Final = 50
_CHUNK: Final = 1024 * 1024
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_ARCHIVES: Final = (b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"%PDF", b"\x89PNG")
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

SAMPLE: Final = (
    "SO-2026-0001", "next_day", "CN-HGH", "CN-CTU", "800", "王小明", "13812345678",
    "人民南路四段12号3单元1203室", "", "", "", "", "", "",
)  # fmt: skip


class RowProblem(StrEnum):
    """Why a row could not be split into cells."""

    TOO_LONG = "row_too_long"
    OPEN_QUOTE = "open_quote"
    QUOTES = "quotes"
    NOT_TEXT = "not_text"


@dataclass(frozen=True, slots=True)
class FileShape:
    """The encoding, size and digest of a file, determined before any row is processed."""

    encoding: str
    lines: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its first line, and its cells or why they cannot be read."""

    line: int
    cells: Sequence[str] = ()
    problem: RowProblem | None = None


class _Unreadable(Exception):
    def __init__(self, problem: RowProblem) -> None:
        self.problem = problem


class Records:
    """The rows of a file from an offset. `offset` and `line` are the position after the last row yielded."""

    def __init__(self, file: IO[bytes], encoding: str, *, offset: int = 0, line: int = 0) -> None:
        self._file = file
        self._encoding = encoding
        self._move(offset, line)
        self._begin()

    def __iter__(self) -> Iterator[Record]:
        while True:
            self._begin()
            reader = csv.reader(self._lines(), strict=True)
            try:
                for cells in reader:
                    yield Record(self._first, cells)
                    self._begin()
                return
            except _Unreadable as unreadable:
                problem = unreadable.problem
            except csv.Error:
                problem = RowProblem.QUOTES
            # Only the row's first line is skipped: the next line may be a separate row.
            first = self._first
            self._move(self._after_first, first)
            yield Record(first, problem=problem)

    def _move(self, offset: int, line: int) -> None:
        self._file.seek(offset)
        self.offset, self.line = offset, line

    def _begin(self) -> None:
        self._first = self.line + 1
        self._start = self._after_first = self.offset

    def _lines(self) -> Iterator[str]:
        """Yield lines to the CSV reader, which takes as many as the row has."""
        while raw := self._file.readline(MAX_ROW_BYTES + 1):
            self.offset += len(raw)
            self.line += 1
            is_first = self.line == self._first
            if len(raw) > MAX_ROW_BYTES:
                self._drain(raw)
                if is_first:
                    self._after_first = self.offset
                raise _Unreadable(RowProblem.TOO_LONG)
            if is_first:
                self._after_first = self.offset
            elif self.line - self._first >= MAX_ROW_LINES or self.offset - self._start > MAX_ROW_BYTES:
                raise _Unreadable(RowProblem.OPEN_QUOTE)
            try:
                yield raw.decode(self._encoding)
            except UnicodeDecodeError:
                raise _Unreadable(RowProblem.NOT_TEXT) from None

    def _drain(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(_CHUNK)
            self.offset += len(raw)


def examine(file: IO[bytes]) -> FileShape:
    """Read a file once from end to end. Raises InvalidInput for the field `file` if it is unusable."""
    file.seek(0)
    head = file.read(_CHUNK)
    _require_text(head)
    digest, size, breaks, is_utf8, last = hashlib.sha256(), 0, 0, True, b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = head
    while chunk:
        digest.update(chunk)
        size += len(chunk)
        breaks += chunk.count(b"\n")
        is_utf8 = is_utf8 and _decodes(decoder, chunk)
        last = chunk
        chunk = file.read(_CHUNK)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    lines = breaks + (not last.endswith(b"\n"))
    # UTF-8 is tried first: text in another encoding is hardly ever valid UTF-8. In a file that is
    # neither, only the lines that are not UTF-8 are rejected.
    encoding = "utf-8" if is_utf8 or not _is_gb18030(file) else "gb18030"
    if b"\n" not in head and b"\r" in head:
        raise _wrong(_("The file uses old Mac line endings. Save it as “CSV UTF-8”."))
    read_header(file, encoding)
    if lines < 2:
        raise _wrong(_("The file has a header but no rows."))
    if lines > MAX_LINES:
        raise _wrong(
            _("The file has %(lines)s lines; the limit is %(most)s. Split it.")
            % {"lines": f"{lines:,}", "most": f"{MAX_LINES:,}"}
        )
    return FileShape(encoding, lines, size, digest.hexdigest())


def read_header(file: IO[bytes], encoding: str) -> tuple[list[str], Records]:
    """Return the columns, and the reader positioned after them. Raises InvalidInput."""
    file.seek(0)
    has_mark = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    records = Records(file, encoding, offset=len(codecs.BOM_UTF8) if has_mark else 0)
    first = next(iter(records), None)
    if first is None:
        raise _wrong(_("The file is empty."))
    if first.problem or not any(first.cells):
        raise _wrong(_("The first line must name the columns, separated by commas."))
    if len(first.cells) == 1 and any(mark in first.cells[0] for mark in ";\t|"):
        raise _wrong(_("The columns must be separated by commas. Save the file as “CSV UTF-8”."))
    columns = [column_named(cell) for cell in first.cells]
    # Spreadsheets leave trailing commas for deleted columns.
    while columns and not columns[-1]:
        columns.pop()
    _require_columns(columns)
    return columns, records


def column_named(text: str) -> str:
    """Normalise a column name: any case; spaces and dashes become underscores."""
    return "_".join(text.lstrip("\ufeff").lower().replace("-", " ").replace("_", " ").split())


def suggestion_for(name: str) -> str:
    """The column most similar to a name; empty when none is similar."""
    close = get_close_matches(name, COLUMNS, n=1, cutoff=0.6)
    return _SYNONYMS.get(name) or (close[0] if close else "")


def _require_text(head: bytes) -> None:
    if not head:
        raise _wrong(_("The file is empty."))
    if head.startswith(_WORKBOOKS):
        raise _wrong(_("This is an Excel workbook, not a CSV file. Save it as “CSV UTF-8” and upload that."))
    if head.startswith(_UTF16):
        raise _wrong(_("This file is in UTF-16. Save it as “CSV UTF-8” and upload that."))
    if head.startswith(_ARCHIVES):
        raise _wrong(_("This is not a CSV file."))


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _is_gb18030(file: IO[bytes]) -> bool:
    """Whether a file that is not UTF-8 is GB18030, and not UTF-8 with a few broken lines.

    UTF-8 with broken lines may also decode as GB18030: every recipient would then get a wrong name.
    """
    decoder = codecs.getincrementaldecoder("gb18030")()
    utf8 = others = 0
    file.seek(0)
    while line := file.readline(MAX_ROW_BYTES):
        if not _decodes(decoder, line):
            return False
        if not line.isascii():
            if _decodes(codecs.getincrementaldecoder("utf-8")(), line, final=True):
                utf8 += 1
            else:
                others += 1
    return others >= utf8 and _decodes(decoder, b"", final=True)


def _require_columns(columns: list[str]) -> None:
    allowed = {*COLUMNS, REMARK}
    if unknown := [name for name in columns if name not in allowed]:
        raise _wrong(_unknown(unknown[:5]))
    if duplicate := next((name for name in columns if columns.count(name) > 1), ""):
        raise _wrong(_("The column %(name)s appears twice.") % {"name": duplicate})
    if missing := [name for name in REQUIRED if name not in columns]:
        raise _wrong(
            _("The first line must name the columns; missing: %(names)s.") % {"names": ", ".join(missing)}
        )


def _unknown(names: list[str]) -> str:
    """A sentence for each unknown name; then all columns, unless every name has a suggestion."""
    suggestions = [suggestion_for(name) for name in names]
    sentences = [_no_column(name, suggestion) for name, suggestion in zip(names, suggestions, strict=True)]
    if not all(suggestions):
        sentences.append(_("Valid columns: %(known)s.") % {"known": ", ".join(COLUMNS)})
    return " ".join(sentences)


def _no_column(name: str, suggestion: str) -> str:
    params = {"name": name[:40] or _("(no name)"), "meant": suggestion}
    if suggestion:
        return _("There is no column “%(name)s”. Did you mean %(meant)s?") % params
    return _("There is no column “%(name)s”.") % params


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/file", message)])
