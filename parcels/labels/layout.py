"""Where everything is on a label: one layout, drawn as PDF, as ZPL and as a picture.

Places are in millimetres from the top left corner. From top to bottom: courier and tier, the sort code in the
largest letters, the promised hour, the barcode, the recipient, and the sender beside the QR code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from parcels.choices import LabelSize
from parcels.labels.rules import MILLIMETRES, Label, grouped
from parcels.labels.texts import RETURN, TEST, Words
from parcels.labels.typesetting import CAPITAL, LEADING, POINTS, Setting, Typesetter

Align = Literal["left", "centre", "right"]
# The narrowest bar in dots of a printer; the code has 211 of them, and ten of quiet on both sides.
BAR_DOTS: Final = {
    (LabelSize.NARROW, 203): 2,
    (LabelSize.NARROW, 300): 3,
    (LabelSize.WIDE, 203): 3,
    (LabelSize.WIDE, 300): 4,
}
MODULES: Final = (16 + 2) * 11 + 13
QUIET: Final = 4
_TALL: Final = 130.0


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text in its box, between top and bottom or at the top; `is_inverse` is white on black."""

    box: Box
    setting: Setting
    align: Align = "left"
    bold: bool = False
    is_inverse: bool = False
    is_at_top: bool = False

    def baseline(self, size: float, height: float) -> float:
        """How far below the top of its box the first line stands, in the unit of size and height."""
        # Capitals are centred, whatever the number of lines, as far as no letter leaves the box.
        below = size * LEADING * (len(self.setting.lines) - 1)
        spare = size * (LEADING - 1) if self.is_at_top else (height - size * CAPITAL - below) / 2
        highest, lowest = size * self.setting.rise, height - below - size * self.setting.depth
        return (
            max(min(spare + size * CAPITAL, lowest), highest) if highest <= lowest else (highest + lowest) / 2
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A black line."""

    box: Box


@dataclass(frozen=True, slots=True)
class Bars:
    """The Code 128 of the tracking number, centred in its box."""

    box: Box
    number: str


@dataclass(frozen=True, slots=True)
class Square:
    """The QR code of an address, with its quiet zone inside the box."""

    box: Box
    address: str


Item = Text | Rule | Bars | Square


class Layout:
    """The layout of labels of one size in one language, for one file."""

    def __init__(self, size: LabelSize, words: Words, setter: Typesetter | None = None) -> None:
        self.size = size
        self.width, self.height = MILLIMETRES[size]
        self._words = words
        self._setter = setter or Typesetter()
        # The wider label is taller as well: all in proportion.
        self._scale = self.height / _TALL
        self._margin = 3.0 * self._scale
        self._inner = self.width - 2 * self._margin

    def frame(self) -> Iterator[Item]:
        """What is alike on every label: lines and captions."""
        words = self._words
        for y in (13.2, 32.0, 45.0, 70.6, 98.4):
            yield Rule(Box(self._margin, y * self._scale, self._inner, 0.35 * self._scale))
        yield self._caption(words.deliver_by, 0, 32.9, 1)
        yield self._caption(words.recipient, 0, 71.6, 1)
        yield self._caption(words.sender, 0, 99.4, 0.6)
        yield self._caption(words.reference, 0, 112.0, 0.6)

    def label(self, label: Label) -> Iterator[Item]:
        """What differs from label to label."""
        yield from self._head(label)
        yield from self._sorting(label)
        yield from self._promise(label)
        yield Bars(self._box(0, 46.4, 1, 17.0), label.number)
        yield self._text(grouped(label.number), (0, 64.2, 1, 5.6), (12, 8), bold=True, align="centre")
        yield from self._recipient(label)
        yield from self._foot(label)

    def _head(self, label: Label) -> Iterator[Item]:
        banner = TEST if label.is_test else RETURN if label.is_return else ""
        if banner:
            yield self._text(label.courier, (0, 3.2, 0.60, 4.2), (12, 6.5), bold=True)
            yield self._text(banner, (0, 7.8, 0.60, 4.8), (12, 8), bold=True, align="centre", inverse=True)
        else:
            yield self._text(label.courier, (0, 3.2, 0.60, 9.2), (15, 7.5), bold=True, lines=2)
        yield self._text(label.tier, (0.64, 3.2, 0.36, 9.2), (15, 7), bold=True, align="centre", inverse=True)

    def _sorting(self, label: Label) -> Iterator[Item]:
        there, here = label.destination, label.origin
        yield self._text(there.code, (0, 13.6, 0.59, 18.3), (48, 14), bold=True)
        yield self._text(there.name, (0.61, 14.2, 0.39, 7.4), (17, 8), bold=True, align="right", lines=2)
        if there.other_name:
            yield self._text(there.other_name, (0.61, 21.8, 0.39, 4.2), (9.5, 6.5), align="right")
        origin = f"{self._words.origin} {here.code} {here.name}"
        yield self._text(origin, (0.61, 26.6, 0.39, 4.4), (9, 6), align="right")

    def _promise(self, label: Label) -> Iterator[Item]:
        yield self._text(label.zone, (0.4, 32.9, 0.6, 3.2), (7, 6), align="right")
        yield self._text(label.hour, (0, 36.4, 1, 8.0), (21, 11), bold=True)

    def _recipient(self, label: Label) -> Iterator[Item]:
        yield self._text(label.recipient, (0, 74.8, 0.58, 7.0), (15, 8), bold=True, lines=2)
        yield self._text(label.phone, (0.6, 74.8, 0.4, 7.0), (13, 7), bold=True, align="right")
        yield self._text(label.recipient_address, (0, 82.6, 1, 15.1), (12, 7), lines=5, top=True)

    def _foot(self, label: Label) -> Iterator[Item]:
        side = 27.4 * self._scale
        # The QR code takes the right corner, at the same size whatever stands beside it.
        yield Square(Box(self.width - self._margin - side, 99.4 * self._scale, side, side), label.address)
        yield self._text(label.sender, (0, 102.4, 0.58, 8.6), (10.5, 7), bold=True, lines=2)
        yield self._text(label.reference, (0, 115.0, 0.58, 5.4), (10.5, 6.5), bold=True, lines=2)
        yield self._text(f"{label.n} / {label.m}", (0, 121.4, 0.2, 5.6), (15, 8), bold=True)
        if label.has_declared_value:
            box = (0.42, 121.2, 0.16, 5.8)
            yield self._text(self._words.declared, box, (11, 6), bold=True, align="centre", inverse=True)
        if label.is_reprint:
            box = (0.22, 121.2, 0.18 if label.has_declared_value else 0.36, 5.8)
            yield self._text(self._words.reprint, box, (11, 6.5), bold=True, align="centre", inverse=True)

    def _caption(self, text: str, x: float, y: float, width: float) -> Text:
        return self._text(text, (x, y, width, 3.0), (7, 6))

    def _box(self, x: float, y: float, width: float, height: float) -> Box:
        """A box between the margins: across in parts of the width, down in millimetres of the small label."""
        scale = self._scale
        return Box(self._margin + x * self._inner, y * scale, width * self._inner, height * scale)

    def _text(
        self, text: str, place: tuple[float, float, float, float], sizes: tuple[float, float],
        *, bold: bool = False, align: Align = "left", lines: int = 1, inverse: bool = False,
        top: bool = False,
    ) -> Text:  # fmt: skip
        box = self._box(*place)
        inside = box.width - (2.0 if inverse else 0.0)
        setting = self._setter.fit(
            text,
            width=inside * POINTS,
            height=box.height * POINTS,
            sizes=(sizes[0] * self._scale, sizes[1] * self._scale),
            bold=bold,
            lines=lines,
        )
        return Text(box, setting, align, bold, inverse, top)
