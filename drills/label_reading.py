"""Print a label as dots, make it as bad as it comes off a belt, and read it back."""

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import astuple
from typing import Final

import pypdfium2
import zplkit
import zxingcpp
from PIL import Image, ImageFilter
from zplkit.rendering import Limits

from parcels.labels.layout import Layout
from parcels.labels.rules import DOTS, Label

_KINDS: Final = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.QRCode])
_BLUR_DOTS: Final = 1.0
_TILT_DEGREES: Final = 3.0
_CONTRAST: Final = 0.6
# Around a label: no ink, or something was cut off.
_EDGE_MM: Final = 1.5
# A printer's memory for graphics; zplkit's own limit is smaller.
_GRAPHICS: Final = Limits(graphic_bytes=4_000_000)
# As long a row of its digits tells a phone.
_TELLING: Final = 6
_NUMBER: Final = re.compile(r"U\+([0-9A-F]{4,6})")
_BITMAP: Final = re.compile(r":Z64:[^:]*:[0-9A-F]{4}")
_ADDRESS: Final = re.compile(r"https?://[^^\s]+")
# Commands whose parameters are places and sizes; what is left of a format is data.
_PLACES: Final = re.compile(r"\^(?:FO|FT|GB|GFA|BY|BC|BQ|PW|LL|LH|LS|CI)[^^]*")


def pictures_of_pdf(data: bytes, *, dpi: int) -> list[Image.Image]:
    document = pypdfium2.PdfDocument(data)
    return [page.render(scale=dpi / 72, grayscale=True).to_pil() for page in document]


def picture_of_zpl(data: bytes, layout: Layout, *, dpi: int) -> Image.Image:
    """Print one format; a warning of the printer's is a failure."""
    width, height = (round(side * DOTS[dpi]) for side in (layout.width, layout.height))
    options = zplkit.Options(width=width, height=height, dpi=dpi)
    document = zplkit.render(data, options, limits=_GRAPHICS)
    [scene] = document.labels
    if document.warnings:
        raise ValueError(f"the printer warns: {document.warnings[0]}")
    return Image.open(io.BytesIO(scene.png())).convert("L")


def worn(picture: Image.Image) -> Image.Image:
    """The same label out of focus, tilted and pale."""
    tilted = picture.rotate(_TILT_DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    blurred = tilted.filter(ImageFilter.GaussianBlur(_BLUR_DOTS))
    dark = 255 * (1 - _CONTRAST) / 2
    return blurred.point(lambda ink: round(dark + ink * _CONTRAST))


def is_read(picture: Image.Image, label: Label) -> bool:
    """Whether both codes are read, and no other of their kinds.

    A reader that looks for every kind there is finds one in some texts: an EAN in a name of W and M.
    """
    codes = zxingcpp.read_barcodes(picture, formats=_KINDS)
    return sorted(code.text for code in codes) == sorted([label.number, label.address])


def edge_is_clear(picture: Image.Image, *, dpi: int) -> bool:
    edge = int(_EDGE_MM * DOTS[dpi])
    width, height = picture.size
    sides = (
        (0, 0, width, edge),
        (0, height - edge, width, height),
        (0, 0, edge, height),
        (width - edge, 0, width, height),
    )
    return all(min(picture.crop(side).tobytes()) > 200 for side in sides)  # noqa: PLR2004 -- of 255


def texts_outside(data: bytes) -> int:
    """How many characters of a PDF are not wholly on its page."""
    outside = 0
    for page in pypdfium2.PdfDocument(data):
        width, height = page.get_size()
        text = page.get_textpage()
        for place in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(place)
            if left == right:
                # A line's end, which pdfium adds.
                continue
            outside += not (left >= 0 and bottom >= 0 and right <= width and top <= height)
    return outside


def told_by_pdf(data: bytes) -> str:
    """Everything that a PDF says in text: on its page and about itself."""
    document = pypdfium2.PdfDocument(data)
    about = " ".join(document.get_metadata_dict().values())
    return about + "\n" + "\n".join(page.get_textpage().get_text_range() for page in document)


def told_by_zpl(data: bytes) -> str:
    """The data of a format, without its bitmaps and the address of its QR code."""
    return _ADDRESS.sub("", _PLACES.sub("\n", _BITMAP.sub("", data.decode("ascii"))))


def tells(text: str, phone: str, *, label: Label) -> bool:
    """Whether a text has so many digits of a phone in a row.

    The tracking number has digits of its own, and so has a character that no typeface has: it is U+30760.
    """
    characters = set("".join(_texts_of(label)))

    def other(found: re.Match[str]) -> str:
        code = int(found[1], 16)
        return " " if code <= sys.maxunicode and chr(code) in characters else found[0]

    digits = "".join(re.findall("[0-9]", phone))
    windows = {digits[start : start + _TELLING] for start in range(len(digits) - _TELLING + 1)}
    told = _NUMBER.sub(other, text.replace(label.number, ""))
    lines = ["".join(re.findall("[0-9]", line)) for line in told.splitlines()]
    return any(window in line for line in lines for window in windows)


def _texts_of(label: Label) -> Iterator[str]:
    for value in astuple(label):
        yield from map(str, value if isinstance(value, tuple) else (value,))
