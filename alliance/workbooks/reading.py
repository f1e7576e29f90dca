"""Read the rows of a workbook, through a process of its own: see child.py."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, Final

import msgspec
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alliance.csv_files.refusals import refused
from alliance.workbooks.cells import SheetRow
from alliance.workbooks.limits import WALL_SECONDS, Fault

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
    """Whether a file is a workbook, by how it begins; `head` should be some ten thousand bytes."""
    if not head.startswith(_HEADS):
        return False
    return not head.startswith(b"PK") or (
        any(part in head for part in _PARTS) and not any(part in head for part in _OTHERS)
    )


@contextmanager
def open_workbook(path: Path, *, most_rows: int) -> Iterator[Iterator[tuple[str, Iterator[SheetRow]]]]:
    """Give the visible sheets one by one, each with its rows. Raises InvalidInput for the field `file`.

    A sheet's rows must be read before the next sheet is asked for. A sheet with more than `most_rows` raises.
    """
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
        yield _Sheets(iter(child.stdout or ()), most_rows).read()
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
            raise refused(str(_FAULTS[self._next[1]]))
