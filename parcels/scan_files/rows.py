"""The format of CSV files of scans, and the reader of their rows.

Pure. The encoding is UTF-8, with or without a BOM, or GB18030, which spreadsheets in China write.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Final

from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput
from parcels.scans.lines import Rejection, ScanLine, read_row

REQUIRED: Final = ("tracking_number", "code", "occurred_at")
COLUMNS: Final = (*REQUIRED, "event_id", "reason", "facility", "consent", "corrects")
RESULT_COLUMNS: Final = (
    "line",
    "tracking_number",
    "code",
    "occurred_at",
    "result",
    "problem",
    "column",
    "detail",
)
MAX_ROWS: Final = 200_000
MAX_BYTES: Final = 40 * 1024 * 1024
# UTF-8 is tried first: text in another encoding is hardly ever valid UTF-8.
ENCODINGS: Final = ("utf-8-sig", "gb18030")
_YES: Final = {"yes": "true", "y": "true", "是": "true", "no": "false", "n": "false", "否": "false"}

EXAMPLES: Final = (
    ("CA0AV8Q2M4K7YX3NR5", "picked_up", "2026-11-22T18:05:00+08:00", "", "", "HGH-01", "", ""),
    (
        "CA0AV8Q2M4K7YX3NR5",
        "attempt_failed",
        "2026-11-23T15:40:00+08:00",
        "8842-17",
        "consignee_absent",
        "CTU-03",
        "",
        "",
    ),
    ("CA0AV8Q2M4K7YX3NR5", "available_for_pickup", "2026-11-23T17:10:00+08:00", "", "", "", "yes", ""),
    ("CA0AV8Q2M4K7YX3NR5", "correction", "2026-11-23T17:20:00+08:00", "", "", "", "", "8842-17"),
)


@dataclass(frozen=True, slots=True)
class FileShape:
    """The encoding and size of a file, determined before any row is processed."""

    encoding: str
    rows: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row: its line number, its cells, and the scan or the rejection."""

    number: int
    cells: dict[str, str]
    line: ScanLine | Rejection


def examine(file: IO[bytes]) -> FileShape:
    """Read a file once from end to end. Raises InvalidInput for the field `file` if it is unusable."""
    for encoding in ENCODINGS:
        file.seek(0)
        try:
            return FileShape(encoding, _count(file, encoding))
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise _wrong(_("This is not a CSV file: %(problem)s.") % {"problem": error}) from None
    raise _wrong(_("The file is neither UTF-8 nor GB18030 text."))


def read_rows(file: IO[bytes], encoding: str, *, skip: int = 0) -> Iterator[FileRow]:
    """Read the rows of an examined file after the first `skip`; empty rows are not counted."""
    file.seek(0)
    reader = csv.reader(io.TextIOWrapper(file, encoding, newline=""))
    header = [name.strip().lower() for name in next(reader)]
    filled = ((reader.line_num, cells) for cells in reader if any(cells))
    for number, cells in islice(filled, skip, None):
        yield _row(number, header, cells)


def batches(rows: Iterator[FileRow], size: int) -> Iterator[list[FileRow]]:
    while batch := list(islice(rows, size)):
        yield batch


def _count(file: IO[bytes], encoding: str) -> int:
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        reader = csv.reader(text)
        _require_header([name.strip().lower() for name in next(reader, [])])
        rows = sum(1 for cells in reader if any(cells))
    finally:
        # Otherwise the wrapper would close the upload, which is saved later.
        text.detach()
    if not rows:
        raise _wrong(_("The file has a header but no rows."))
    if rows > MAX_ROWS:
        raise _wrong(
            _("The file has %(rows)s rows; the limit is %(most)s. Split it.")
            % {"rows": f"{rows:,}", "most": f"{MAX_ROWS:,}"}
        )
    return rows


def _require_header(header: list[str]) -> None:
    names = set(header)
    if missing := [name for name in REQUIRED if name not in names]:
        raise _wrong(
            _("The first line must name the columns; %(names)s is missing.") % {"names": ", ".join(missing)}
        )
    if unknown := sorted(names - set(COLUMNS)):
        raise _wrong(
            _("Unknown column %(names)s. Valid columns: %(known)s.")
            % {"names": ", ".join(unknown), "known": ", ".join(COLUMNS)}
        )
    if len(names) < len(header):
        raise _wrong(_("A column name appears twice."))


def _row(number: int, header: list[str], cells: list[str]) -> FileRow:
    row = {name: text.strip() for name, text in zip(header, cells, strict=False)}
    if len(cells) > len(header) and any(cells[len(header) :]):
        detail = _("This row has more cells than columns.")
        return FileRow(number, row, Rejection(0, "/0", "invalid", detail))
    consent = row.get("consent", "")
    return FileRow(number, row, read_row(0, {**row, "consent": _YES.get(consent.lower(), consent)}))


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/file", message)])
