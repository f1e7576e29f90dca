"""What became of a booking file's rows: files beside it of all rows, those not booked, those to correct.

Written in the order of the file, before the slice's commit; the file's row says how much is for good.
Whatever was cut off lies behind that, and is cut away next time.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final

from django.utils import translation

from alliance.csv_cells import safe_cell
from alliance.errors import AllianceError
from parcels.booking_files.models import BookingFile
from parcels.booking_files.records import REMARK
from parcels.booking_files.services.rows import booked_before, explain, retold
from parcels.booking_files.services.slices import Known, Outcomes
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
    "deliver_by",
    "column",
    "problem",
    "detail",
    "what_to_do",
)
_DETAIL: Final = COLUMNS.index("detail")
_MARK: Final = "\ufeff"
_CHUNK: Final = 256 * 1024
_Row = tuple[str, ...]


def results_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.results.csv")


def problems_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.problems.csv")


def rejected_path(file: BookingFile) -> Path:
    return Path(f"{file.content.path}.rejected.csv")


def append_results(file: BookingFile, outcomes: Outcomes, columns: Sequence[str]) -> None:
    """Add a slice's results behind those that stand, and set on `file` how long the files are for good.

    Rejected rows are kept in the `columns` they came in, with what is wrong: to correct and upload again.
    """
    kept = [place for place, name in enumerate(columns) if name != REMARK]
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
            rejected.append((*(safe_cell(cells.get(place, "")) for place in kept), row[_DETAIL]))
    file.results_size = _append(results_path(file), file.results_size, COLUMNS, rows)
    file.problems_size = _append(problems_path(file), file.problems_size, COLUMNS, problems)
    names = (*(columns[place] for place in kept), REMARK)
    file.rejected_size = _append(rejected_path(file), file.rejected_size, names, rejected)


def read_problems(file: BookingFile, *, start: int, most: int) -> tuple[list[dict[str, str]], int | None]:
    """Return rows that were not booked, from a byte of their file on, and the byte where the next begin.

    The file is in the language of whoever uploaded it; what is returned is in the reader's.
    """
    path = problems_path(file)
    if file.deleted_at or not file.problems_size or not path.exists():
        return [], None
    with path.open("rb") as problems:
        begin = max(start, len(problems.readline()))
        problems.seek(begin)
        lines = _Lines(problems, file.problems_size)
        # A page from the middle of a row, by a link somebody made up, is odd but harms nobody.
        rows = [dict(zip(COLUMNS, row, strict=False)) for row in islice(csv.reader(lines), most)]
        if translation.get_language() != file.language:
            rows = [retold(row) for row in rows]
        return rows, lines.position if lines.position < file.problems_size else None


def stream(path: Path, size: int) -> Iterator[bytes]:
    """Yield a file's first bytes, those that are for good."""
    with path.open("rb") as results:
        while size > 0 and (chunk := results.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk


class _Lines:
    """Lines of a file up to a byte, decoded, knowing how far they were read."""

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
    said = safe_cell(reference.replace("\0", ""))
    if isinstance(result, Booked):
        promise = result.promise
        # Rows of a slice share their promises.
        times = moments.get(id(promise))
        if times is None:
            times = moments[id(promise)] = (_spelled(promise.pickup_by), _spelled(promise.deliver_by))
        fee = yuan(result.fee_fen)
        return (line, said, "booked", result.number, result.offer.courier, fee, *times, "", "", "", "")
    number, told = "", explain(result) if isinstance(result, AllianceError) else ("", "", "", "")
    if isinstance(result, Known):
        number, told = result.number, booked_before(result.number)
    name = "duplicate" if number else "rejected"
    return (line, said, name, number, "", "", "", "", *(safe_cell(text.replace("\0", "")) for text in told))


def _spelled(moment: datetime) -> str:
    return moment.isoformat()


def _append(path: Path, size: int, columns: Iterable[str], rows: Iterable[_Row]) -> int:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not size:
        text.write(_MARK)
        writer.writerow(columns)
    writer.writerows(rows)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as target:
        target.truncate(size)
        target.seek(size)
        target.write(text.getvalue().encode("utf-8", "replace"))
        target.flush()
        os.fsync(target.fileno())
        return target.tell()
