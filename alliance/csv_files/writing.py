"""Result files that grow with the slices of a file job.

Rows are written before the slice's commit; the job's row has the committed size. Bytes after it, of an
interrupted slice, are truncated by the next attempt.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

MARK: Final = "\ufeff"
_CHUNK: Final = 256 * 1024


def append_rows(path: Path, size: int, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> int:
    """Write rows after the first `size` bytes, with the columns' names if there is none; return the new size.

    With a BOM, because without it spreadsheets assume another encoding. Texts of people must be safe cells.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not size:
        text.write(MARK)
        writer.writerow(columns)
    writer.writerows(rows)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as target:
        target.truncate(size)
        target.seek(size)
        target.write(text.getvalue().encode("utf-8", "replace"))
        target.flush()
        os.fsync(target.fileno())
        return target.tell()


def stream(path: Path, size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of a file, the committed ones."""
    with path.open("rb") as results:
        while size > 0 and (chunk := results.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk


def read_rows(path: Path, size: int) -> Iterator[dict[str, str]]:
    """Yield the committed rows of a file by their columns; none if it is gone."""
    if not size or not path.exists():
        return
    text = io.TextIOWrapper(io.BytesIO(b"".join(stream(path, size))), "utf-8-sig", newline="")
    yield from csv.DictReader(text)
