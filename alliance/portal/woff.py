"""Unpack WOFF 1.0 web fonts (https://www.w3.org/TR/WOFF/) to TrueType, which PDFs embed. Pure."""

import struct
import zlib
from typing import Final

_SIGNATURE: Final = b"wOFF"
_HEADER: Final = struct.Struct(">4s4sIHHIHHIIIII")
_ENTRY: Final = struct.Struct(">4sIIII")
_TABLE: Final = struct.Struct(">4sIII")


def truetype(woff: bytes) -> bytes:
    """Return the font that a WOFF file packs. Raises ValueError if it is none."""
    try:
        signature, flavor, _length, count, *_others = _HEADER.unpack_from(woff)
        entries = [_ENTRY.unpack_from(woff, _HEADER.size + _ENTRY.size * n) for n in range(count)]
        tables = [_unpacked(woff, *entry) for entry in entries]
    except (struct.error, zlib.error) as error:
        raise ValueError(str(error)) from error
    if signature != _SIGNATURE:
        raise ValueError("This is not a WOFF 1.0 file")
    # The header of TrueType repeats the number of tables for a binary search.
    power = 1 << max(count.bit_length() - 1, 0)
    header = struct.pack(">4sHHHH", flavor, count, power * 16, power.bit_length() - 1, (count - power) * 16)
    directory, body = b"", b""
    start = len(header) + _TABLE.size * count
    for tag, checksum, table in tables:
        directory += _TABLE.pack(tag, checksum, start + len(body), len(table))
        body += table + b"\0" * (-len(table) % 4)
    return header + directory + body


def _unpacked(
    woff: bytes, tag: bytes, offset: int, packed: int, length: int, checksum: int
) -> tuple[bytes, int, bytes]:
    table = woff[offset : offset + packed]
    return tag, checksum, zlib.decompress(table) if packed < length else table
