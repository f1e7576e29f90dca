"""Labels as PDF: a page each, in vectors, with the characters that are used of each typeface."""

import io
from collections.abc import Iterable, Iterator
from typing import Final

from reportlab.lib.colors import black, white
from reportlab.pdfgen.canvas import Canvas

from alliance import paper_fonts
from parcels.labels.barcodes import bars, squares, stretches
from parcels.labels.layout import BAR_DOTS, MODULES, QUIET, Bars, Box, Item, Layout, Rule, Square, Text
from parcels.labels.rules import DOTS, Label
from parcels.labels.typesetting import LEADING, POINTS, Line

_FRAME: Final = "frame"
# How thick the outline of a character is that a typeface has in one weight only, as a part of its size.
_STROKE: Final = 0.035


def render(labels: Iterable[Label], layout: Layout) -> bytes:
    """Draw labels and return the file."""
    return b"".join(render_parts(labels, layout))


def render_parts(labels: Iterable[Label], layout: Layout) -> Iterator[bytes]:
    """Draw labels; yield nothing for each but the last, and then the file: so its progress can be told."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(layout.width * POINTS, layout.height * POINTS), invariant=1)
    canvas.setTitle("Labels")
    canvas.setAuthor("Courier Alliance")
    canvas.setCreator("Courier Alliance")
    pages = _Pages(canvas, layout)
    for count, label in enumerate(labels):
        if count:
            yield b""
        pages.add(label)
    canvas.save()
    yield out.getvalue()


class _Pages:
    """Draws label after label; what is alike on all of them is in the file once."""

    def __init__(self, canvas: Canvas, layout: Layout) -> None:
        self.canvas = canvas
        self._layout = layout
        self._top = layout.height * POINTS
        canvas.beginForm(_FRAME, upperx=layout.width * POINTS, uppery=self._top)
        self._draw(layout.frame())
        canvas.endForm()

    def add(self, label: Label) -> None:
        self.canvas.doForm(_FRAME)
        self._draw(self._layout.label(label))
        self.canvas.showPage()

    def _draw(self, items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case Text():
                    self._text(item)
                case Rule():
                    self._fill(item.box)
                case Bars():
                    self._bars(item)
                case Square():
                    self._square(item)

    def _text(self, item: Text) -> None:
        x, y, width, height = (part * POINTS for part in item.box)
        if item.is_inverse:
            self._fill(item.box)
        self.canvas.saveState()
        if any(line.has_marks for line in item.setting.lines):
            self._clip(item.box)
        size, lines = item.setting.size, item.setting.lines
        baseline = self._top - y - item.baseline(size, height)
        self.canvas.setFillColor(white if item.is_inverse else black)
        self.canvas.setStrokeColor(white if item.is_inverse else black)
        for number, line in enumerate(lines):
            fitting = min(size, width / line.width) if line.width else size
            spare = width - line.width * fitting
            left = {"left": 0.0, "centre": spare / 2, "right": spare}[item.align]
            self._line(line, x + left, baseline - number * size * LEADING, fitting, item.bold)
        self.canvas.restoreState()

    def _clip(self, box: Box) -> None:
        x, y, width, height = (part * POINTS for part in box)
        path = self.canvas.beginPath()
        path.rect(x, self._top - y - height, width, height)
        self.canvas.clipPath(path, stroke=0, fill=0)

    def _line(self, line: Line, x: float, y: float, size: float, bold: bool) -> None:
        # One object, so that a name in several typefaces is copied in one piece.
        text = self.canvas.beginText(x, y)
        for font, piece in line.runs:
            text.setFont(font, size)
            if bold:
                is_outlined = not paper_fonts.is_bold(font)
                text.setTextRenderMode(2 if is_outlined else 0)
                if is_outlined:
                    self.canvas.setLineWidth(size * _STROKE)
            text.textOut(piece)
        if bold:
            text.setTextRenderMode(0)
        self.canvas.drawText(text)

    def _fill(self, box: Box) -> None:
        x, y, width, height = (part * POINTS for part in box)
        self.canvas.setFillColor(black)
        self.canvas.rect(x, self._top - y - height, width, height, stroke=0, fill=1)

    def _bars(self, item: Bars) -> None:
        # In whole dots of the most common printer.
        module = BAR_DOTS[self._layout.size, 203] / DOTS[203] * POINTS
        x, y, width, height = (part * POINTS for part in item.box)
        left = x + (width - MODULES * module) / 2
        rectangles = (f"{start} 0 {thickness} 1 re" for start, thickness in bars(item.number))
        self._rectangles(rectangles, left, self._top - y - height, module, height)

    def _square(self, item: Square) -> None:
        rows = squares(item.address)
        x, y, width, _height = (part * POINTS for part in item.box)
        module = width / (len(rows) + 2 * QUIET)
        rectangles = (
            f"{start} {number} {length} 1 re"
            for number, row in enumerate(rows)
            for start, length in stretches(row)
        )
        self._rectangles(rectangles, x + QUIET * module, self._top - y - QUIET * module, module, -module)

    def _rectangles(self, those: Iterable[str], x: float, y: float, width: float, height: float) -> None:
        """Fill rectangles given in modules, as operators: a path of reportlab's takes ten times as long."""
        self.canvas.saveState()
        self.canvas.setFillColor(black)
        self.canvas.translate(x, y)
        self.canvas.scale(width, height)
        self.canvas.addLiteral(" ".join(those) + " f")
        self.canvas.restoreState()
