"""How names of cities are compared, and how a row of the table holds them to be searched."""

import re
import unicodedata
from typing import Final

# Between the terms of a row's search text; before a term that belongs to a city but does not name it.
TERM: Final = "|"
WITHIN: Final = "~"

_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_NON_SPACING: Final = "Mn"


def search_key(text: str) -> str:
    """What two spellings of one name have in common: letters and digits, without case, accents and spaces.

    Full-width characters count as the plain ones.
    """
    if text.isascii():
        return _NOT_LETTERS.sub("", text).lower()
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in apart if unicodedata.category(character) != _NON_SPACING)
    return _NOT_LETTERS.sub("", bare).casefold()
