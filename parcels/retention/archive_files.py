"""Write the tables of a month to Parquet files in batches, read them back and compare them.

Both work batch by batch, so memory does not grow with the month.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.apps import apps

from alliance.personal_data import COLUMNS, Holds
from alliance.tenancy import raw_rows
from slas.exports.files import replacing

BATCH: Final = 20_000
MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20

_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_KEY = """
SELECT a.attname FROM pg_index i JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) ON true
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place
"""


class Damaged(Exception):
    """A file differs from its table."""


class Written(NamedTuple):
    """A verified file, as recorded in the manifest."""

    rows: int
    bytes: int
    sha256: str


class Source(NamedTuple):
    """A table to archive: its name, its columns with their types, and its key."""

    name: str
    columns: list[str]
    types: list[str]
    key: list[str]

    @classmethod
    def of(cls, name: str, parent: str) -> "Source":
        """Read a partition's columns from the catalogue; `parent` is the partitioned table."""
        [label] = [model._meta.label for model in apps.get_models() if model._meta.db_table == parent]
        # Archive files contain no personal data: such columns are omitted, erased or not.
        columns = [row for row in raw_rows(_COLUMNS, [name]) if not _is_personal(f"{label}.{row[0]}")]
        key = [row[0] for row in raw_rows(_KEY, [name])]
        return cls(name, [column for column, _type in columns], [kind for _column, kind in columns], key)


def _is_personal(column: str) -> bool:
    return COLUMNS.get(column, Holds.NOTHING) != Holds.NOTHING


def write(source: Source, path: Path) -> Written:
    """Write a table to a file atomically, read it back, and compare the two row by row.

    Raises Damaged if they differ. Needs a scope in which the whole table is visible.
    """
    parquet, schema = _parquet(), _schema(source)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path) as target, parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in _batches(source, schema):
            writer.write_batch(batch, row_group_size=BATCH)
    return Written(_compare(source, path, schema), path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write a list of a folder's content that can be read without this program."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(folder / MANIFEST) as target:
        target.write(json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")


def _compare(source: Source, path: Path, schema: Any) -> int:
    rows, archive = 0, _parquet().ParquetFile(path)
    try:
        groups = archive.iter_batches(batch_size=BATCH)
        for batch in _batches(source, schema):
            stored = next(groups, None)
            if stored is None or not stored.equals(batch):
                raise Damaged(f"{path.name}: the rows after the first {rows} are not those of the table")
            rows += batch.num_rows
        if next(groups, None) is not None or archive.metadata.num_rows != rows:
            raise Damaged(f"{path.name}: {archive.metadata.num_rows} rows instead of {rows}")
    finally:
        archive.close()
    return rows


def _batches(source: Source, schema: Any) -> Iterator[Any]:
    """Read a table in the order of its key; each batch starts after the previous one."""
    arrow = _arrow()
    places = [source.columns.index(column) for column in source.key]
    last: list[Any] | None = None
    while True:
        rows = raw_rows(_page(source, first=last is None), [*(last or []), BATCH])
        if not rows:
            return
        columns = zip(*rows, strict=True)
        arrays = [_array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
        yield arrow.RecordBatch.from_arrays(arrays, schema=schema)
        last = [rows[-1][place] for place in places]


def _page(source: Source, *, first: bool) -> str:
    key = ", ".join(source.key)
    after = "" if first else f"WHERE ({key}) > ({', '.join(['%s'] * len(source.key))})"
    columns = ", ".join(source.columns)
    return f"SELECT {columns} FROM {source.name} {after} ORDER BY {key} LIMIT %s"  # noqa: S608 -- of the catalogue


def _array(values: tuple[Any, ...], kind: Any) -> Any:
    # The driver reads JSON into objects; a file has it as text.
    if kind == _arrow().string():
        values = tuple(
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
            for value in values
        )
    return _arrow().array(values, type=kind)


def _schema(source: Source) -> Any:
    arrow = _arrow()
    types = {
        "bigint": arrow.int64(),
        "integer": arrow.int32(),
        "smallint": arrow.int16(),
        "boolean": arrow.bool_(),
        "double precision": arrow.float64(),
        "character varying": arrow.string(),
        "text": arrow.string(),
        "jsonb": arrow.string(),
        "date": arrow.date32(),
        "timestamp with time zone": arrow.timestamp("us", tz="UTC"),
        "integer[]": arrow.list_(arrow.int32()),
    }
    return arrow.schema(
        [(name, types[kind]) for name, kind in zip(source.columns, source.types, strict=True)]
    )


def _arrow() -> Any:
    import pyarrow  # noqa: PLC0415 -- 50 MB that only the writing of a file needs

    return pyarrow


def _parquet() -> Any:
    import pyarrow.parquet  # noqa: PLC0415 -- as above

    return pyarrow.parquet
