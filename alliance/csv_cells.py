"""Texts of people in CSV files, written so that no spreadsheet runs them as formulas. Pure."""

from typing import Final
from unicodedata import category

# What a formula begins with, and the full-width forms that spreadsheets take for the same. The apostrophe
# is what such a text is preceded by: a reader may take the first one away, and has the text.
_FORMULA: Final = frozenset("=+-@＝＋－＠\t\r'")
# Format characters (zero-width, direction, byte order mark), controls, spaces, marks on the letter before.
_INVISIBLE: Final = frozenset({"Cf", "Cc", "Zs", "Zl", "Zp", "Mn"})
# Letters and symbols that show as nothing.
_FILLERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: such a text, with an apostrophe before it."""
    return f"'{text}" if _begins_formula(text) else text


def text_of_cell(cell: str) -> str:
    """Return the text that safe_cell() was given."""
    return cell[1:] if cell[:1] == "'" and _begins_formula(cell[1:]) else cell


def _begins_formula(text: str) -> bool:
    for character in text:
        if character in _FORMULA:
            return True
        # Some programs drop what shows as nothing, and then see what stands behind it.
        if category(character) not in _INVISIBLE and character not in _FILLERS:
            return False
    return False
