"""Exported files on disk: types, spelling, parts, and that both formats say the same."""

import csv
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.public_ids import IdKind, public_id
from slas.choices import ExportContent
from slas.exports.columns import COLUMNS, Column, Kind, Line, Names, values_of
from slas.exports.files import arrow_schema, csv_bytes, join_parts, part_path, remove_file, write_part
from tests.helpers.profiles import scaled
from tests.slas.helpers.exports import understood

DOCUMENTED = Path(__file__).parents[3] / "docs" / "exports.md"
# Texts a CSV must survive: quotes, line ends, formulas, other scripts.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: TEXTS,
    Kind.CODE: TEXTS,
    Kind.WHOLE: st.integers(-(2**31), 2**63 - 1),
    Kind.MONEY: st.integers(0, 2**31 - 1).map(lambda fen: Decimal(fen).scaleb(-2)),
    Kind.SHARE: st.floats(0, 1),
    Kind.MOMENT: st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1900),
    Kind.DAY: st.dates(date(2016, 1, 1), date(2085, 1, 1)),
    Kind.FLAG: st.booleans(),
}
ONE_OF_EACH = [Column(kind.name.lower(), kind, lambda line: None) for kind in Kind]


def rows_of(columns: list[Column] | tuple[Column, ...]) -> st.SearchStrategy[list[list[Any]]]:
    row = st.tuples(*[st.none() | VALUES[column.kind] for column in columns]).map(list)
    return st.lists(row, max_size=9)


def joined(folder: Path, name: str, columns: Any, parts: list[list[list[Any]]]) -> Path:
    target = folder / "some" / name
    paths = [part_path(target, number) for number in range(len(parts))]
    for path, rows in zip(paths, parts, strict=True):
        write_part(path, columns, rows)
    target.parent.mkdir(exist_ok=True)
    assert join_parts(target, columns, paths) == target.stat().st_size
    return target


def cells_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


# --- whatever is written is read back ----------------------------------------------------------


@settings(max_examples=scaled(60), deadline=None)
@given(parts=st.lists(rows_of(ONE_OF_EACH), max_size=4))
def test_parquet_round_trips(parts: list[list[list[Any]]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = joined(tmp_path_factory.mktemp("file"), "x.parquet", ONE_OF_EACH, parts)
    table = pyarrow.parquet.read_table(path)
    assert table.schema.equals(arrow_schema(ONE_OF_EACH))
    assert [list(row.values()) for row in table.to_pylist()] == [row for rows in parts for row in rows]


@settings(max_examples=scaled(60), deadline=None)
@given(parts=st.lists(rows_of(ONE_OF_EACH), max_size=4))
def test_csv_round_trips(parts: list[list[list[Any]]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = joined(tmp_path_factory.mktemp("file"), "x.csv", ONE_OF_EACH, parts)
    header, *lines = cells_of(path)
    assert header == [column.name for column in ONE_OF_EACH]
    kinds = {column.name: column for column in ONE_OF_EACH}
    COLUMNS["test"] = tuple(kinds.values())
    try:
        result = [list(understood("test", dict(zip(header, line, strict=True))).values()) for line in lines]
    finally:
        del COLUMNS["test"]
    expected = [row for rows in parts for row in rows]
    assert result == expected


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (Decimal("12.5"), "12.50"),
        (Decimal("0"), "0.00"),
        (1 / 3, "0.3333333333333333"),
        (date(2026, 2, 28), "2026-02-28"),
        (datetime(2026, 2, 28, 16, 0, tzinfo=UTC), "2026-02-28T16:00:00+00:00"),
        ("Lotus Tea 莲香茶业", "Lotus Tea 莲香茶业"),
        ('He said "no", twice', '"He said ""no"", twice"'),
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("'s Hertogenbosch", "''s Hertogenbosch"),
    ],
)
def test_how_csv_spells_a_value(value: Any, cell: str) -> None:
    assert csv_bytes([[value]]).decode().removesuffix("\r\n") in (cell, f'"{cell}"')


def test_moments_are_in_utc_whatever_zone_they_came_in() -> None:
    shanghai = datetime.fromisoformat("2026-11-22T20:00:00+08:00")
    assert csv_bytes([[shanghai]]) == b"2026-11-22T12:00:00+00:00\r\n"


def test_a_csv_begins_with_the_mark_spreadsheets_know_utf_8_by(tmp_path: Path) -> None:
    path = joined(tmp_path, "x.csv", ONE_OF_EACH, [])
    assert path.read_bytes().startswith(b"\xef\xbb\xbftext,code,")


# --- parts -------------------------------------------------------------------------------------


def test_rewritten_part_replaces_an_interrupted_one(tmp_path: Path) -> None:
    target = tmp_path / "some" / "x.csv"
    part = part_path(target, 0)
    part.parent.mkdir()
    part.write_bytes(b"half a li")
    write_part(part, ONE_OF_EACH[:1], [["whole"]])
    assert part.read_bytes() == b"whole\r\n"


def test_files_are_readable_by_our_user_only(tmp_path: Path) -> None:
    path = joined(tmp_path, "x.csv", ONE_OF_EACH, [[]])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_removing_a_file_removes_only_its_parts(tmp_path: Path) -> None:
    path = joined(tmp_path, "x.csv", ONE_OF_EACH, [[]])
    (tmp_path / "another").mkdir()
    remove_file(path)
    remove_file(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["another"]


# --- the columns -------------------------------------------------------------------------------


def test_no_column_is_about_a_recipient() -> None:
    names = {column.name for columns in COLUMNS.values() for column in columns}
    assert not [name for name in names if re.search("recipient|phone|address|reference|contact", name)]


@pytest.mark.parametrize("content", ExportContent.values)
def test_the_documentation_lists_the_columns_in_order_with_their_types(content: str) -> None:
    text = DOCUMENTED.read_text(encoding="utf-8")
    section = text.split(f"`{content}`\n", 1)[1].split("\n#", 1)[0]
    listed = re.findall(r"^\| `(\w+)` \| ([\w ]+?) \|", section, re.MULTILINE)
    assert listed == [(column.name, column.kind.value) for column in COLUMNS[content]]


def cell(**counts: int) -> Line:
    zeros = dict.fromkeys(
        ("pending", "met", "late", "overdue", "void", "excused", "attempted", "first_attempt"), 0
    )
    row = SimpleNamespace(
        due_date=date(2026, 11, 1), kind="delivery", tier_id=1, origin_id=2, destination_id=3,
        within_48h=0, within_72h=0, **{**zeros, **counts},
    )  # fmt: skip
    names = Names({7: "Swift", 8: "Lotus"}, {2: "CN-HGH", 3: "CN-CTU"}, {1: "next_day"})
    return Line(row, names, courier_id=7, merchant_id=8)


def test_a_cell_carries_its_rates() -> None:
    columns = COLUMNS[ExportContent.RATES]
    [values] = values_of(columns, [cell(met=6, late=1, overdue=3, excused=2, void=5)])
    row = dict(zip([column.name for column in columns], values, strict=True))
    assert (row["n"], row["raw_rate"], row["accountable_rate"]) == (10, 0.6, 0.75)
    assert (row["courier"], row["merchant"], row["origin"], row["tier"]) == (
        public_id(IdKind.COURIER, 7), public_id(IdKind.MERCHANT, 8), "CN-HGH", "next_day",
    )  # fmt: skip


def test_cell_without_judged_commitments_has_no_rate() -> None:
    columns = COLUMNS[ExportContent.RATES]
    [values] = values_of(columns, [cell(pending=4)])
    row = dict(zip([column.name for column in columns], values, strict=True))
    assert (row["raw_rate"], row["accountable_rate"], row["n"]) == (None, None, 0)
