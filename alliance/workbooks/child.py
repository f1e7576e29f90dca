"""Read a workbook in a process of its own, and write its rows to the standard output, a line of JSON each.

Run as `python -m alliance.workbooks.child PATH LIMIT`. The process may use so much memory and time and no
more: a file that takes more kills this process, not the one that serves others.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from zipfile import ZipFile, is_zipfile

import msgspec

from alliance.workbooks.cells import CellKind, cell_of, marked
from alliance.workbooks.details import Details
from alliance.workbooks.html_tables import is_html_table, tables_of
from alliance.workbooks.limits import CPU_SECONDS, HEAD, MEMORY_BYTES, MOST_COLUMNS, UNPACKED_BYTES, Fault

if TYPE_CHECKING:
    import python_calamine as calamine

# What names the locked part of an .xlsx, and of an .ods.
_LOCKED_XLSX: Final = "EncryptedPackage".encode("utf-16-le")
_LOCKED_ODS: Final = b"encryption-data"
_ODS, _ODS_PARTS = "content.xml", "META-INF/manifest.xml"


class _Unreadable(Exception):
    def __init__(self, fault: Fault, cause: BaseException | None = None) -> None:
        self.fault = fault
        # For our log: what a reader of files made by others may raise is not in its manual.
        self.cause = "" if cause is None else f"{type(cause).__name__}: {cause}"[:200]


def main(path: str, most_rows: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY_BYTES if limit == resource.RLIM_INFINITY else min(limit, MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    out = sys.stdout.buffer
    try:
        _write(path, most_rows, out)
    except _Unreadable as error:
        _line(out, ["fault", error.fault, error.cause])
    out.flush()


def _write(path: str, most_rows: int, out: IO[bytes]) -> None:
    # Imported under the limits: the library is in Rust, and ends the process where it gets no memory.
    import python_calamine as calamine  # noqa: PLC0415 -- as said

    try:
        with Path(path).open("rb") as file:
            is_page = is_html_table(file.read(HEAD))
        if is_page:
            _write_page(path, most_rows, out)
            return
        _require_small(path)
        book = calamine.CalamineWorkbook.from_path(path)
        for sheet in book.sheets_metadata:
            is_shown = sheet.visible == calamine.SheetVisibleEnum.Visible
            if is_shown and sheet.typ == calamine.SheetTypeEnum.WorkSheet:
                _line(out, ["sheet", sheet.name])
                _write_sheet(book.get_sheet_by_name(sheet.name), _details(path, sheet.name), most_rows, out)
    except (_Unreadable, BrokenPipeError):
        raise
    except MemoryError:
        raise _Unreadable(Fault.TOO_LARGE) from None
    except BaseException as error:  # noqa: BLE001 -- a panic of the library in Rust is no Exception
        raise _Unreadable(Fault.PASSWORD if _is_locked(path) else Fault.DAMAGED, error) from None
    _line(out, ["end"])


def _write_page(path: str, most_rows: int, out: IO[bytes]) -> None:
    for name, rows in tables_of(Path(path)):
        _line(out, ["sheet", name])
        for row in rows[:most_rows]:
            _line(out, [row.number, row.is_hidden, row.cells])
        if len(rows) > most_rows:
            _line(out, ["more"])
    _line(out, ["end"])


def _require_small(path: str) -> None:
    """Raise _Unreadable for an archive that says it is too large unpacked."""
    if is_zipfile(path):
        with ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > UNPACKED_BYTES:
                raise _Unreadable(Fault.TOO_LARGE)


def _is_locked(path: str) -> bool:
    """Whether a workbook that could not be read has a password: calamine knows that of some kinds only."""
    if is_zipfile(path):
        with ZipFile(path) as archive:
            return _ODS_PARTS in archive.namelist() and _LOCKED_ODS in archive.read(_ODS_PARTS)
    if _LOCKED_XLSX in Path(path).read_bytes():
        return True
    import xlrd  # noqa: PLC0415 -- for the kind of file at hand: each costs time to load

    try:
        xlrd.open_workbook(path, on_demand=True)
    except xlrd.XLRDError as error:
        return "encrypted" in str(error)
    except Exception:  # noqa: BLE001 -- a damaged file breaks its reader anywhere
        return False
    return False


def _details(path: str, sheet_name: str) -> Details:
    # Imported for the kind of file at hand: each costs time to load.
    if is_zipfile(path):
        with ZipFile(path) as book:
            if _ODS in book.namelist():
                from alliance.workbooks import ods_details  # noqa: PLC0415

                return ods_details.details_of(book, sheet_name)
            from alliance.workbooks import xlsx_details  # noqa: PLC0415

            return xlsx_details.details_of(book, sheet_name)
    from alliance.workbooks import xls_details  # noqa: PLC0415

    return xls_details.details_of(path, sheet_name)


def _write_sheet(sheet: "calamine.CalamineSheet", details: Details, most_rows: int, out: IO[bytes]) -> None:
    if sheet.total_width > MOST_COLUMNS:
        raise _Unreadable(Fault.TOO_WIDE)
    merged = [(first, last, column) for (first, column), (last, _end) in sheet.merged_cell_ranges or []]
    below = _Merged([*merged, *details.merged])
    # The first columns are left out where they are empty.
    before = [""] * (sheet.start[1] if sheet.start else 0)
    written = 0
    for number, values in enumerate(sheet.iter_rows()):
        cells = [*before, *map(cell_of, values)]
        for column, text in details.texts.get(number, {}).items():
            _put(cells, column, text)
        for column, error in details.errors.get(number, {}).items():
            _put(cells, column, marked(CellKind.ERROR, error))
        below.fill(number, cells)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            if written == most_rows:
                _line(out, ["more"])
                return
            _line(out, [number + 1, number in details.hidden, cells])
            written += 1


class _Merged:
    """Cells that were merged over several rows: each row gets the text of the first."""

    def __init__(self, ranges: list[tuple[int, int, int]]) -> None:
        self._starting: dict[int, list[tuple[int, int]]] = {}
        for first, last, column in ranges:
            if last > first:
                self._starting.setdefault(first, []).append((last, column))
        self._open: list[tuple[int, int, str]] = []

    def fill(self, row: int, cells: list[str]) -> None:
        self._open = [(last, column, text) for last, column, text in self._open if last >= row]
        for _last, column, text in self._open:
            _put(cells, column, text)
        for last, column in self._starting.get(row, ()):
            self._open.append((last, column, cells[column] if column < len(cells) else ""))


def _put(cells: list[str], column: int, text: str) -> None:
    cells.extend([""] * (column + 1 - len(cells)))
    cells[column] = text


def _line(out: IO[bytes], value: object) -> None:
    out.write(_ENCODER.encode(value) + b"\n")


_ENCODER: Final = msgspec.json.Encoder()

if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main(sys.argv[1], int(sys.argv[2]))
