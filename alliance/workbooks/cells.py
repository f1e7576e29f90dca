"""Cells of a workbook as text, marked where they are not what a person typed. Pure.

A number has lost its leading zeros, a date what was typed: whether that matters depends on the column, which
is known later. Marks are characters that no text has; a cell of a CSV file that has one costs its row alone.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

# A noncharacter of Unicode.
MARK: Final = "\ufdd0"
# Excel keeps 15 digits of a number: the others become zeros.
_DIGITS: Final = 15


class CellKind(StrEnum):
    """What a marked cell is."""

    NUMBER = "n"
    SHORTENED = "s"
    DATE = "d"
    ERROR = "e"
    HIDDEN_ROW = "h"
    # A row that is nothing to send.
    CLOSED_ROW = "c"
    # Followed by a RowProblem.
    UNREADABLE_ROW = "r"


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row that is not empty: its number as a spreadsheet counts, and its cells, some of them marked."""

    number: int
    cells: list[str]
    is_hidden: bool = False


Value = int | float | str | bool | date | datetime | time | timedelta


def marked(kind: CellKind, text: str) -> str:
    return f"{MARK}{kind}{text}"


def mark_of(cell: str) -> CellKind | None:
    """What a cell is, if it is marked."""
    if cell[:1] != MARK:
        return None
    try:
        return CellKind(cell[1:2])
    except ValueError:
        return CellKind.ERROR


def text_in(cell: str) -> str:
    """The text of a cell without its mark."""
    return cell[2:] if cell[:1] == MARK else cell


def cell_of(value: Value) -> str:
    """Return the text of a value, marked unless it was text."""
    if isinstance(value, str):
        return (
            " ".join(value.replace(MARK, "\ufffd").split("\n")) if "\n" in value or MARK in value else value
        )
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, date | time):
        return marked(CellKind.DATE, value.isoformat())
    return marked(CellKind.DATE, str(value))


def _number(value: float) -> str:
    if abs(value) >= 10**_DIGITS:
        return marked(CellKind.SHORTENED, f"{value:.{_DIGITS}g}")
    whole = int(value) if value == int(value) else None
    return marked(CellKind.NUMBER, str(whole) if whole is not None else f"{value:.{_DIGITS}g}")
