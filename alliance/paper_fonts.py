"""The typefaces of a PDF, and which one sets each character. A file embeds what it uses of them.

Latin, Greek, Cyrillic and Arabic letters are set in Noto Sans, Chinese and Japanese in its pieces of a
hundred characters each, all else in Unifont. `build_assets` makes the files. A character that none of them
has is shown by its number, such as U+20000.
"""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Final

from django.conf import settings
from reportlab import rl_config
from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.pdfbase.ttfonts import TTFont

from alliance.paper_scripts import drawn, plain_letters

# The letters of cp1252, where Noto Sans was not unpacked.
_LATIN, _LATIN_BOLD = "Helvetica", "Helvetica-Bold"
_REGULAR, _BOLD = 400, 700
_FOLDER: Final = "build/fonts"
_PIECES: Final = "pieces.json"
_OTHERS: Final = "unifontex.ttf"


def runs(text: str, *, bold: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the text, as it is drawn from left to right, in runs of one typeface."""
    named = (_named(character, bold) for character in drawn(unicodedata.normalize("NFC", text)))
    for font, run in groupby(named, key=lambda item: item[0]):
        yield font, "".join(piece for _font, piece in run)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in points."""
    return sum(float(pdfmetrics.stringWidth(piece, font, size)) for font, piece in runs(text, bold=bold))


def advances(text: str, *, bold: bool = False) -> list[float]:
    """Return how wide each character is, as a part of the size."""
    return [_advance(character, bold) for character in text]


def file_of(font: str) -> Path | None:
    """Return the file of a typeface; None for one that is embedded nowhere, as every viewer has it."""
    path: str | None = getattr(getattr(pdfmetrics.getFont(font), "face", None), "filename", None)
    return Path(path) if path else None


def is_bold(font: str) -> bool:
    """Whether a typeface is bold by itself: Chinese and rare ones come in one weight."""
    return font == _LATIN_BOLD or font.endswith(f"-{_BOLD}")


@cache
def _advance(character: str, bold: bool) -> float:
    font, shown = _named(character, bold)
    return float(pdfmetrics.stringWidth(shown, font, 1))


@cache
def _named(character: str, bold: bool) -> tuple[str, str]:
    """Return the typeface of a character, and what it is shown as."""
    code = ord(character)
    if font := _embedded(bold).get(code):
        return font, character
    if _is_western(character):
        return _LATIN_BOLD if bold else _LATIN, character
    if font := _pieces().get(character):
        return _registered(f"pieces/{font}"), character
    if character.isprintable() and code in _others():
        return _registered(_OTHERS), character
    return _embedded(bold).get(ord("U")) or _LATIN, f"U+{code:04X}"


def _is_western(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return character.isprintable()


@cache
def _embedded(bold: bool) -> dict[int, str]:
    """Return the typeface of each character of Noto Sans, which comes in a file for each script."""
    fonts: dict[int, str] = {}
    weight = _BOLD if bold else _REGULAR
    files = _folder().glob(f"*-{weight}.ttf")
    # Latin first: other scripts' files have spaces and digits as well.
    for path in sorted(files, key=lambda path: ("latin" not in path.stem, len(path.stem), path.stem)):
        name = _registered(path.name)
        characters = pdfmetrics.getFont(name).face.charToGlyph
        fonts |= {code: name for code in characters if chr(code).isprintable()} | fonts
    return fonts


@cache
def _pieces() -> dict[str, str]:
    """The file of each Chinese and Japanese character."""
    path = _folder() / _PIECES
    pieces: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {character: name for name, characters in pieces.items() for character in characters}


@cache
def _others() -> frozenset[int]:
    if not (_folder() / _OTHERS).is_file():
        return frozenset()
    return frozenset(pdfmetrics.getFont(_registered(_OTHERS)).face.charToGlyph)


@cache
def _registered(file: str) -> str:
    path = _folder() / file
    font = TTFont(path.stem, str(path))
    # All files bear one name inside, by which reportlab would take them for one typeface.
    font.face.name = path.stem.encode()
    pdfmetrics.registerFont(font)
    return path.stem


def _folder() -> Path:
    return Path(settings.BASE_DIR) / _FOLDER


def _unicode_map(name: str, subset: Sequence[int]) -> str:
    """Say which text the characters of a typeface are, for who copies or searches it.

    In place of reportlab's, which writes characters beyond the basic plane as no viewer reads them, and the
    forms of Arabic letters as characters that nobody types.
    """
    entries = [
        f"<{place:02X}> <{plain_letters(chr(code)).encode('utf-16-be').hex().upper()}>"
        for place, code in enumerate(subset)
    ]
    lines = [
        "/CIDInit /ProcSet findresource begin", "12 dict begin", "begincmap", "/CIDSystemInfo",
        f"<< /Registry ({name})", f"/Ordering ({name})", "/Supplement 0", ">> def", f"/CMapName /{name} def",
        "/CMapType 2 def", "1 begincodespacerange", f"<00> <{len(subset) - 1:02X}>", "endcodespacerange",
        f"{len(entries)} beginbfchar", *entries, "endbfchar", "endcmap",
        "CMapName currentdict /CMap defineresource pop", "end", "end",
    ]  # fmt: skip
    return "\n".join(lines)


ttfonts.makeToUnicodeCMap = _unicode_map
# Streams as bytes, not as text: PDFs go through no channel of seven bits, and writing text takes long.
rl_config.useA85 = 0
