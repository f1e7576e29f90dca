"""Uploaded files of any kind as tables: the names of their columns, and their rows with what they are on.

A table is written to a temporary file as lines of JSON: the header, then each row that is not empty. So a
file is read once, whatever becomes of it: booked at once, or shown for its columns to be named.
"""

import codecs
import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from alliance.csv_cells import read_cell
from alliance.csv_files.columns import column_key, told_apart
from alliance.csv_files.encodings import UTF8, encoding_of
from alliance.csv_files.records import Records
from alliance.csv_files.refusals import refused
from alliance.errors import AllianceError
from alliance.texts import plain, shortened
from alliance.workbooks.cells import CellKind, SheetRow, mark_of, marked, text_in
from alliance.workbooks.reading import is_workbook, open_workbook
from parcels.booking_files.columns import FORMAT, MAX_BYTES
from parcels.booking_files.shops import known_names

# More takes longer than a person waits for an upload. A CSV with our own columns may have more.
MOST_ROWS: Final = 300_000
MOST_COLUMNS: Final = 500
# A header stands below a title and what a shop writes of itself.
_HEADER_WITHIN: Final = 30
_LEAST_KNOWN: Final = 2
_SEPARATORS: Final = (",", ";", "\t", "|")
_HEAD: Final = 64 * 1024
_CHUNK: Final = 1 << 20
_SHOWN: Final = 30


class NoHeader(Exception):
    """A text of which no row can be read as names of columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in a file of JSON lines."""

    path: Path
    header: tuple[str, ...]
    # The row that the header is on, as an editor or a spreadsheet counts.
    header_row: int

    def rows(self) -> Iterator[SheetRow]:
        with self.path.open("rb") as file:
            next(file)
            for line in file:
                yield SheetRow(*_ROW.decode(line))


def table_of(path: Path) -> Table:
    """Return the table that was written to a file."""
    with path.open("rb") as file:
        number, header = _HEADER.decode(next(file))
    return Table(path, tuple(header), number)


@contextmanager
def read_ahead(upload: "UploadedFile[Any]") -> Iterator[None]:
    """Read an upload that is a workbook, for `read_workbook` within to return what was found, or raise it.

    Reading takes seconds: no transaction should be open meanwhile.
    """
    upload.seek(0)
    if not is_workbook(upload.read(_HEAD)):
        yield
        return
    table: Table | None = None
    try:
        table = read_workbook(upload)
        upload.read_ahead = table  # type: ignore[attr-defined]
    except AllianceError as refusal:
        upload.read_ahead = refusal  # type: ignore[attr-defined]
    try:
        yield
    finally:
        # Nobody has asked for it: the request was refused, or answered before.
        if table is not None:
            table.path.unlink(missing_ok=True)


def read_workbook(upload: "UploadedFile[Any]") -> Table:
    """Read the sheet of a workbook that has a table. Raises InvalidInput for the field `file`."""
    ahead: Table | AllianceError | None = getattr(upload, "read_ahead", None)
    if isinstance(ahead, AllianceError):
        raise ahead
    if ahead is not None:
        return ahead
    found: list[_Sheet] = []
    kept: Table | None = None
    try:
        with _on_disk(upload) as path, open_workbook(path, most_rows=MOST_ROWS) as sheets:
            for name, rows in sheets:
                heads = list(islice(rows, _HEADER_WITHIN))
                # A sheet that names no columns counts only where none does: for a person to name them.
                known = _known(heads) if heads else 0
                is_worse = known < _LEAST_KNOWN and found
                if heads and not is_worse and (table := _write(heads, rows)):
                    found.append(_Sheet(known if known >= _LEAST_KNOWN else 0, name, table))
        kept = _best(found)
        return kept
    finally:
        # They have recipients in them.
        for sheet in found:
            if sheet.table is not kept:
                sheet.table.path.unlink()


class _Sheet(NamedTuple):
    """A sheet with rows, and how many names of columns it has that are known."""

    known: int
    name: str
    table: Table


def _best(sheets: Sequence[_Sheet]) -> Table:
    """Return the table with most names that are known. Raises InvalidInput for none, and for several."""
    if not sheets:
        raise refused(_("The file has a header but no rows."))
    most = max(sheet.known for sheet in sheets)
    best = [sheet for sheet in sheets if sheet.known == most]
    if most and len(best) > 1:
        names = ", ".join(f"“{shortened(sheet.name, _SHOWN)}”" for sheet in best)
        message = _("Several sheets have bookings: %(names)s. Hide or delete all but one.")
        raise refused(message % {"names": names})
    return best[0].table


def read_text(upload: IO[bytes]) -> Table:
    """Read a CSV file with any separator. Raises InvalidInput for the field `file`, and NoHeader."""
    upload.seek(0)
    encoding = encoding_of(upload, is_utf8=_is_utf8(upload))
    upload.seek(0)
    head = upload.read(_HEAD)
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    separator = _separator(head[start:].decode(encoding, "replace"))
    records = Records(upload, encoding, offset=start, row_lines=FORMAT.row_lines, separator=separator)
    rows = (
        SheetRow(
            record.line,
            [marked(CellKind.UNREADABLE_ROW, record.problem)] if record.problem else list(record.cells),
        )
        for record in records
        if not record.is_blank and not _tells_separator(record.cells)
    )
    heads = list(islice(rows, _HEADER_WITHIN))
    if not heads or mark_of(heads[0].cells[0]):
        raise NoHeader
    place = _header_place(heads)
    if len(heads[place].cells) == 1:
        raise NoHeader
    # From here on a line with as many cells ends a quotation mark that was never closed.
    records.width = len(heads[place].cells)
    table = _write(heads, rows)
    if table is None:
        raise refused(_("The file has a header but no rows."))
    return table


def _write(heads: Sequence[SheetRow], rest: Iterable[SheetRow]) -> Table | None:
    """Write a table to a temporary file; None if it has no rows."""
    place = _header_place(heads)
    header = told_apart([plain(read_cell(text_in(cell))) for cell in heads[place].cells[:MOST_COLUMNS]])
    folder = settings.FILE_UPLOAD_TEMP_DIR
    with tempfile.NamedTemporaryFile(suffix=".upload", dir=folder, delete=False) as file:
        path = Path(file.name)
        try:
            file.write(_ENCODER.encode([heads[place].number, header]) + b"\n")
            count = size = 0
            for row in chain(heads[place + 1 :], rest):
                # Merged over two rows, or printed again on each page.
                if row.cells == heads[place].cells:
                    continue
                count += 1
                size += file.write(
                    _ENCODER.encode([row.number, row.cells[:MOST_COLUMNS], row.is_hidden]) + b"\n"
                )
                if count > MOST_ROWS or size > MAX_BYTES:
                    raise _too_long()
        except BaseException:
            path.unlink()
            raise
    if not count:
        path.unlink()
        return None
    return Table(path, header, heads[place].number)


def _too_long() -> Exception:
    message = _(
        "The file has more than %(most)s rows. Split it, or send it as CSV with the template's columns."
    )
    return refused(message % {"most": f"{MOST_ROWS:,}"})


def _header_place(heads: Sequence[SheetRow]) -> int:
    """Which of the first rows names the columns: the one with most names that are known, or the first."""
    counts = [_known([row]) for row in heads]
    most = max(counts)
    if most >= _LEAST_KNOWN:
        return counts.index(most)
    # A title stands alone in its row.
    return next((place for place, row in enumerate(heads) if sum(map(bool, row.cells)) > 1), 0)


def _known(rows: Sequence[SheetRow]) -> int:
    """The most names of columns that one of the rows has."""
    names = known_names()
    return max(len({column_key(cell) for cell in row.cells} & names) for row in rows)


def _separator(head: str) -> str:
    """What separates the columns: what the first line that has any of them has most of."""
    for line in head.splitlines()[:_HEADER_WITHIN]:
        if line.lower().startswith("sep=") and line[4:5] in _SEPARATORS:
            return line[4]
        counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _SEPARATORS}
        best = max(counts, key=lambda mark: counts[mark])
        if counts[best] > _LEAST_KNOWN:
            return best
    return ","


def _tells_separator(cells: Sequence[str]) -> bool:
    return bool(cells) and plain(cells[0]).lower().startswith("sep=")


def _is_utf8(file: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder(UTF8)()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _on_disk:  # noqa: N801 -- used as a function
    """A path at which another process reads an upload."""

    def __init__(self, upload: "UploadedFile[Any]") -> None:
        self._upload = upload
        self._copy: IO[bytes] | None = None

    def __enter__(self) -> Path:
        if hasattr(self._upload, "temporary_file_path"):
            return Path(self._upload.temporary_file_path())
        folder = settings.FILE_UPLOAD_TEMP_DIR
        self._copy = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115 -- closed on exit
        self._upload.seek(0)
        for chunk in self._upload.chunks():
            self._copy.write(chunk)
        self._copy.flush()
        return Path(self._copy.name)

    def __exit__(self, *_error: object) -> None:
        if self._copy is not None:
            self._copy.close()


_ENCODER: Final = msgspec.json.Encoder()
_ROW: Final = msgspec.json.Decoder(tuple[int, list[str], bool])
_HEADER: Final = msgspec.json.Decoder(tuple[int, list[str]])
