"""Keys for comparing names of cities, and the format of the search text of a row."""

import re
import unicodedata
from typing import Final

# TERM separates the terms of a search text; WITHIN precedes a term that belongs to a city without naming it.
TERM: Final = "|"
WITHIN: Final = "~"

_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_NON_SPACING: Final = "Mn"


def search_key(text: str) -> str:
    """Return the letters and digits of a name without case, accents and spaces, for comparing spellings.

    Full-width characters become plain ones.
    """
    if text.isascii():
        return _NOT_LETTERS.sub("", text).lower()
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in apart if unicodedata.category(character) != _NON_SPACING)
    return _NOT_LETTERS.sub("", bare).casefold()
