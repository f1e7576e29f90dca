"""The format of CSV files of scans, and the reader of their rows. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import IO, Final

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import override

from alliance.csv_cells import read_cell, read_code
from alliance.csv_files import reading
from alliance.csv_files.columns import FileFormat
from alliance.csv_files.records import Record, detail_and_remedy
from alliance.csv_files.refusals import refused
from alliance.text_faults import fault_of
from alliance.texts import one_line, plain
from parcels.choices import ScanCode, ScanReason
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
# What the columns are called in files for Chinese readers; read as well.
LABELS: Final = {
    "运单号": "tracking_number",
    "扫描代码": "code",
    "扫描时间": "occurred_at",
    "事件编号": "event_id",
    "原因代码": "reason",
    "网点": "facility",
    "收件人同意": "consent",
    "更正的事件": "corrects",
}
FORMAT: Final = FileFormat(
    columns=COLUMNS,
    required=REQUIRED,
    # Blank lines are no rows, but a file of nothing else must end.
    max_lines=10 * MAX_ROWS,
    labels=LABELS,
    meant={
        "number": ("tracking_number",),
        "waybill": ("tracking_number",),
        "waybill number": ("tracking_number",),
        "tracking": ("tracking_number",),
        "tracking no": ("tracking_number",),
        "parcel": ("tracking_number",),
        "barcode": ("tracking_number",),
        "status": ("code",),
        "event": ("code",),
        "scan": ("code",),
        "event code": ("code",),
        "time": ("occurred_at",),
        "date": ("occurred_at",),
        "datetime": ("occurred_at",),
        "timestamp": ("occurred_at",),
        "scanned at": ("occurred_at",),
        "id": ("event_id",),
        "location": ("facility",),
        "place": ("facility",),
        "hub": ("facility",),
        "station": ("facility",),
        "单号": ("tracking_number",),
        "快递单号": ("tracking_number",),
        "运单": ("tracking_number",),
        "状态": ("code",),
        "代码": ("code",),
        "扫描类型": ("code",),
        "时间": ("occurred_at",),
        "发生时间": ("occurred_at",),
        "操作时间": ("occurred_at",),
        "编号": ("event_id",),
        "原因": ("reason",),
        "地点": ("facility",),
        "站点": ("facility",),
        "操作网点": ("facility",),
        "同意": ("consent",),
        "更正": ("corrects",),
    },
)
_YES: Final = {
    "yes": "true", "y": "true", "1": "true", "是": "true",
    "no": "false", "n": "false", "0": "false", "否": "false",
}  # fmt: skip
_CHOICES: Final[Mapping[str, type[TextChoices]]] = {"code": ScanCode, "reason": ScanReason}
# A bare number would be read as seconds since 1970.
_MOMENT: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}[Tt ][0-9]{2}.*(?:[Zz]|[+-][0-9:]{4,6})")

EXAMPLES: Final = (
    ("CA180GEVWW02BYH3", "picked_up", "2026-11-22T18:05:00+08:00", "", "", "HGH-01", "", ""),
    (
        "CA180GEVWW02BYH3",
        "attempt_failed",
        "2026-11-23T15:40:00+08:00",
        "8842-17",
        "consignee_absent",
        "CTU-03",
        "",
        "",
    ),
    ("CA180GEVWW02BYH3", "available_for_pickup", "2026-11-23T17:10:00+08:00", "", "", "", "yes", ""),
    ("CA180GEVWW02BYH3", "correction", "2026-11-23T17:20:00+08:00", "", "", "", "", "8842-17"),
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
    encoding = reading.examine(file, FORMAT).encoding
    _columns, records = reading.read_header(file, encoding, FORMAT)
    rows = sum(not record.is_blank for record in records)
    if rows > MAX_ROWS:
        raise refused(
            _("The file has %(rows)s rows; the limit is %(most)s. Split it.")
            % {"rows": f"{rows:,}", "most": f"{MAX_ROWS:,}"}
        )
    return FileShape(encoding, rows)


def read_rows(file: IO[bytes], encoding: str, *, skip: int = 0) -> Iterator[FileRow]:
    """Read the rows of an examined file after the first `skip`; empty rows are not counted."""
    columns, records = reading.read_header(file, encoding, FORMAT)
    filled = (record for record in records if not record.is_blank)
    for record in islice(filled, skip, None):
        yield _row(columns, record)


def batches(rows: Iterator[FileRow], size: int) -> Iterator[list[FileRow]]:
    while batch := list(islice(rows, size)):
        yield batch


def _row(columns: Sequence[str], record: Record) -> FileRow:
    row = {name: _cell(name, text) for name, text in zip(columns, record.cells, strict=False)}
    if problem := record.problem_among(columns):
        return FileRow(record.line, row, Rejection(0, "/0", problem.value, detail_and_remedy(problem)))
    return FileRow(record.line, row, _problem_of(row) or read_row(0, row))


def _cell(name: str, cell: str) -> str:
    if name == "facility":
        return one_line(read_cell(cell))
    text = read_code(cell)
    if name == "consent":
        return _YES.get(text.lower(), text.lower())
    if name in _CHOICES:
        # As the pages show them: Picked up, 已揽收.
        return _named(name).get(text.lower()) or text.lower().replace(" ", "_")
    return text


@cache
def _named(column: str) -> dict[str, str]:
    """The codes of a column by their names on pages, in each language."""
    names: dict[str, str] = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            names |= {plain(str(choice.label)).lower(): choice.value for choice in _CHOICES[column]}
    return names


def _problem_of(row: Mapping[str, str]) -> Rejection | None:
    """What is wrong with cells that a program would have sent as something else than text."""
    for name, text in row.items():
        if fault := fault_of(text):
            return Rejection(0, f"/0/{name}", fault.code, fault.message)
    if (moment := row.get("occurred_at")) and not _MOMENT.fullmatch(moment):
        message = _("Enter date, time and UTC offset (RFC 3339), such as 2026-11-22T15:04:05+08:00.")
        return Rejection(0, "/0/occurred_at", "invalid", message)
    if (consent := row.get("consent")) and consent not in _YES.values():
        return Rejection(0, "/0/consent", "invalid", _("Enter yes or no."))
    return None
