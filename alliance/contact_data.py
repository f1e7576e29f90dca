"""Find and mask phone numbers and e-mail addresses in text that people typed. Pure functions."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

HIDDEN: Final = "***"
# Seven digits are the shortest number that can be dialled. What stands between two of them is no letter and
# no digit: spaces, dashes, dots, brackets, invisible characters.
_PHONE: Final = re.compile(r"\d(?:_{0,6}\d){6,}")
_EMAIL: Final = re.compile(r"[\w.+\-]+[@＠][\w\-]+(?:[.．][\w\-]+)+")
# A date, or a moment of RFC 3339: as many digits as a phone number.
_MOMENT: Final = re.compile(
    r"\b20\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| ?[+-]\d\d:?\d\d)?)?(?!\d)"
)


def has_contact_data(text: str) -> bool:
    """Whether a text contains a phone number or an e-mail address."""
    return next(_places(text), None) is not None


def mask_contact_data(text: str) -> str:
    """Return the text with *** instead of each phone number and e-mail address in it.

    Digits of every script count, and Chinese numerals: 一三八 is 138.
    """
    end, parts = 0, []
    for start, stop in sorted(_places(text)):
        if start >= end:
            parts += [text[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _places(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        yield match.span()
    without_moments = _MOMENT.sub(lambda match: "a" * len(match[0]), text)
    for match in _PHONE.finditer("".join(map(_folded, without_moments))):
        yield match.span()


def _folded(character: str) -> str:
    """One character for one: an ASCII digit, `a` for a letter, `_` for anything else."""
    value = unicodedata.numeric(character, -1.0)
    if value in range(10):
        return str(int(value))
    return "a" if character.isalpha() else "_"
