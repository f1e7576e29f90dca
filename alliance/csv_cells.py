"""Escape user input in CSV files so that no spreadsheet runs it as a formula. Pure functions."""

from typing import Final
from unicodedata import category

# The characters a formula begins with, and their full-width forms, which spreadsheets accept as well. An
# apostrophe is added before such a text; it is itself in the set, so that removing one restores any text.
_FORMULA: Final = frozenset("=+-@＝＋－＠\t\r'")
# Format characters (zero-width, direction, byte order mark), controls, spaces, marks on the letter before.
_INVISIBLE: Final = frozenset({"Cf", "Cc", "Zs", "Zl", "Zp", "Mn"})
# Letters and symbols that are displayed as nothing.
_FILLERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def safe_cell(text: str) -> str:
    """Return the text, with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if _begins_formula(text) else text


def text_of_cell(cell: str) -> str:
    """Return the text that safe_cell() was given."""
    return cell[1:] if cell[:1] == "'" and _begins_formula(cell[1:]) else cell


def _begins_formula(text: str) -> bool:
    for character in text:
        if character in _FORMULA:
            return True
        # Some programs drop invisible characters, and then see the character after them.
        if category(character) not in _INVISIBLE and character not in _FILLERS:
            return False
    return False
