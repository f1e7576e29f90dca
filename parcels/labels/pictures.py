"""Labels as dots: whole ones for the preview, and their texts for printers that have no Chinese typeface."""

import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from alliance import paper_fonts
from parcels.labels.barcodes import bars, squares, stretches
from parcels.labels.layout import BAR_DOTS, MODULES, QUIET, Bars, Box, Item, Layout, Rule, Square, Text
from parcels.labels.rules import DOTS, Label
from parcels.labels.typesetting import LEADING, POINTS, Line, Run

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# A printer prints a dot or none: from so much ink on.
_INK: Final = 110
# As in the PDF: the outline of a character that has no bold form, as a part of its size.
_STROKE: Final = 0.018
_STEPS: Final = 4


class Dots:
    """A label's places in dots of a printer."""

    def __init__(self, layout: Layout, dpi: int) -> None:
        self.layout = layout
        self.dpi = dpi
        self.per_mm = DOTS[dpi]
        self.width, self.height = round(layout.width * self.per_mm), round(layout.height * self.per_mm)

    def box(self, box: Box) -> tuple[int, int, int, int]:
        """Left, top, width and height; nothing is thinner than a dot."""
        x, y, right, bottom = (
            round(part * self.per_mm) for part in (box.x, box.y, box.x + box.width, box.y + box.height)
        )
        return x, y, max(right - x, 1), max(bottom - y, 1)

    def bars(self, item: Bars) -> tuple[int, int, int, int]:
        """Left, top, height and the width of a module of the barcode."""
        x, y, width, height = self.box(item.box)
        module = BAR_DOTS[self.layout.size, self.dpi]
        return x + (width - MODULES * module) // 2, y, height, module

    def square(self, item: Square, modules: int) -> tuple[int, int, int]:
        """Left, top and the width of a module of the QR code."""
        x, y, width, height = self.box(item.box)
        module = min(width, height) // (modules + 2 * QUIET)
        inset = (width - modules * module) // 2
        return x + inset, y + inset, module

    def text(self, item: Text) -> Image.Image:
        """Draw a text as dots, exactly as large as its box: nothing of it is outside."""
        _x, _y, width, height = self.box(item.box)
        picture = Image.new("L", (width, height), 255 if item.is_inverse else 0)
        draw = ImageDraw.Draw(picture)
        size = item.setting.size / POINTS * self.per_mm
        baseline = item.baseline(size, height)
        for number, line in enumerate(item.setting.lines):
            fitting = min(size, width / line.width) if line.width else size
            pieces, used = _measured(line, fitting, width)
            spare = max(width - used, 0)
            x = {"left": 0.0, "centre": spare / 2, "right": spare}[item.align]
            y = baseline + number * size * LEADING
            for (font_name, piece), font, advance in pieces:
                stroke = fitting * _STROKE if item.bold and not paper_fonts.is_bold(font_name) else 0
                ink = 0 if item.is_inverse else 255
                draw.text((x, y), piece, ink, font, anchor="ls", stroke_width=stroke)
                x += advance
        return picture.point(lambda ink: 255 if ink > _INK else 0).convert("1")


def picture(label: Label, layout: Layout, *, dpi: int) -> bytes:
    """Draw one label as a printer of so many dots prints it; a PNG."""
    dots = Dots(layout, dpi)
    sheet = Image.new("1", (dots.width, dots.height), 1)
    for item in (*layout.frame(), *layout.label(label)):
        _draw(sheet, item, dots)
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(sheet: Image.Image, item: Item, dots: Dots) -> None:
    draw = ImageDraw.Draw(sheet)
    match item:
        case Text():
            x, y, *_size = dots.box(item.box)
            ink = dots.text(item)
            sheet.paste(0, (x, y), ink)
        case Rule():
            _fill(draw, *dots.box(item.box))
        case Bars():
            left, top, height, module = dots.bars(item)
            for start, thickness in bars(item.number):
                _fill(draw, left + start * module, top, thickness * module, height)
        case Square():
            rows = squares(item.address)
            left, top, module = dots.square(item, len(rows))
            for number, row in enumerate(rows):
                for start, length in stretches(row):
                    _fill(draw, left + start * module, top + number * module, length * module, module)


def _fill(draw: ImageDraw.ImageDraw, x: int, y: int, width: int, height: int) -> None:
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=0)


def _measured(line: Line, size: float, width: int) -> tuple[list[tuple[Run, Font, float]], float]:
    """Each run with its typeface and width; smaller if whole dots make the line longer than its box."""
    for _step in range(_STEPS):
        fonts = [_font(run.font, round(size * 8) / 8) for run in line.runs]
        pieces = [(run, font, font.getlength(run.text)) for run, font in zip(line.runs, fonts, strict=True)]
        used = sum(advance for _run, _font, advance in pieces)
        if used <= width:
            break
        size *= min(width / used, 0.99)
    return pieces, used


@lru_cache(maxsize=512)
def _font(name: str, size: float) -> Font:
    path = paper_fonts.file_of(name)
    # A typeface of every viewer is no file; Pillow has one of its own.
    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
