"""A manifest on paper: A4 upright, its barcode on top, a line a parcel, places to sign at the end."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from alliance import paper_fonts as fonts
from alliance.paper import FOOT, GREY, LINE, MARGIN, TINT, NumberedCanvas, fitting, lines_of, write
from parcels.labels.barcodes import bars, squares, stretches

WIDTH, HEIGHT = A4
ROW: Final = 6 * mm
# Modules of a Code 128 that a scanner of a warehouse reads from an arm's length.
_MODULE: Final = 0.33 * mm
_BARS: Final = 15 * mm
_SQUARE: Final = 30 * mm
_SIGNING: Final = 42 * mm
# Of a row: its number, what the parcel is, and a box to tick.
_WIDTHS: Final = (11, 40, 38, 33, 17, 30, 13)
_RIGHT: Final = frozenset({0, 4})
# Numbers are set smaller rather than cut.
_WHOLE: Final = frozenset({0, 1, 4})


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its rows; the last column is ticked by hand."""

    title: str
    rows: Iterable[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Paper:
    """What a manifest says, in the reader's language."""

    number: str
    address: str
    state: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[str]
    sections: Sequence[Section]
    total: Sequence[str]
    # What was not handed over, below the total.
    left: Sequence[Section]
    remarks: Sequence[tuple[str, str]]
    sides: tuple[tuple[str, str], tuple[str, str]]


def render(paper: Paper) -> bytes:
    """Draw a manifest and return the file."""
    out = io.BytesIO()
    canvas = NumberedCanvas(out, pagesize=A4, invariant=1)
    title = _("Manifest")
    canvas.entitle(f"{title} {paper.number}")
    _Drawing(canvas, paper).draw(title)
    canvas.save()
    return out.getvalue()


class _Drawing:
    """Draws downwards on the page, and continues on the next."""

    def __init__(self, canvas: NumberedCanvas, paper: Paper) -> None:
        self.canvas = canvas
        self.paper = paper
        self.y = HEIGHT - MARGIN

    def draw(self, title: str) -> None:
        self._head(title)
        self._facts()
        for section in self.paper.sections:
            self._section(section)
        self._row(self.paper.total, bold=True)
        for section in self.paper.left:
            self._section(section)
        for side, text in self.paper.remarks:
            self._remark(side, text)
        self._signing()
        self.canvas.showPage()

    def _head(self, title: str) -> None:
        paper, top = self.paper, self.y
        write(self.canvas, MARGIN, top - 7 * mm, title, size=18, bold=True)
        write(self.canvas, MARGIN, top - 13 * mm, paper.state, size=10, colour=GREY)
        self._bars(MARGIN, top - 18 * mm - _BARS)
        grouped = f"{paper.number[:2]} {paper.number[2:7]} {paper.number[7:]}"
        write(self.canvas, MARGIN, top - 23 * mm - _BARS, grouped, size=12, bold=True)
        self._square(WIDTH - MARGIN - _SQUARE, top)
        note = _("One scan picks all up")
        write(self.canvas, WIDTH - MARGIN, top - _SQUARE - 4 * mm, note, size=7.5, colour=GREY, right=True)
        self.y = top - 31 * mm - _BARS

    def _bars(self, x: float, y: float) -> None:
        self.canvas.setFillColor(black)
        for start, thickness in bars(self.paper.number):
            self.canvas.rect(x + start * _MODULE, y, thickness * _MODULE, _BARS, stroke=0, fill=1)

    def _square(self, x: float, top: float) -> None:
        rows = squares(self.paper.address)
        module = _SQUARE / len(rows)
        self.canvas.setFillColor(black)
        for number, row in enumerate(rows):
            y = top - (number + 1) * module
            for start, length in stretches(row):
                self.canvas.rect(x + start * module, y, length * module, module, stroke=0, fill=1)

    def _facts(self) -> None:
        half = (WIDTH - 2 * MARGIN) / 2
        facts = self.paper.facts
        for index, (label, value) in enumerate(facts):
            x = MARGIN + half * (index % 2)
            write(self.canvas, x, self.y, label, size=7.5, colour=GREY)
            # An address that is cut is none: it is set smaller first.
            space = half - 4 * mm
            size = max(6.5, min(10, 10 * space / max(fonts.width(value, 10), 1)))
            write(self.canvas, x, self.y - 4.6 * mm, fitting(value, space, size), size=size)
            if index % 2 or index == len(facts) - 1:
                self.y -= 10.5 * mm

    def _section(self, section: Section) -> None:
        self._room(4 * ROW)
        self.y -= 5 * mm
        write(self.canvas, MARGIN, self.y, section.title, size=11, bold=True)
        self.y -= 2 * mm
        self._heading()
        for row in section.rows:
            if self._room(ROW):
                self._heading()
            self._row(row)

    def _heading(self) -> None:
        self.canvas.setFillColor(TINT)
        self.canvas.rect(MARGIN, self.y - ROW, WIDTH - 2 * MARGIN, ROW, stroke=0, fill=1)
        self._row(self.paper.columns, colour=GREY, box=False)

    def _row(
        self, row: Sequence[str], *, bold: bool = False, colour: HexColor = None, box: bool = True
    ) -> None:
        if bold:
            self._room(ROW)
        self.y -= ROW
        x = MARGIN
        for place, (width, value) in enumerate(zip(_WIDTHS, row, strict=True)):
            space, size, text = width * mm - 2 * mm, 8.0, value
            if place in _WHOLE:
                size *= min(1, space / max(fonts.width(value, size, bold=bold), 1))
            else:
                text = fitting(value, space, size, bold=bold)
            text_x = x + width * mm - 2 * mm if place in _RIGHT else x + 1 * mm
            write(self.canvas, text_x, self.y + 2 * mm, text, size=size, bold=bold, colour=colour,
                  right=place in _RIGHT)  # fmt: skip
            x += width * mm
        self.canvas.setStrokeColor(LINE)
        self.canvas.setLineWidth(0.3)
        self.canvas.line(MARGIN, self.y, WIDTH - MARGIN, self.y)
        if box and not bold:
            self.canvas.setStrokeColor(GREY)
            self.canvas.rect(x - 8 * mm, self.y + 1.2 * mm, 3.6 * mm, 3.6 * mm, stroke=1, fill=0)

    def _remark(self, side: str, text: str) -> None:
        self._room(3 * ROW)
        self.y -= 7 * mm
        write(self.canvas, MARGIN, self.y, side, size=7.5, colour=GREY)
        for line in lines_of(text, WIDTH - 2 * MARGIN, 9):
            self._room(ROW)
            self.y -= 4.8 * mm
            write(self.canvas, MARGIN, self.y, line, size=9)

    def _signing(self) -> None:
        """Both sides sign below one another's counts; never apart from each other."""
        self._room(_SIGNING)
        half = (WIDTH - 2 * MARGIN) / 2
        top = self.y - 10 * mm
        for index, (side, name) in enumerate(self.paper.sides):
            x = MARGIN + half * index
            write(self.canvas, x, top, side, size=7.5, colour=GREY)
            write(
                self.canvas, x, top - 5 * mm, fitting(name, half - 8 * mm, 10, bold=True), size=10, bold=True
            )
            for place, words in enumerate((_("Parcels"), _("Name and signature"), _("Date and time"))):
                y = top - (14 + 8 * place) * mm
                write(self.canvas, x, y, words, size=8, colour=GREY)
                self.canvas.setStrokeColor(GREY)
                self.canvas.setLineWidth(0.4)
                self.canvas.line(x + 30 * mm, y - 1 * mm, x + half - 8 * mm, y - 1 * mm)
        self.y = top - 32 * mm

    def _room(self, height: float) -> bool:
        """Start the next page if there is no room; return whether it did."""
        if self.y - height >= FOOT:
            return False
        self.canvas.showPage()
        self.y = HEIGHT - MARGIN
        return True
