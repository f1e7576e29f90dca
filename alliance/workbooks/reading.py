"""Read the rows of a workbook, through a process of its own: see child.py."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Timer
from typing import Any, Final

import msgspec
import structlog
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.csv_files.refusals import refused
from alliance.web.admission import Gate
from alliance.workbooks.cells import SheetRow
from alliance.workbooks.html_tables import is_html_table
from alliance.workbooks.limits import PATIENCE_SECONDS, WALL_SECONDS, Fault

log = structlog.get_logger(__name__)
_ALL: Final = "workbooks"
_HEADS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x09\x08\x10\x00")
# What an archive has near its beginning that is a workbook, and what another document has.
_PARTS: Final = (b"xl/", b"opendocument.spreadsheet", b"[Content_Types].xml", b"_rels/", b"docProps/")
_OTHERS: Final = (b"word/", b"ppt/", b"opendocument.text", b"Index/")
_FAULTS: Final[dict[str, Promise]] = {
    Fault.PASSWORD: _("This workbook is protected by a password. Save it without one, and upload that."),
    Fault.DAMAGED: _("This workbook is damaged and cannot be read. Save it again, or as “CSV UTF-8”."),
    Fault.TOO_LARGE: _("This workbook is too large to be read. Split it, or save it as “CSV UTF-8”."),
    Fault.TOO_WIDE: _(
        "This workbook has too many columns. Delete what is beside the table, and upload it again."
    ),
}


def is_workbook(head: bytes) -> bool:
    """Whether a file is a workbook, by how it begins; `head` should be HEAD bytes.

    A web page with a table is one: many programs call it .xls.
    """
    if is_html_table(head):
        return True
    if not head.startswith(_HEADS):
        return False
    return not head.startswith(b"PK") or (
        any(part in head for part in _PARTS) and not any(part in head for part in _OTHERS)
    )


@contextmanager
def open_workbook(path: Path, *, most_rows: int) -> Iterator[Iterator[tuple[str, Iterator[SheetRow]]]]:
    """Give the visible sheets one by one, each with its rows. Raises InvalidInput for the field `file`.

    A sheet's rows must be read before the next sheet is asked for. A sheet with more than `most_rows` raises.
    WEB_WORKBOOKS are read at a time in a process, as each takes memory: others wait for their turn, and raise
    Unavailable after PATIENCE_SECONDS, or if too many wait.
    """
    gate = _gate()
    with gate.place(_ALL), gate.slot(_ALL), _child_of(path, most_rows) as lines:
        yield _Sheets(lines, most_rows).read()


@lru_cache(maxsize=1)
def _gate() -> Gate:
    places = max(settings.WEB_PLACES, settings.WEB_WORKBOOKS)
    return Gate(
        slots=settings.WEB_WORKBOOKS,
        places=places,
        # All are counted as one tenant, which may have every place.
        share=places + 1,
        patience=PATIENCE_SECONDS,
    )


@contextmanager
def _child_of(path: Path, most_rows: int) -> Iterator[Iterator[bytes]]:
    """Start the process, and give what it writes line by line."""
    command = [sys.executable, "-m", "alliance.workbooks.child", str(path), str(most_rows)]
    child = subprocess.Popen(  # noqa: S603 -- our own program; the path is a temporary file's
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
    )
    timer = Timer(WALL_SECONDS, child.kill)
    timer.start()
    try:
        yield iter(child.stdout or ())
    finally:
        timer.cancel()
        child.kill()
        child.communicate()


class _Sheets:
    """What the process wrote, as sheets of rows."""

    def __init__(self, lines: Iterator[bytes], most_rows: int) -> None:
        self._lines, self._most_rows = lines, most_rows
        self._next: list[Any] = []

    def read(self) -> Iterator[tuple[str, Iterator[SheetRow]]]:
        self._advance()
        while self._next[0] == "sheet":
            yield self._next[1], self._rows()
            # What the reader left of it.
            while self._next[0] not in ("sheet", "end"):
                self._advance()

    def _rows(self) -> Iterator[SheetRow]:
        self._advance()
        while isinstance(self._next[0], int):
            number, is_hidden, cells = self._next
            yield SheetRow(number, cells, is_hidden)
            self._advance()
        if self._next[0] == "more":
            message = _("The sheet has more than %(most)s rows. Split it, or save it as “CSV UTF-8”.")
            raise refused(str(message) % {"most": f"{self._most_rows:,}"})

    def _advance(self) -> None:
        line = next(self._lines, b"")
        try:
            self._next = msgspec.json.decode(line)
        except msgspec.DecodeError:
            # Its limits ended the process, perhaps within a line.
            raise refused(str(_FAULTS[Fault.TOO_LARGE])) from None
        if self._next[0] == "fault":
            _fault, code, cause = self._next
            if cause:
                log.warning("workbook_unreadable", cause=cause)
            raise refused(str(_FAULTS[code]))
