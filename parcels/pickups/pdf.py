"""A courier's round of a day on paper: A4 upright, a stop after the other, each with a box to tick off."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from alliance.paper import FOOT, GREY, LINE, MARGIN, TINT, NumberedCanvas, lines_of, write

WIDTH, HEIGHT = A4
_HEADING: Final = 6 * mm
# Between the lines of a stop, and above and below them.
_LEADING: Final = 4.4 * mm
_PADDING: Final = 2 * mm
_BOX: Final = 4 * mm
# Of a stop: its box, the window, the address, the contact, how much it is.
_WIDTHS: Final = (9, 25, 84, 40, 24)


class Line(NamedTuple):
    """What is said of a stop, broken into lines where it is long: an address that is cut is none."""

    text: str
    size: float = 8.5
    bold: bool = False
    grey: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop: below the heading of each column, its lines."""

    window: Sequence[Line]
    address: Sequence[Line]
    contact: Sequence[Line]
    load: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Paper:
    """What the paper of a round says, in the reader's language."""

    title: str
    subtitle: str
    sums: str
    columns: Sequence[str]
    stops: Sequence[Stop]
    # Below the stops.
    note: str = ""


def render(paper: Paper) -> bytes:
    """Draw a round and return the file."""
    out = io.BytesIO()
    canvas = NumberedCanvas(out, pagesize=A4, invariant=1)
    canvas.entitle(f"{paper.title} · {paper.subtitle}")
    _Drawing(canvas, paper).draw()
    canvas.save()
    return out.getvalue()


class _Drawing:
    """Draws downwards on the page, and continues on the next; a stop is on one page."""

    def __init__(self, canvas: NumberedCanvas, paper: Paper) -> None:
        self.canvas = canvas
        self.paper = paper
        self.y = HEIGHT - MARGIN

    def draw(self) -> None:
        paper = self.paper
        self.y -= 6 * mm
        write(self.canvas, MARGIN, self.y, paper.title, size=18, bold=True)
        for line in lines_of(paper.subtitle, WIDTH - 2 * MARGIN, 11):
            self.y -= 6 * mm
            write(self.canvas, MARGIN, self.y, line, size=11)
        self.y -= 6 * mm
        write(self.canvas, MARGIN, self.y, paper.sums, size=9.5, colour=GREY)
        self.y -= 4 * mm
        self._heading()
        for stop in paper.stops:
            self._stop(stop)
        if paper.note or not paper.stops:
            self.y -= 6 * mm
            text = paper.note or _("Nothing is agreed for this day")
            write(self.canvas, MARGIN, self.y, text, size=9, colour=GREY)
        self.canvas.showPage()

    def _heading(self) -> None:
        self.canvas.setFillColor(TINT)
        self.canvas.rect(MARGIN, self.y - _HEADING, WIDTH - 2 * MARGIN, _HEADING, stroke=0, fill=1)
        x = MARGIN
        for width, name in zip(_WIDTHS, ("", *self.paper.columns), strict=True):
            write(self.canvas, x + 1 * mm, self.y - 4 * mm, name, size=8, colour=GREY)
            x += width * mm
        self.y -= _HEADING

    def _stop(self, stop: Stop) -> None:
        cells = [
            [
                part._replace(text=text)
                for part in lines
                for text in lines_of(part.text, width * mm - 3 * mm, part.size, bold=part.bold)
            ]
            for width, lines in zip(
                _WIDTHS[1:], (stop.window, stop.address, stop.contact, stop.load), strict=True
            )
        ]
        height = max(len(cell) for cell in cells) * _LEADING + 2 * _PADDING
        if self.y - height < FOOT:
            self.canvas.showPage()
            self.y = HEIGHT - MARGIN
            self._heading()
        top, x = self.y - _PADDING, MARGIN
        self.canvas.setStrokeColor(GREY)
        self.canvas.setLineWidth(0.5)
        self.canvas.rect(x + 1.5 * mm, top - _BOX, _BOX, _BOX, stroke=1, fill=0)
        for width, cell in zip(_WIDTHS, ([], *cells), strict=True):
            for number, line in enumerate(cell, 1):
                y = top - number * _LEADING + 1.1 * mm
                write(self.canvas, x + 1 * mm, y, line.text, size=line.size, bold=line.bold,
                      colour=GREY if line.grey else None)  # fmt: skip
            x += width * mm
        self.y -= height
        self.canvas.setStrokeColor(LINE)
        self.canvas.setLineWidth(0.3)
        self.canvas.line(MARGIN, self.y, WIDTH - MARGIN, self.y)
