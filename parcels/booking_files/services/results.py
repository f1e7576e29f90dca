"""The result files of a booking file: all rows, the rows not booked, and the rows to correct.

Rows are appended in the order of the file, before the slice is committed. The file's database row has
the committed size; bytes after it, from an interrupted slice, are truncated the next time.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final

from django.utils import translation

from alliance.csv_cells import safe_cell, text_of_cell
from alliance.csv_files.columns import REMARK
from alliance.csv_files.headers import header
from alliance.csv_files.writing import MARK, append_rows
from alliance.errors import AllianceError
from alliance.workbooks.cells import text_in
from parcels.booking_files.columns import FORMAT
from parcels.booking_files.models import BookingFile
from parcels.booking_files.services.orders import Known
from parcels.booking_files.services.rows import booked_before, explain, translate_row
from parcels.booking_files.services.slices import Outcomes
from parcels.bookings.services.writing import Booked
from slas.promises.prices import yuan

COLUMNS: Final = (
    "line",
    "reference",
    "result",
    "tracking_number",
    "courier",
    "price",
    "pickup_by",
    "promise_current",
    "column",
    "problem",
    "detail",
    "what_to_do",
    # Numbers: a spreadsheet would read 1/3 as a day.
    "piece",
    "piece_count",
)
# Writing more into a workbook takes longer than a person waits for a download.
MOST_WORKBOOK_ROWS: Final = 100_000
_DETAIL: Final = COLUMNS.index("detail")
_RESULT: Final = COLUMNS.index("result")
_NUMBER: Final = COLUMNS.index("tracking_number")
_Row = tuple[str, ...]


def results_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.results.csv")


def problems_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.problems.csv")


def rejected_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.rejected.csv")


def append_results(file: BookingFile, outcomes: Outcomes, columns: Sequence[str]) -> None:
    """Append a slice's results to the committed ones, and set the new sizes on `file`.

    Rejected rows are written in their original `columns`, with the problem: to correct and upload again.
    """
    places = [place for place, name in enumerate(columns) if name != REMARK]
    rejected: list[_Row] = []
    moments: dict[int, tuple[str, str]] = {}
    rows: list[_Row] = []
    problems: list[_Row] = []
    for record, reference, result in outcomes.rows:
        row = _row(str(record.line), reference, result, moments)
        rows.append(row)
        if not isinstance(result, Booked):
            problems.append(row)
        if isinstance(result, AllianceError):
            cells = dict(enumerate(record.cells))
            rejected.append((*(safe_cell(text_in(cells.get(place, ""))) for place in places), row[_DETAIL]))
    file.results_size = append_rows(results_path(file), file.results_size, COLUMNS, rows)
    file.problems_size = append_rows(problems_path(file), file.problems_size, COLUMNS, problems)
    names = (*(columns[place] for place in places), REMARK)
    file.rejected_size = append_rows(rejected_path(file), file.rejected_size, names, rejected)


def result_rows(path: Path, size: int) -> Iterator[list[str]]:
    """Yield the committed rows of a file of results, as texts; the first has the columns, for the reader."""
    with path.open("rb") as file:
        rows = csv.reader(_Lines(file, size))
        yield header([name.removeprefix(MARK) for name in next(rows, [])], FORMAT)
        for row in rows:
            yield [text_of_cell(cell) for cell in row]


def read_problems(file: BookingFile, *, start: int, most: int) -> tuple[list[dict[str, str]], int | None]:
    """Return rows that were not booked, starting at a byte of their file, and where the next page starts.

    The file is in the uploader's language; the returned rows are in the reader's.
    """
    path = problems_path(file)
    if file.deleted_at or not file.problems_size or not path.exists():
        return [], None
    with path.open("rb") as problems:
        begin = max(start, len(problems.readline()))
        problems.seek(begin)
        lines = _Lines(problems, file.problems_size)
        # An invented link may start in the middle of a row: the page is odd, but nothing leaks.
        rows = [dict(zip(COLUMNS, row, strict=False)) for row in islice(csv.reader(lines), most)]
        if translation.get_language() != file.language:
            rows = [translate_row(row) for row in rows]
        return rows, lines.position if lines.position < file.problems_size else None


def booked_numbers(file: BookingFile, *, skip: int = 0, most: int) -> list[str]:
    """Return the tracking numbers that a file booked, in its order, so many after so many."""
    path = results_path(file)
    if file.deleted_at or not file.results_size or not path.exists():
        return []
    with path.open("rb") as results:
        rows = csv.reader(_Lines(results, file.results_size))
        numbers = (row[_NUMBER] for row in rows if row[_RESULT:_NUMBER] == ["booked"])
        return list(islice(numbers, skip, skip + most))


class _Lines:
    """Decoded lines of a file up to a byte; `position` is the byte reached."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file, self._end = file, end
        self.position = file.tell()

    def __iter__(self) -> Iterator[str]:
        while self.position < self._end and (raw := self._file.readline()):
            self.position += len(raw)
            yield raw.decode("utf-8", "replace")


def _row(
    line: str, reference: str, result: Booked | Known | AllianceError, moments: dict[int, tuple[str, str]]
) -> _Row:
    cell = safe_cell(reference.replace("\0", ""))
    if isinstance(result, Booked):
        promise = result.promise
        # Rows of a slice share their promises.
        times = moments.get(id(promise))
        if times is None:
            times = moments[id(promise)] = (_iso_text(promise.pickup_by), _iso_text(promise.deliver_by))
        fee = yuan(result.fee_fen)
        request = result.request
        place = (str(request.piece), str(request.pieces))
        return (
            line,
            cell,
            "booked",
            result.number,
            result.offer.courier,
            fee,
            *times,
            "",
            "",
            "",
            "",
            *place,
        )
    number, texts = "", explain(result) if isinstance(result, AllianceError) else ("", "", "", "")
    if isinstance(result, Known):
        number, texts = result.number, booked_before(result.number)
    name = "duplicate" if number else "rejected"
    now = _available(result)
    return (line, cell, name, number, *now, *(safe_cell(text.replace("\0", "")) for text in texts), "", "")


def _available(result: Known | AllianceError) -> tuple[str, ...]:
    """What could be booked instead of a row whose promise or price changed, or whose day is full."""
    available = result.members.get("available") if isinstance(result, AllianceError) else None
    if not available:
        return ("",) * 4
    promise = available["promise"]
    return available["courier"], available["price"], promise["pickup_by"], promise["current"]


def _iso_text(moment: datetime) -> str:
    return moment.isoformat()
