"""Texts damaged before they came to us: read in a wrong encoding, or an error of a spreadsheet.

Pure. Such a name would be printed on a label for somebody who does not exist.
"""

import codecs
import re
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

from alliance.texts import has_unprintable, shortened

_CELL_ERROR: Final = re.compile(
    r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|SPILL!|CALC!|#+)", re.IGNORECASE
)
# A program writes a question mark for each character that its encoding lacks.
_LOST: Final = re.compile(r"\?\?")
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]{2}")


class TextFault(NamedTuple):
    """The code of what is wrong with a text, and its message."""

    code: str
    message: str


def fault_of(text: str) -> TextFault | None:
    """Return what is wrong with a text that people typed; None if nothing."""
    if text.isascii() and text.isprintable() and not ("?" in text or "#" in text):
        return None
    if has_unprintable(text):
        return TextFault("unprintable", _("Remove the characters that cannot be printed."))
    if _CELL_ERROR.fullmatch(text):
        return TextFault("cell_error", _("This is an error of a spreadsheet, not a value."))
    if meant := meant_by(text):
        message = _("This text was read in a wrong encoding. Did you mean “%(meant)s”?")
        return TextFault("garbled", message % {"meant": shortened(meant)})
    if _LOST.search(text):
        return TextFault("garbled", _("Question marks stand for characters that were lost."))
    return None


def meant_by(text: str) -> str:
    """Return what UTF-8 was that a program read in another encoding; empty if the text is none of that.

    JÃ¶rg is Jörg, æ¬§é˜³ and 娆ч槼 are 欧阳. Two characters that happen to be the bytes of another one are
    rare, but not impossible: of Chinese, two must come out.
    """
    if text.isascii():
        return ""
    western = _decoded(bytes(_western_bytes(text)))
    if western and not western.isascii():
        return western
    # The last character lost bytes, if the text had an odd number of them.
    chinese = _decoded(text.rstrip("?").encode("gb18030", "replace"), may_end_within=True)
    return chinese if _CHINESE.search(chinese) else ""


def _western_bytes(text: str) -> list[int]:
    """The bytes of a text that was read as cp1252 or Latin-1; none if it cannot have been."""
    values: list[int] = []
    for character in text:
        try:
            values += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return []
            values.append(ord(character))
    return values


def _decoded(raw: bytes, *, may_end_within: bool = False) -> str:
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, final=not may_end_within)
    except UnicodeDecodeError:
        return ""
