"""The reader of CSV rows: any bytes, any place to start, and rows that cost themselves only."""

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.csv_files.records import Record, Records, RowProblem

CELLS = st.text(alphabet=string.ascii_letters + '",\n\r 王é\0', max_size=8)


@given(lines=st.lists(st.lists(CELLS, max_size=5), max_size=12), cut=st.integers(0, 12))
def test_reader_gives_the_same_rows_from_any_offset(lines: list[list[str]], cut: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    file = io.BytesIO(text.getvalue().encode())
    records = Records(file, "utf-8", row_lines=50)
    whole: list[tuple[Record, int, int]] = [(record, records.offset, records.line) for record in records]
    assert [list(record.cells) for record, *_where in whole if any(record.cells)] == [
        line for line in lines if any(line)
    ]
    for _record, offset, line in whole[cut : cut + 1]:
        rest = list(Records(file, "utf-8", offset=offset, line=line, row_lines=50))
        assert rest == [record for record, *_where in whole[cut + 1 :]]


@given(content=st.binary(max_size=400))
def test_reader_handles_any_bytes(content: bytes) -> None:
    for encoding in ("utf-8", "gb18030"):
        records = Records(io.BytesIO(content), encoding)
        lines = [record.line for record in records]
        assert lines == sorted(set(lines))
        assert records.offset == len(content)


def read(text: str | bytes, *, row_lines: int = 50, width: int = 3) -> list[Record]:
    content = text.encode() if isinstance(text, str) else text
    return list(Records(io.BytesIO(content), "utf-8", row_lines=row_lines, width=width))


def problems(records: list[Record]) -> dict[int, str]:
    return {record.line: record.problem.value for record in records if record.problem}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("third", ['x,y,"open', '"open,y,z'])
def test_open_quotation_mark_swallows_no_other_row(third: str, ending: str) -> None:
    rows = [f"{n},b,c" for n in range(1, 21)]
    rows[2] = third
    records = read(ending.join(rows))
    assert problems(records) == {3: "open_quote"}
    assert [record.line for record in records] == list(range(1, 21))


@pytest.mark.parametrize("row_lines", [1, 50])
def test_mark_closed_by_a_later_row_swallows_none_between(row_lines: int) -> None:
    rows = [f"{n},b,c" for n in range(1, 11)]
    rows[2], rows[7] = '3,b,"c', '8,b,c"'
    records = read("\n".join(rows), row_lines=row_lines)
    assert problems(records)[3] == "open_quote"
    assert [list(record.cells) for record in records if record.line in (4, 5, 6, 7, 9, 10)] == [
        [str(n), "b", "c"] for n in (4, 5, 6, 7, 9, 10)
    ]


def test_line_breaks_in_a_cell_are_counted_as_an_editor_does() -> None:
    records = read('a,"one\r\ntwo, three\n",c\n\n,,\nd,e,f\n')
    assert [(record.line, record.is_blank) for record in records] == [
        (1, False),
        (4, True),
        (5, True),
        (6, False),
    ]


@pytest.mark.parametrize("cells", ["", ",,", '"  ", ,\t', "\u200b,\ufeff,\u3164", '"",\u2060,\u00a0'])
def test_row_of_nothing_to_see_is_blank(cells: str) -> None:
    assert [record.is_blank for record in read(f"{cells}\n")] == [True]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"a,b,\xff", RowProblem.NOT_TEXT),
        (b"a,b,\xe6\x9d", RowProblem.NOT_TEXT),
        (b'a,"b"c,d', RowProblem.QUOTES),
        (b"a,b\rc,d", RowProblem.LINE_END),
        (b"a," + b"b" * 20_000, RowProblem.TOO_LONG),
    ],
)
def test_unreadable_row_costs_itself(row: bytes, problem: RowProblem) -> None:
    records = read(b"1,2,3\n" + row + b"\n4,5,6\n")
    assert [(record.line, record.problem) for record in records] == [(1, None), (2, problem), (3, None)]


def test_cells_beyond_the_columns_are_told_and_missing_ones_where_all_are_needed() -> None:
    columns = ["a", "b", "c"]
    assert Record(1, ["1", "2", "3", "", ""]).problem_among(columns) is None
    assert Record(1, ["1", "2", "3", "4"]).problem_among(columns) is RowProblem.TOO_MANY_CELLS
    assert Record(1, ["1", "2"]).problem_among(columns) is None
    assert Record(1, ["1", "2"]).problem_among(columns, must_fill=True) is RowProblem.TOO_FEW_CELLS


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_break_in_an_early_cell_leaves_the_row_whole(ending: str) -> None:
    text = ending.join(['"a', 'b",y,z', 'x,"c', 'd",z', "x,y,z", ""])
    assert [(record.line, list(record.cells)) for record in read(text)] == [
        (1, [f"a{ending}b", "y", "z"]),
        (3, ["x", f"c{ending}d", "z"]),
        (5, ["x", "y", "z"]),
    ]


def test_rest_of_a_cell_that_was_torn_apart_is_no_row() -> None:
    records = read('"a,y,z\nb,y,z\nc",y,z\nx,y,z\n')
    assert problems(records) == {1: "open_quote", 3: "quotes"}


@pytest.mark.parametrize("row", ['x,y,z"', 'x",y,z'])
def test_odd_mark_at_the_edge_of_a_cell_is_told(row: str) -> None:
    assert problems(read(f"{row}\nx,y,z\n")) == {1: "quotes"}


def test_mark_within_a_cell_is_a_letter() -> None:
    assert [list(record.cells) for record in read('5" pipe,y,z\n')] == [['5" pipe', "y", "z"]]
