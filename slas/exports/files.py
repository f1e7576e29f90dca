"""Exported files on disk: written in parts, which are joined at the end.

A part is a file of its own, so that an interrupted one is written again and no row is duplicated. Each step
reads and writes one part at a time: memory does not grow with the file.
"""

import csv
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from alliance.csv_cells import safe_cell
from slas.choices import ExportFormat
from slas.exports.columns import Column, Kind, Value

MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}
# Spreadsheets recognise UTF-8 by it.
_BYTE_ORDER_MARK = "\ufeff"


def part_path(target: Path, number: int) -> Path:
    """Return the path of a part until the file is complete. Parts are numbered from 0."""
    return target.with_name(f"part-{number:06d}{target.suffix}")


def write_part(path: Path, columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> None:
    """Write a part, replacing the remains of an interrupted attempt."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path) as target:
        if path.suffix == ".csv":
            target.write(csv_bytes(rows))
        else:
            _parquet().write_table(arrow_table(columns, rows), target)


def join_parts(target: Path, columns: Sequence[Column], parts: Sequence[Path]) -> int:
    """Join the parts into the file; return its size. Joining again gives the same file."""
    with replacing(target) as whole:
        if target.suffix == ".csv":
            whole.write((_BYTE_ORDER_MARK + csv_text([[column.name for column in columns]])).encode())
            _copy(whole, parts)
        else:
            _join_parquet(whole, columns, parts)
    return target.stat().st_size


def remove_parts(target: Path) -> None:
    for part in target.parent.glob("part-*"):
        part.unlink(missing_ok=True)


def remove_file(target: Path) -> None:
    """Delete a file and all its parts. A repeated call does nothing."""
    shutil.rmtree(target.parent, ignore_errors=True)


def csv_bytes(rows: Sequence[Sequence[Value]]) -> bytes:
    return csv_text([[_cell(value) for value in row] for row in rows]).encode()


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def arrow_table(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> Any:
    """Return rows as an Arrow table, each column with its own type."""
    arrow = _arrow()
    schema = arrow_schema(columns)
    data = zip(*rows, strict=True) if rows else [() for _column in columns]
    arrays = [arrow.array(values, type=kind) for values, kind in zip(data, schema.types, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def arrow_schema(columns: Sequence[Column]) -> Any:
    arrow = _arrow()
    types: dict[Kind, Any] = {
        Kind.TEXT: arrow.string(),
        Kind.CODE: arrow.dictionary(arrow.int32(), arrow.string()),
        Kind.WHOLE: arrow.int64(),
        Kind.MONEY: arrow.decimal128(12, 2),
        Kind.SHARE: arrow.float64(),
        Kind.MOMENT: arrow.timestamp("us", tz="UTC"),
        Kind.DAY: arrow.date32(),
        Kind.FLAG: arrow.bool_(),
    }
    return arrow.schema([(column.name, types[column.kind]) for column in columns])


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        # A bool is an int, and a datetime is a date: the order of the cases matters.
        case bool():
            return "true" if value else "false"
        case str():
            return safe_cell(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:.2f}"
    return repr(value)


def _copy(whole: IO[bytes], parts: Sequence[Path]) -> None:
    for part in parts:
        with part.open("rb") as source:
            shutil.copyfileobj(source, whole)


def _join_parquet(whole: IO[bytes], columns: Sequence[Column], parts: Sequence[Path]) -> None:
    parquet, schema = _parquet(), arrow_schema(columns)
    with parquet.ParquetWriter(whole, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part, schema=schema))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces another once it is complete and synced to disk."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    # Readable by our own user only, like uploaded documents.
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        yield target
        target.flush()
        os.fsync(target.fileno())
    unfinished.replace(path)


def _arrow() -> Any:
    import pyarrow  # noqa: PLC0415 -- 50 MB that only writing files needs

    return pyarrow


def _parquet() -> Any:
    import pyarrow.parquet  # noqa: PLC0415 -- as above

    return pyarrow.parquet
