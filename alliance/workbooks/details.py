"""What calamine does not tell of a sheet: numbers shown with zeros or as text, errors, hidden rows. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final

# A number format of digits only, with signs between them: 000000, 000\-0000, "0571-"00000000.
_ZEROS: Final = re.compile(r"[0#() -]*")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.0+)?")
_LITERAL: Final = re.compile(r'\\(.)|"([^"]*)"|_.')
AS_TEXT: Final = "@"


@dataclass(slots=True)
class Details:
    """Of one sheet; rows and columns count from 0."""

    # Row -> column -> the text that a person sees.
    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    errors: dict[int, dict[int, str]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    # First row, last row, column: cells that show the value of the first of them.
    merged: list[tuple[int, int, int]] = field(default_factory=list)

    def show(self, row: int, column: int, text: str) -> None:
        if text:
            self.texts.setdefault(row, {})[column] = text

    def fail(self, row: int, column: int, error: str) -> None:
        self.errors.setdefault(row, {})[column] = error


def says_zeros(number_format: str) -> bool:
    """Whether a number format decides which zeros a number begins with."""
    code = _plain(number_format)
    return code == AS_TEXT or (code.count("0") > 1 and _ZEROS.fullmatch(code) is not None)


def shown(value: str, number_format: str) -> str:
    """Return a whole number as a format of says_zeros() shows it; "" for another number."""
    if not _NUMBER.fullmatch(value):
        return ""
    digits, code = value.partition(".")[0], _plain(number_format)
    if code == AS_TEXT:
        return digits
    left, result = list(digits), list[str]()
    for sign in reversed(code):
        if sign == "0":
            result.append(left.pop() if left else "0")
        elif sign == "#":
            result.append(left.pop() if left else "")
        else:
            result.append(sign)
    return "".join(left) + "".join(reversed(result))


def _plain(number_format: str) -> str:
    """The part of a format for numbers above zero, without the signs that only quote."""
    first = number_format.partition(";")[0]
    return _LITERAL.sub(lambda match: (match[1] or match[2] or "").replace("@", " "), first).strip()
