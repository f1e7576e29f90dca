"""Tables of a web page, which many back offices name .xls: each is read as a sheet. Pure.

Their cells are what a person sees, with all zeros, so none is marked as a number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from alliance.workbooks.cells import SheetRow
from alliance.workbooks.limits import MOST_COLUMNS

_CHARSET: Final = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9_-]+)""")
_HEAD: Final = 8 * 1024
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
# What Excel shows of a number that is too long for its column; it writes the number beside it.
_SHORTENED: Final = re.compile(r"\s*[0-9.]+E\+[0-9]+\s*")
_BREAKS: Final = frozenset({"br", "p", "div"})
_NO_TEXT: Final = frozenset({"script", "style", "title"})


def is_html_table(head: bytes) -> bool:
    """Whether a file is a web page with a table, by how it begins."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype", b"<html", b"<table", b"<meta", b"<head", b"<body")) and (
        b"<table" in text
    )


def tables_of(path: Path) -> Iterator[tuple[str, list[SheetRow]]]:
    """Yield each table that has rows, under its number. Raises UnicodeError for no known encoding."""
    reader = _Reader()
    # Not closed: the parser would look for the end of each unfinished tag anew, which takes minutes for many.
    reader.feed(_text_of(path.read_bytes()) + "</table>")
    reader.finish()
    for number, rows in enumerate(filter(None, reader.tables), 1):
        yield str(number), rows


def _text_of(content: bytes) -> str:
    named = _CHARSET.search(content[:_HEAD])
    # What calls itself gb2312 has characters of its successors.
    name = named[1].decode().lower() if named else "utf-8"
    encodings = ("gb18030", "utf-8") if name.startswith("gb") else ("utf-8", "gb18030")
    for encoding in encodings[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(encodings[-1])


@dataclass(slots=True)
class _Cell:
    column: int
    across: int
    down: int
    number: str
    text: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        text = " ".join("".join(self.text).split())
        return self.number if self.number and _SHORTENED.fullmatch(text) else text


@dataclass(slots=True)
class _Table:
    rows: list[SheetRow] = field(default_factory=list)
    number: int = 0
    cells: dict[int, str] = field(default_factory=dict)
    cell: _Cell | None = None
    is_hidden: bool = False
    # Column -> how many further rows a cell goes down, and its text.
    below: dict[int, tuple[int, str]] = field(default_factory=dict)

    def begin_row(self, *, is_hidden: bool) -> None:
        self.end_row()
        self.number += 1
        self.is_hidden = is_hidden
        self.cells = {column: text for column, (_rows, text) in self.below.items()}
        self.below = {column: (rows - 1, text) for column, (rows, text) in self.below.items() if rows > 1}

    def begin_cell(self, *, across: int, down: int, number: str) -> None:
        self.end_cell()
        column = 0
        while column in self.cells:
            column += 1
        self.cell = _Cell(column, across, down, number)

    def end_cell(self) -> None:
        cell, self.cell = self.cell, None
        if cell is None or cell.column + cell.across > MOST_COLUMNS:
            return
        for place in range(cell.across):
            # As in a workbook: down the rows a merged cell says the same, across the columns only once.
            text = cell.shown if not place else ""
            self.cells[cell.column + place] = text
            if cell.down > 1:
                self.below[cell.column + place] = (cell.down - 1, text)

    def end_row(self) -> None:
        self.end_cell()
        if self.cells:
            row = [self.cells.get(column, "") for column in range(max(self.cells) + 1)]
            while row and not row[-1]:
                row.pop()
            if row:
                self.rows.append(SheetRow(self.number, row, self.is_hidden))
        self.cells = {}


class _Reader(HTMLParser):
    """Follows the tables of a page; one within a cell of another is a table of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[SheetRow]] = []
        self._open: list[_Table] = []
        self._silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NO_TEXT:
            self._silent = tag
        if tag == "table":
            self._open.append(_Table())
        table = self._open[-1] if self._open else None
        if table is None:
            return
        values = {name: value or "" for name, value in attrs}
        if tag == "tr":
            table.begin_row(is_hidden=_HIDDEN.search(values.get("style", "")) is not None)
        elif tag in ("td", "th"):
            across, down = (_span(values.get(name, "")) for name in ("colspan", "rowspan"))
            table.begin_cell(across=across, down=down, number=values.get("x:num", ""))
        elif tag in _BREAKS and table.cell:
            table.cell.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""
        if not self._open:
            return
        table = self._open[-1]
        if tag == "table":
            self._close()
        elif tag == "tr":
            table.end_row()
        elif tag in ("td", "th"):
            table.end_cell()

    def handle_data(self, data: str) -> None:
        if self._open and not self._silent and (cell := self._open[-1].cell):
            cell.text.append(data)

    def finish(self) -> None:
        while self._open:
            self._close()

    def _close(self) -> None:
        table = self._open.pop()
        table.end_row()
        self.tables.append(table.rows)


def _span(text: str) -> int:
    return min(max(int(text), 1), 10_000) if text.isascii() and text.isdigit() and len(text) < 6 else 1
