"""Escape user input in CSV files so that no spreadsheet runs it as a formula; read cells of spreadsheets.

Pure functions.
"""

import re
from typing import Final
from unicodedata import category, normalize

from alliance.texts import plain

# The characters a formula begins with; full-width, small and raised forms, which spreadsheets accept as well,
# are folded before. An apostrophe is added before such a text; it is itself in the set, so that removing one
# restores any text.
_FORMULA: Final = frozenset("=+-@\u2212\t\r\n'")
# What keeps a spreadsheet from taking a text for a number: ="000121", or an apostrophe before it.
_WRAPPED: Final = re.compile(r'\s*=\s*"(?P<text>.*)"\s*', re.DOTALL)
_QUOTED: Final = re.compile(r"'(?=\s*[0-9０-９\u3400-\u9fff])|'\s*\Z")
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


def read_cell(cell: str) -> str:
    """Return the text that a person entered in a cell: without ="..." or an apostrophe around it.

    An apostrophe before a letter stays: it is one of a name, such as 't Hooft.
    """
    text = text_of_cell(cell)
    if wrapped := _WRAPPED.fullmatch(text):
        return wrapped["text"].replace('""', '"')
    return _QUOTED.sub("", text, count=1) if text[:1] == "'" else text


def read_code(cell: str) -> str:
    """Like read_cell(), of a number or code: no apostrophe belongs to it, and its characters are ASCII."""
    return plain(read_cell(cell)).removeprefix("'").lstrip()


def _begins_formula(text: str) -> bool:
    for character in text:
        if character in _FORMULA or normalize("NFKC", character)[:1] in _FORMULA:
            return True
        # Some programs drop invisible characters, and then see the character after them.
        if category(character) not in _INVISIBLE and character not in _FILLERS:
            return False
    return False
