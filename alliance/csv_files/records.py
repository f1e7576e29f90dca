"""Read the rows of a CSV file one by one, from any row on.

Pure. Files are read line by line, so that memory stays constant for any size; an unreadable row does
not affect the rows after it.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from alliance.texts import is_blank

# Longer than a row whose cells all have their maximum length in four-byte characters.
MAX_ROW_BYTES: Final = 16 * 1024
_CHUNK: Final = 1024 * 1024


class RowProblem(StrEnum):
    """Why a row could not be split into cells."""

    TOO_LONG = "row_too_long"
    OPEN_QUOTE = "open_quote"
    QUOTES = "quotes"
    LINE_END = "line_end"
    NOT_TEXT = "not_text"
    TOO_MANY_CELLS = "too_many_cells"
    TOO_FEW_CELLS = "too_few_cells"


DETAILS: Final[Mapping[str, Promise]] = {
    RowProblem.TOO_LONG.value: gettext_lazy("The row is longer than %(most)s bytes."),
    RowProblem.OPEN_QUOTE.value: gettext_lazy("A quotation mark is not closed."),
    RowProblem.QUOTES.value: gettext_lazy("A quotation mark is in the wrong place."),
    RowProblem.LINE_END.value: gettext_lazy("This line contains a line end of old Macs (CR)."),
    RowProblem.NOT_TEXT.value: gettext_lazy("The encoding of this line differs from the rest of the file."),
    RowProblem.TOO_MANY_CELLS.value: gettext_lazy("This row has more cells than columns."),
    RowProblem.TOO_FEW_CELLS.value: gettext_lazy("This row has fewer cells than columns."),
}
REMEDIES: Final[Mapping[str, Promise]] = {
    RowProblem.TOO_LONG.value: gettext_lazy("Check this line for a missing line break or quotation mark."),
    RowProblem.OPEN_QUOTE.value: gettext_lazy("Close it; write a quotation mark within a cell twice."),
    RowProblem.QUOTES.value: gettext_lazy(
        "Put the whole cell in quotation marks, and write those inside it twice."
    ),
    RowProblem.LINE_END.value: gettext_lazy("Save the file as “CSV UTF-8”."),
    RowProblem.NOT_TEXT.value: gettext_lazy("Save the file as “CSV UTF-8”."),
    RowProblem.TOO_MANY_CELLS.value: gettext_lazy("Put cells with a comma in quotation marks."),
    RowProblem.TOO_FEW_CELLS.value: gettext_lazy("Write a comma for each empty cell."),
}


def detail_of(problem: RowProblem) -> str:
    return str(DETAILS[problem.value]) % {"most": f"{MAX_ROW_BYTES:,}"}


def detail_and_remedy(problem: RowProblem) -> str:
    return f"{detail_of(problem)} {REMEDIES[problem.value]}"


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its first line as an editor counts, and its cells or why they cannot be read."""

    line: int
    cells: Sequence[str] = ()
    problem: RowProblem | None = None

    @property
    def is_blank(self) -> bool:
        return self.problem is None and all(map(is_blank, self.cells))

    def problem_among(self, columns: Sequence[str], *, must_fill: bool = False) -> RowProblem | None:
        """Why the row cannot be read under these columns; empty cells at its end do not count.

        With `must_fill` it must have as many: where a price of 12,50 would be one of 12 in a shorter row.
        """
        if self.problem:
            return self.problem
        if any(self.cells[len(columns) :]):
            return RowProblem.TOO_MANY_CELLS
        return RowProblem.TOO_FEW_CELLS if must_fill and len(self.cells) < len(columns) else None


class _Unreadable(Exception):
    def __init__(self, problem: RowProblem) -> None:
        self.problem = problem


class Records:
    """The rows of a file from an offset. `offset` and `line` are the position after the last row yielded.

    A row may have `row_lines` lines: its cells may contain line breaks. `width` is the number of columns:
    a line within a quoted cell that has as many cells is a row, and the quotation mark was never closed.
    """

    def __init__(
        self,
        file: IO[bytes],
        encoding: str,
        *,
        offset: int = 0,
        line: int = 0,
        row_lines: int = 1,
        width: int = 0,
        separator: str = ",",
    ) -> None:
        self._file = file
        self._encoding = encoding
        self._separator = separator
        self._row_lines = row_lines
        self.width = width
        self._move(offset, line)
        self._begin()

    def __iter__(self) -> Iterator[Record]:
        while True:
            self._begin()
            reader = csv.reader(self._lines(), strict=True, delimiter=self._separator)
            try:
                for cells in reader:
                    is_torn = self._quotes % 2 and any(map(_is_torn, cells))
                    yield Record(self._first, cells, RowProblem.QUOTES if is_torn else None)
                    self._begin()
                return
            except _Unreadable as unreadable:
                problem = unreadable.problem
            except csv.Error as error:
                problem = _problem_of(error)
            # Only the row's first line is skipped: the next line may be a separate row.
            first = self._first
            self._move(self._after_first, first)
            yield Record(first, problem=problem)

    def _move(self, offset: int, line: int) -> None:
        self._file.seek(offset)
        self.offset, self.line = offset, line

    def _begin(self) -> None:
        self._first = self.line + 1
        self._start = self._after_first = self.offset
        self._quotes = 0

    def _lines(self) -> Iterator[str]:
        """Yield lines to the CSV reader, which takes as many as the row has."""
        while raw := self._file.readline(MAX_ROW_BYTES + 1):
            self.offset += len(raw)
            self.line += 1
            is_first = self.line == self._first
            self._quotes += raw.count(b'"')
            if len(raw) > MAX_ROW_BYTES:
                self._drain(raw)
                if is_first:
                    self._after_first = self.offset
                raise _Unreadable(RowProblem.TOO_LONG)
            if is_first:
                self._after_first = self.offset
            elif self._swallows(raw):
                raise _Unreadable(RowProblem.OPEN_QUOTE)
            try:
                yield raw.decode(self._encoding)
            except UnicodeDecodeError:
                raise _Unreadable(RowProblem.NOT_TEXT) from None

    def _swallows(self, raw: bytes) -> bool:
        """Whether a further line of a quoted cell is more than a line break within the cell."""
        # A line with one mark ends the cell, or is refused for its place.
        is_open = raw.count(b'"') % 2 == 0
        is_row = is_open and self.width > 2 and raw.count(self._separator.encode()) >= self.width - 1
        is_long = self.line - self._first >= self._row_lines or self.offset - self._start > MAX_ROW_BYTES
        return is_row or is_long

    def _drain(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(_CHUNK)
            self.offset += len(raw)


def _is_torn(cell: str) -> bool:
    """Whether a mark at its edge has no other: its beginning, or its end, was lost.

    The csv module takes a mark within an unquoted cell for a letter, as in 5" pipe.
    """
    return cell.count('"') % 2 == 1 and (cell.startswith('"') or cell.endswith('"'))


def _problem_of(error: csv.Error) -> RowProblem:
    # The messages of Python's csv module, which has no codes.
    if "unexpected end of data" in str(error):
        return RowProblem.OPEN_QUOTE
    if "new-line character" in str(error):
        return RowProblem.LINE_END
    return RowProblem.QUOTES
