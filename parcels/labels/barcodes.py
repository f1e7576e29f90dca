"""Bars and squares of a label, in modules; which characters of Code 128 stand for what, a library knows."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import segno
from reportlab.graphics.barcode.code128 import Code128

# Which of the eight masks a code has is up to its writer. To try all of them takes five times as long.
_MASK = 2


@lru_cache(maxsize=2048)
def bars(number: str) -> tuple[tuple[int, int], ...]:
    """Return start and width of each bar, in modules."""
    code = Code128(number, quiet=0)
    code.validate()
    code.encode()
    code.decompose()
    place, found = 0, []
    for element in code.decomposed:
        width = ord(element.lower()) - ord("a") + 1
        if element.isupper():
            found.append((place, width))
        place += width
    return tuple(found)


def squares(address: str) -> Sequence[Sequence[int]]:
    """Return the rows of a QR code without its quiet zone; 1 is dark."""
    code = segno.make_qr(address, error="m", boost_error=False, mask=_MASK)
    rows: Sequence[Sequence[int]] = code.matrix
    return rows


def stretches(row: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield start and width of each dark stretch of a row."""
    start = None
    for place, module in enumerate([*row, 0]):
        if module and start is None:
            start = place
        elif not module and start is not None:
            yield start, place - start
            start = None
