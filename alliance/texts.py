"""What people typed or pasted, without the characters that nobody sees. Pure functions."""

import re
import unicodedata
from typing import Final

# Control characters and lone surrogates (JSON can escape them, PostgreSQL cannot store them), characters that
# mean nothing outside one program, and the mark that stands for a character lost in a conversion.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufff9-\uffff\U000f0000-\U0010ffff]|锟斤拷"
)
# Zero-width characters, direction marks, variation selectors, and letters that are displayed as nothing.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
SHOWN: Final = 60


def one_line(text: str) -> str:
    """Return the text as one line of composed characters, without invisible ones."""
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def plain(text: str) -> str:
    """Like one_line(), with full-width letters, digits and signs as ASCII: for numbers and codes."""
    return one_line(text if text.isascii() else unicodedata.normalize("NFKC", text))


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text."""
    return not one_line(text)


def has_unprintable(text: str) -> bool:
    """Whether a text contains what cannot be stored, printed on a label or read."""
    return _UNPRINTABLE.search(text) is not None


def shortened(text: str, most: int = SHOWN) -> str:
    """Cut a text that is quoted in a message."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
