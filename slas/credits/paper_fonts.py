"""The typefaces of a PDF, and which one sets each character.

Latin, Greek and Cyrillic letters are set in Noto Sans, of which a file embeds what it uses; `build_assets`
unpacks it. Chinese is set in STSong-Light, which PDF viewers bring along: it is named in the file, not
embedded, and has the characters of GBK. A character that neither has is shown by its number, such as U+1F35C.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Final

from django.conf import settings
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

# The letters of cp1252, where Noto Sans was not unpacked.
_LATIN, _LATIN_BOLD = "Helvetica", "Helvetica-Bold"
_CHINESE: Final = "STSong-Light"
_FOLDER: Final = "build/fonts"


def runs(text: str, *, bold: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the text in runs of one typeface."""
    named = (_named(character, bold) for character in unicodedata.normalize("NFC", text))
    for font, run in groupby(named, key=lambda item: item[0]):
        yield font, "".join(piece for _font, piece in run)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in points."""
    return sum(float(pdfmetrics.stringWidth(piece, font, size)) for font, piece in runs(text, bold=bold))


@cache
def _named(character: str, bold: bool) -> tuple[str, str]:
    """Return the typeface of a character, and what it is shown as."""
    if font := _embedded(bold).get(ord(character)):
        return font, character
    if _has(character, "cp1252"):
        return _LATIN_BOLD if bold else _LATIN, character
    if _has(character, "gbk"):
        return _chinese(), character
    code = f"U+{ord(character):04X}"
    return _embedded(bold).get(ord("U")) or _LATIN, code


def _has(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return character.isprintable()


@cache
def _embedded(bold: bool) -> dict[int, str]:
    """Return the typeface of each character of Noto Sans, which comes in a file for each script."""
    fonts: dict[int, str] = {}
    weight = 700 if bold else 400
    files = (settings.BASE_DIR / _FOLDER).glob(f"*-{weight}.ttf")
    # Latin first: other scripts' files have spaces and digits as well.
    for path in sorted(files, key=lambda path: ("latin" not in path.stem, len(path.stem), path.stem)):
        font = TTFont(path.stem, str(path))
        # All files bear one name inside, by which reportlab would take them for one typeface.
        font.face.name = path.stem.encode()
        pdfmetrics.registerFont(font)
        fonts |= {code: path.stem for code in font.face.charToGlyph if chr(code).isprintable()} | fonts
    return fonts


@cache
def _chinese() -> str:
    pdfmetrics.registerFont(UnicodeCIDFont(_CHINESE))
    return _CHINESE
