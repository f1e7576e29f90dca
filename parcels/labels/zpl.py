"""Labels as ZPL II: barcodes and lines as commands, texts as bitmaps: printers have no Chinese typeface."""

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator

from PIL import Image

from parcels.labels.barcodes import squares
from parcels.labels.layout import Bars, Item, Layout, Rule, Square, Text
from parcels.labels.pictures import Dots
from parcels.labels.rules import Label


def render(labels: Iterable[Label], layout: Layout, *, dpi: int) -> Iterator[bytes]:
    """Yield each label as a format of its own (^XA to ^XZ)."""
    writer = _Writer(Dots(layout, dpi))
    for label in labels:
        yield writer.written(label)


class _Writer:
    """Writes label after label, and remembers the bitmaps of texts that repeat."""

    def __init__(self, dots: Dots) -> None:
        self._dots = dots
        self._bitmaps: dict[Text, str] = {}
        start = f"^XA^CI28^PW{dots.width}^LL{dots.height}^LH0,0^LS0"
        self._frame = start + "".join(map(self._command, dots.layout.frame()))

    def written(self, label: Label) -> bytes:
        body = "\n".join(map(self._command, self._dots.layout.label(label)))
        return f"{self._frame}\n{body}\n^XZ\n".encode("ascii")

    def _command(self, item: Item) -> str:
        match item:
            case Text():
                if item not in self._bitmaps:
                    self._bitmaps[item] = self._text(item)
                return self._bitmaps[item]
            case Rule():
                x, y, width, height = self._dots.box(item.box)
                return f"^FO{x},{y}^GB{width},{height},{min(width, height)}^FS"
            case Bars():
                x, y, height, module = self._dots.bars(item)
                return f"^FO{x},{y}^BY{module},3,{height}^BCN,{height},N,N,N,A^FD{item.number}^FS"
            case Square():
                x, y, module = self._dots.square(item, len(squares(item.address)))
                # Printers draw it lower by the height of ^BY.
                return f"^FO{x},{y - 1}^BY{module},3,1^BQN,2,{module}^FDMA,{item.address}^FS"

    def _text(self, item: Text) -> str:
        ink = self._dots.text(item)
        place = ink.getbbox()
        if place is None:
            return ""
        x, y, *_size = self._dots.box(item.box)
        return f"^FO{x + place[0]},{y + place[1]}{bitmap(ink.crop(place))}^FS"


def bitmap(ink: Image.Image) -> str:
    """A picture as a graphic field: a set dot prints. Compressed, with its checksum."""
    row = (ink.width + 7) // 8
    dots = ink.tobytes()
    packed = base64.b64encode(zlib.compress(dots, 9))
    return f"^GFA,{len(dots)},{len(dots)},{row},:Z64:{packed.decode()}:{binascii.crc_hqx(packed, 0):04X}"
