"""Check that a picture is whole, in memory that does not grow with what it claims to be."""

import io
import warnings
import zlib
from collections.abc import Iterator
from typing import Final

import structlog
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from couriers.documents.refusals import DocumentRefused

log = structlog.get_logger(__name__)

# A4 at 600 dpi is 35 million pixels, a large phone camera's picture 50.
MAX_PIXELS: Final = 60_000_000
# A progressive JPEG is decoded as a whole: six bytes of memory a pixel, whatever size is asked for.
MAX_PROGRESSIVE_PIXELS: Final = 25_000_000
# Of PNG: eight bytes a pixel at most, and a byte a row; interlaced ones have more rows.
_BYTES_A_PIXEL: Final = 8
_PIECE: Final = 256 * 1024


def check_image(content: bytes, content_type: str) -> None:
    """Raise DocumentRefused for a picture that is broken, cut off or too large to be shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
                width, height = image.size
                is_progressive = bool(image.info.get("progressive"))
                # Before decoding any pixels: a small file can hold a huge picture.
                if width * height > (MAX_PROGRESSIVE_PIXELS if is_progressive else MAX_PIXELS):
                    raise DocumentRefused(_too_many_pixels(width, height))
                # Structure and checksums of all parts; a JPEG has none.
                image.verify()
            if content_type == "image/png":
                _decompress(content, limit=width * height * _BYTES_A_PIXEL + 2 * height + width + 64)
            else:
                _decode_small(content, width, height)
    except DocumentRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DocumentRefused(_("The image has too many pixels. Scan it at 300 dpi.")) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, zlib.error) as error:
        log.info("document refused", reason=repr(error)[:200], content_type=content_type)
        message = _("The image is damaged or incomplete. Scan or export it again.")
        raise DocumentRefused(message) from error


def _decode_small(content: bytes, width: int, height: int) -> None:
    """Decode a JPEG at an eighth of its size, row by row: enough to notice that it is cut off."""
    with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
        image.draft("L", (width // 8 or 1, height // 8 or 1))
        image.load()


def _decompress(content: bytes, *, limit: int) -> None:
    """Decompress a PNG's pixels piece by piece, keeping none. Raises ValueError unless the stream ends."""
    stream, size = zlib.decompressobj(), 0
    for data in _pixel_data(content):
        rest = data
        while rest and not stream.eof:
            size += len(stream.decompress(rest, _PIECE))
            rest = stream.unconsumed_tail
            if size > limit:
                raise ValueError("more pixels than the header says")
    if not stream.eof:
        raise ValueError("the pixels are cut off")


def _pixel_data(content: bytes) -> Iterator[bytes]:
    """The data of a PNG's IDAT chunks. verify() has checked lengths and checksums."""
    at = 8
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        if kind == b"IDAT":
            yield content[at + 8 : at + 8 + length]
        elif kind == b"IEND":
            return
        at += 12 + length
    raise ValueError("no end")


def _too_many_pixels(width: int, height: int) -> str:
    message = _("The image is %(width)d by %(height)d pixels, too large to open. Scan it at 300 dpi.")
    return message % {"width": width, "height": height}
