"""Whole numbers that people type or spreadsheets write. Pure functions."""

import re
from typing import Final

from alliance.texts import plain

MOST_DIGITS: Final = 12
_WHOLE: Final = re.compile(r"(?P<digits>[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.0+)?")


def whole_number(text: str) -> int | None:
    """Read 800, ８００, 25,000 or 800.0; None for anything else, and for more than 12 digits.

    A comma counts between groups of three digits only: elsewhere it may be a decimal one.
    """
    match = _WHOLE.fullmatch(plain(text))
    digits = match["digits"].replace(",", "") if match else ""
    return int(digits) if 0 < len(digits) <= MOST_DIGITS else None
