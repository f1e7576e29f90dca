"""Read and validate the rows of a CSV of parcels carried before the courier joined.

Pure: no database, no clock. Times are RFC 3339 with an offset; promises are taken as given, not computed.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _

from alliance.identifiers import EPOCH

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
MAX_LENGTH = {"reference": 64, "merchant": 80, "courier": 80}
# A courier's clock may run slightly ahead of ours.
AHEAD = timedelta(minutes=5)


class BadHeader(ValueError):
    """The file is not a history file. The message names the missing columns."""


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


def read_history(file: TextIO, *, now: datetime) -> Iterator[HistoryRow | Problem]:
    """Yield each row or its problems. A row that is imported may be preceded by warnings.

    Raises BadHeader when columns are missing.
    """
    header = _header(_values(next(file, "")) or [])
    # Parse each line separately: no value contains a line break, and an unclosed quotation mark must
    # not swallow the good rows after it.
    for number, line in enumerate(file, start=2):
        if not line.strip():
            continue
        if not line.isprintable() and any("\ud800" <= character <= "\udfff" for character in line):
            yield Problem(number, "", _("This line is not UTF-8 text."))
            continue
        values = _values(line)
        if values is None:
            yield Problem(number, "", _("This line is not valid CSV: a quotation mark is not closed."))
        else:
            yield from _read_row(number, header, values, now)


def open_history(path: Path) -> TextIO:
    """Open a history file. Bytes that are not UTF-8 become lone surrogates; their lines are rejected."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline=None)


def _values(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _header(names: list[str]) -> list[str]:
    columns = [name.strip().lower().removeprefix("\ufeff") for name in names]
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise BadHeader(
            _("The first line must name the columns %(columns)s; missing: %(missing)s.")
            % {"columns": ",".join(COLUMNS), "missing": ", ".join(missing)}
        )
    return columns


def _read_row(
    line: int, header: list[str], values: list[str], now: datetime
) -> Iterator[HistoryRow | Problem]:
    if len(values) != len(header):
        message = _("This line has %(found)d values; the header has %(expected)d columns.")
        yield Problem(line, "", message % {"found": len(values), "expected": len(header)})
        return
    row = {name: value.strip() for name, value in zip(header, values, strict=True) if name in COLUMNS}
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


def _text_problems(line: int, row: dict[str, str]) -> Iterator[Problem]:
    for name in REQUIRED:
        if not row[name]:
            yield Problem(line, name, _("This value is required."))
    for name, longest in MAX_LENGTH.items():
        if len(row[name]) > longest:
            yield Problem(line, name, _("This is longer than %(longest)d characters.") % {"longest": longest})
    for name, value in row.items():
        if "\0" in value:
            yield Problem(line, name, _("The text contains a NUL character."))


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
