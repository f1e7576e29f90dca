"""Read and validate the rows of a CSV of parcels carried before the courier joined.

Pure: no database, no clock. Times are RFC 3339 with an offset; promises are taken as given, not computed.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO

from django.utils.translation import gettext as _

from alliance.csv_cells import read_cell, read_code
from alliance.csv_files.columns import FileFormat
from alliance.csv_files.reading import examine, read_header, write_utf8
from alliance.csv_files.records import Record, detail_of
from alliance.identifiers import EPOCH
from alliance.text_faults import fault_of
from alliance.texts import one_line

COLUMNS = (
    "reference",
    "merchant",
    "courier",
    "tier",
    "origin",
    "destination",
    "booked_at",
    "promised_by",
    "picked_up_at",
    "attempted_at",
    "delivered_at",
    "cancelled_at",
)
REQUIRED = COLUMNS[:8]
MOMENTS = COLUMNS[6:]
# All columns must be there: a file without `cancelled_at` would make parcels late that were called off.
FORMAT = FileFormat(columns=COLUMNS, required=COLUMNS, max_lines=1_000_000_000)
MAX_LENGTH = {"reference": 64, "merchant": 80, "courier": 80}
# A courier's clock may run slightly ahead of ours.
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in one row. A row with a warning is imported without that value."""

    line: int
    column: str
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One parcel's history as its courier recorded it."""

    line: int
    reference: str
    merchant: str
    courier: str
    tier: str
    origin: str
    destination: str
    booked_at: datetime
    promised_by: datetime
    picked_up_at: datetime | None = None
    attempted_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def never_handed_over(self) -> bool:
        return not (self.picked_up_at or self.attempted_at or self.delivered_at)


def read_history(file: IO[bytes], *, now: datetime) -> Iterator[HistoryRow | Problem]:
    """Yield each row or its problems. A row that is imported may be preceded by warnings.

    Raises InvalidInput when the file cannot be read, or columns are missing.
    """
    with tempfile.TemporaryFile() as copy:
        readable = copy if write_utf8(file, copy, FORMAT) else file
        columns, records = read_header(readable, examine(readable, FORMAT).encoding, FORMAT)
        for record in records:
            if not record.is_blank:
                yield from _read_row(columns, record, now)


def _read_row(columns: Sequence[str], record: Record, now: datetime) -> Iterator[HistoryRow | Problem]:
    line = record.line
    if unreadable := record.problem_among(columns, must_fill=True):
        yield Problem(line, "", detail_of(unreadable))
        return
    row = {name: _text(name, cell) for name, cell in zip(columns, record.cells, strict=False)}
    problems = list(_text_problems(line, row))
    moments = {name: _moment(line, name, row[name], problems) for name in MOMENTS}
    if not problems:
        problems += _order_problems(line, moments, now)
    yield from problems
    if any(not problem.is_warning for problem in problems):
        return
    for problem in problems:
        moments[problem.column] = None
    yield HistoryRow(line=line, **{name: row[name] for name in COLUMNS[:6]}, **moments)  # type: ignore[arg-type]


def _text(name: str, cell: str) -> str:
    return one_line(read_cell(cell)) if name in ("merchant", "courier") else read_code(cell)


def _text_problems(line: int, row: dict[str, str]) -> Iterator[Problem]:
    for name in REQUIRED:
        if not row[name]:
            yield Problem(line, name, _("This value is required."))
    for name, longest in MAX_LENGTH.items():
        if len(row[name]) > longest:
            yield Problem(line, name, _("This is longer than %(longest)d characters.") % {"longest": longest})
    for name, value in row.items():
        if fault := fault_of(value):
            yield Problem(line, name, fault.message)


def _moment(line: int, name: str, text: str, problems: list[Problem]) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = _("“%(text)s” is not a time such as 2026-11-22T18:00:00+08:00.")
        problems.append(Problem(line, name, message % {"text": text[:40]}))
        return None
    if moment.tzinfo is None:
        message = _("“%(text)s” has no offset from UTC, such as +08:00 at its end.")
        problems.append(Problem(line, name, message % {"text": text[:40]}))
        return None
    return moment


def _order_problems(line: int, moments: dict[str, datetime | None], now: datetime) -> Iterator[Problem]:
    booked, promised = moments["booked_at"], moments["promised_by"]
    assert booked is not None and promised is not None  # noqa: PT018, S101 -- required, checked before
    if booked < EPOCH:
        yield Problem(line, "booked_at", _("Bookings before 2016 cannot be numbered."))
        return
    if promised < booked:
        yield Problem(line, "promised_by", _("The promise is before the booking."))
    for name in MOMENTS:
        moment = moments[name]
        if moment is None or name == "promised_by":
            continue
        if moment > now + AHEAD:
            yield Problem(line, name, _("This time is in the future."))
        elif moment < booked and name == "picked_up_at":
            # Depots do hand parcels over before they book them: the row is valid without this scan.
            message = _("Picked up before it was booked: the parcel was imported without this scan.")
            yield Problem(line, name, message, is_warning=True)
        elif moment < booked:
            yield Problem(line, name, _("This is before the booking."))
