"""Fit texts of any length and script into boxes: smaller letters first, then more lines, then an ellipsis."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from alliance import paper_fonts

# Points a millimetre, and the distance of two lines as a part of the size.
POINTS: Final = 72 / 25.4
LEADING: Final = 1.24
# The height of a capital letter: by it a line is centred in its box.
CAPITAL: Final = 0.714
# How far letters reach above and below their line, as parts of the size, measured in our typefaces: capitals
# and digits, other Latin letters, Chinese ones, and whatever else there is.
_FLAT: Final = (0.76, 0.02)
_LATIN: Final = (0.77, 0.24)
_WIDE: Final = (0.88, 0.17)
_OTHERS: Final = (1.06, 0.25)
_FLAT_LETTERS: Final = re.compile(r"""[A-IK-PR-Z0-9 .:*#&+/%!?'"=<>~^\u2000-\u206f\u00b7-]*""")
_STEP: Final = 0.5
_ELLIPSIS: Final = "…"
_NO_LETTER: Final = "◌"
# No line of a label holds as many: nothing is gained by measuring more.
_MOST_CHARACTERS: Final = 400


class Run(NamedTuple):
    """Characters of one typeface, in the order in which they are drawn."""

    font: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text as it is drawn, and how wide it is at a size of 1."""

    runs: tuple[Run, ...]
    width: float
    # A mark is drawn over the letter before it: without one, beside its line.
    has_marks: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A text as it fits its box: lines of one size, in points."""

    size: float
    lines: tuple[Line, ...]
    # How far its letters may reach above their line and below it, as parts of the size.
    rise: float = CAPITAL
    depth: float = 0.0


class Typesetter:
    """Sets texts, and remembers what it has set: labels of one file repeat most of their texts.

    One a file, so that what a label said of somebody is forgotten with it.
    """

    def __init__(self) -> None:
        self._set: dict[tuple[object, ...], Setting] = {}

    def fit(
        self, text: str, *, width: float, height: float, sizes: tuple[float, float], bold: bool, lines: int
    ) -> Setting:
        """Return a text set into a box (in points), as large as it fits between two sizes."""
        key = (text, width, height, sizes, bold, lines)
        if key not in self._set:
            shown = _with_letters(_without_frames(text[:_MOST_CHARACTERS]))
            self._set[key] = _fitted(shown, width, height, sizes, bold, lines)
        return self._set[key]


def _fitted(
    text: str, width: float, height: float, sizes: tuple[float, float], bold: bool, lines: int
) -> Setting:
    most, least = sizes
    advances = paper_fonts.advances(text, bold=bold)
    total, size = sum(advances), most
    rise, depth = _reach(text)
    while True:
        allowed = min(lines, int((height / size - rise - depth) / LEADING + 1))
        # Lines that cannot hold it are not tried.
        if total * size <= width * allowed:
            wrapped = list(_wrapped(text, advances, width / size))
            if len(wrapped) <= allowed:
                break
        if size <= least:
            wrapped = _cut(list(_wrapped(text, advances, width / size)), max(allowed, 1), width / size, bold)
            break
        size = max(least, size - _STEP)
    return Setting(size, tuple(_line(piece, bold) for piece in wrapped), rise, depth)


def _reach(text: str) -> tuple[float, float]:
    """How far the letters of a text may reach above and below their line, as parts of the size."""
    if _FLAT_LETTERS.fullmatch(text):
        return _FLAT
    kinds = {
        _LATIN if one.isascii() else _WIDE if _is_wide(one) else _OTHERS
        for one in _FLAT_LETTERS.sub("", text)
    }
    return max(rise for rise, _depth in kinds), max(depth for _rise, depth in kinds)


def _without_frames(text: str) -> str:
    """A text without marks that enclose the letter before: they are wider than it, and leave the box."""
    if text.isascii():
        return text
    return "".join(character for character in text if unicodedata.category(character) != "Me")


def _with_letters(text: str) -> str:
    """A text in which each mark has a letter to stand over, if need be the circle that Unicode has for it.

    Without one, a mark at the beginning of a line is drawn left of it, off the label.
    """
    if text.isascii():
        return text
    shown: list[str] = []
    for character in text:
        is_alone = not shown or shown[-1].isspace()
        shown.append(
            _NO_LETTER + character if is_alone and unicodedata.category(character)[0] == "M" else character
        )
    return "".join(shown)


def _line(text: str, bold: bool) -> Line:
    runs = tuple(Run(font, piece) for font, piece in paper_fonts.runs(text, bold=bold))
    has_marks = not text.isascii() and any(unicodedata.category(each)[0] == "M" for each in text)
    return Line(runs, paper_fonts.width(text, 1, bold=bold), has_marks)


def _wrapped(text: str, advances: list[float], width: float) -> Iterator[str]:
    """Break a text at spaces and around Chinese characters; a word that is too long, anywhere."""
    start, used, breakable = 0, 0.0, 0
    for place, character in enumerate(text):
        if place > start and (character == " " or _is_wide(character) or _is_wide(text[place - 1])):
            breakable = place
        if used + advances[place] > width and place > start and character != " ":
            end = breakable if breakable > start else place
            yield text[start:end].strip()
            start = end + (text[end] == " ")
            used = sum(advances[start:place])
        used += advances[place]
    yield text[start:].strip()


def _is_wide(character: str) -> bool:
    return character >= "\u2e80"


def _cut(lines: list[str], allowed: int, width: float, bold: bool) -> list[str]:
    """The first lines, the last of them with an ellipsis where the rest is left out."""
    if len(lines) <= allowed:
        return lines
    last = lines[allowed - 1]
    while last and paper_fonts.width(last + _ELLIPSIS, 1, bold=bold) > width:
        last = last[:-1]
    return [*lines[: allowed - 1], last.rstrip() + _ELLIPSIS]
