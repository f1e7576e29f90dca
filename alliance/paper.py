"""What papers drawn as PDF have in common: texts in any script, and pages that are numbered at their foot."""

from typing import Final

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from alliance import paper_fonts as fonts

MARGIN: Final = 14 * mm
# Below the last line of a page.
FOOT: Final = 16 * mm
INK, GREY = HexColor("#1b2430"), HexColor("#5f6b7a")
LINE, TINT = HexColor("#d8dde3"), HexColor("#f4f6f8")


class NumberedCanvas(Canvas):
    """Holds pages back until the end: each page shows the number of pages."""

    label = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._held: list[dict[str, object]] = []

    def entitle(self, title: str) -> None:
        """Name the paper, in the file and at the foot of each page."""
        self.label = title
        self.setTitle(title)
        self.setAuthor("Courier Alliance")
        self.setCreator("Courier Alliance")

    def showPage(self) -> None:  # noqa: N802 -- reportlab's name
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        right = self._pagesize[0] - MARGIN
        for number, page in enumerate(self._held, 1):
            self.__dict__.update(page)
            pages = _("Page %(number)d of %(total)d") % {"number": number, "total": len(self._held)}
            room = right - MARGIN - fonts.width(pages, 8) - 4 * mm
            write(self, MARGIN, 9 * mm, fitting(self.label, room, 8), size=8, colour=GREY)
            write(self, right, 9 * mm, pages, size=8, colour=GREY, right=True)
            super().showPage()
        super().save()


def write(
    canvas: Canvas, x: float, y: float, text: str, *, size: float, bold: bool = False,
    colour: HexColor = None, right: bool = False,
) -> None:  # fmt: skip
    """Write a line of text that begins at x, or ends there."""
    canvas.setFillColor(colour or INK)
    if right:
        x -= fonts.width(text, size, bold=bold)
    # One object, so that a name in several typefaces is copied in one piece.
    line = canvas.beginText(x, y)
    for font, piece in fonts.runs(text, bold=bold):
        line.setFont(font, size)
        line.textOut(piece)
    canvas.drawText(line)


def fitting(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits."""
    if fonts.width(text, size, bold=bold) <= width:
        return text
    while text and fonts.width(f"{text}…", size, bold=bold) > width:
        text = text[:-1]
    return f"{text}…"


def lines_of(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines that fit: between words if it can be, else anywhere: Chinese has no spaces."""

    def fits(words: str) -> bool:
        return fonts.width(words, size, bold=bold) <= width

    lines = [""]
    for word in text.split():
        line = f"{lines[-1]} {word}".lstrip()
        if fits(line):
            lines[-1] = line
        elif fits(word):
            lines.append(word)
        else:
            lines[-1] += " " if lines[-1] else ""
            for character in word:
                if not fits(lines[-1] + character):
                    lines.append("")
                lines[-1] += character
    return [line.rstrip() for line in lines]
