"""A statement as PDF: A4 landscape, a summary on top, one line per entry, page numbers."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from alliance import paper_fonts as fonts

SIZE = landscape(A4)
WIDTH, HEIGHT = SIZE
MARGIN: Final = 14 * mm
ROW: Final = 5.2 * mm
FOOT: Final = 16 * mm
# Below a table.
_GAP: Final = 3 * mm
_INK, _GREY = HexColor("#1b2430"), HexColor("#5f6b7a")
_LINE, _TINT = HexColor("#d8dde3"), HexColor("#f4f6f8")


class Column(NamedTuple):
    """A column of a table: its heading, its width in mm, and whether it holds numbers.

    A value too long for it is cut; if it is `whole`, as numbers are, it is set smaller instead.
    """

    title: str
    width: float
    number: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, columns and rows."""

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[str]]
    total: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """The contents of a statement, in the reader's language."""

    title: str
    subtitle: str
    # Label and value, two to a line.
    facts: Sequence[tuple[str, str]]
    summaries: Sequence[Table] = field(default=())
    lines: Table | None = None
    notes: Sequence[str] = ()
    made_at: datetime | None = None


def render(paper: Paper) -> bytes:
    """Draw a statement and return the file."""
    out = io.BytesIO()
    # The time is the statement's own, not the clock's: the same statement gives the same file.
    canvas = _NumberedCanvas(out, pagesize=SIZE, invariant=1)
    if paper.made_at is not None:
        made_at = f"D:{paper.made_at.astimezone(UTC):%Y%m%d%H%M%SZ}"
        canvas.setDateFormatter(lambda *_time: made_at)
    canvas.setTitle(f"{paper.title} {paper.subtitle}")
    canvas.setAuthor("Courier Alliance")
    canvas.setCreator("Courier Alliance")
    canvas.label = f"{paper.title} · {paper.subtitle}"
    _Drawing(canvas).draw(paper)
    canvas.save()
    return out.getvalue()


class _NumberedCanvas(Canvas):
    """Holds pages back until the end: each page shows the number of pages."""

    label = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._held: list[dict[str, object]] = []

    def showPage(self) -> None:  # noqa: N802 -- reportlab's name
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._held, 1):
            self.__dict__.update(page)
            params = {"number": number, "total": len(self._held)}
            _text(self, MARGIN, 9 * mm, self.label, size=7.5, colour=_GREY)
            _text(self, WIDTH - MARGIN, 9 * mm, _("Page %(number)d of %(total)d") % params, size=7.5,
                  colour=_GREY, right=True)  # fmt: skip
            super().showPage()
        super().save()


class _Drawing:
    """Draws downwards on the page, and continues on the next."""

    def __init__(self, canvas: _NumberedCanvas) -> None:
        self.canvas = canvas
        self.y = HEIGHT - MARGIN

    def draw(self, paper: Paper) -> None:
        self.y -= 6 * mm
        _text(self.canvas, MARGIN, self.y, paper.title, size=16, bold=True)
        self.y -= 7 * mm
        _text(self.canvas, MARGIN, self.y, paper.subtitle, size=11, colour=_GREY)
        self.y -= 9 * mm
        self._facts(paper.facts)
        for table in paper.summaries:
            self._table(table)
        if paper.lines is not None:
            self._table(paper.lines, below=len(paper.notes))
        for note in paper.notes:
            self._room(ROW)
            self.y -= ROW
            _text(self.canvas, MARGIN, self.y, note, size=8, colour=_GREY)
        self.canvas.showPage()

    def _facts(self, facts: Sequence[tuple[str, str]]) -> None:
        half = (WIDTH - 2 * MARGIN) / 2
        for index, (label, value) in enumerate(facts):
            x = MARGIN + half * (index % 2)
            _text(self.canvas, x, self.y, label, size=7.5, colour=_GREY)
            _text(self.canvas, x, self.y - 4.6 * mm, _fitting(value, half - 4 * mm, 10), size=10)
            if index % 2 or index == len(facts) - 1:
                self.y -= 11 * mm
        self.y -= 1 * mm

    def _table(self, table: Table, *, below: int = 0) -> None:
        """Draw a table; its last row, its total and the lines `below` it stay on one page."""
        # Avoid a heading alone at the foot of a page.
        self._room(4 * ROW)
        self.y -= 7 * mm
        _text(self.canvas, MARGIN, self.y, table.title, size=11, bold=True)
        self.y -= 2 * mm
        self._heading(table.columns)
        for row, is_last in _with_last(table.rows):
            lines = 1 + bool(table.total) + below if is_last else 1
            if self._room(lines * ROW + (_GAP if is_last else 0)):
                self._heading(table.columns)
            self._row(table.columns, row)
        if table.total:
            self._shade()
            self._row(table.columns, table.total, bold=True)
        self.y -= _GAP

    def _heading(self, columns: Sequence[Column]) -> None:
        self._shade()
        self._row(columns, [column.title for column in columns], colour=_GREY)

    def _shade(self) -> None:
        self.canvas.setFillColor(_TINT)
        self.canvas.rect(MARGIN, self.y - ROW, WIDTH - 2 * MARGIN, ROW, stroke=0, fill=1)

    def _row(
        self, columns: Sequence[Column], row: Sequence[str], *, bold: bool = False, colour: HexColor = None
    ) -> None:
        self.y -= ROW
        for (x, column), value in zip(_places(columns), row, strict=True):
            space, size, text = column.width * mm - 2.5 * mm, 8.0, value
            if column.whole or column.number:
                size *= min(1, space / max(fonts.width(value, size, bold=bold), 1))
            else:
                text = _fitting(value, space, size, bold=bold)
            text_x = x + column.width * mm - 2 * mm if column.number else x + 1 * mm
            _text(self.canvas, text_x, self.y + 1.6 * mm, text, size=size, bold=bold, colour=colour,
                  right=column.number)  # fmt: skip
        self.canvas.setStrokeColor(_LINE)
        self.canvas.setLineWidth(0.3)
        self.canvas.line(MARGIN, self.y, WIDTH - MARGIN, self.y)

    def _room(self, height: float) -> bool:
        """Start the next page if there is no room; return whether it did."""
        if self.y - height >= FOOT:
            return False
        self.canvas.showPage()
        self.y = HEIGHT - MARGIN
        return True


def _with_last(rows: Iterable[Sequence[str]]) -> Iterator[tuple[Sequence[str], bool]]:
    """Yield each row, and whether it is the last."""
    waiting: Sequence[str] | None = None
    for row in rows:
        if waiting is not None:
            yield waiting, False
        waiting = row
    if waiting is not None:
        yield waiting, True


def _places(columns: Sequence[Column]) -> Iterator[tuple[float, Column]]:
    x = MARGIN
    for column in columns:
        yield x, column
        x += column.width * mm


def _fitting(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits."""
    if fonts.width(text, size, bold=bold) <= width:
        return text
    while text and fonts.width(f"{text}…", size, bold=bold) > width:
        text = text[:-1]
    return f"{text}…"


def _text(
    canvas: Canvas, x: float, y: float, text: str, *, size: float, bold: bool = False,
    colour: HexColor = None, right: bool = False,
) -> None:  # fmt: skip
    canvas.setFillColor(colour or _INK)
    if right:
        x -= fonts.width(text, size, bold=bold)
    # One object, so that a name in several typefaces is copied in one piece.
    line = canvas.beginText(x, y)
    for font, piece in fonts.runs(text, bold=bold):
        line.setFont(font, size)
        line.textOut(piece)
    canvas.drawText(line)
