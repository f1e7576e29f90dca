"""Cells that spreadsheets would run, and that they are read back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.csv_cells import safe_cell, text_of_cell

INVISIBLE = [
    "\ufeff",
    "\u200b",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\u202e",
    "\u180e",
    "\u00a0",
    "\u3000",
    "\u3164",
    "\ufe0f",
    " ",
    "\n",
    "\x7f",
    "\ufeff \u200b",
]


@pytest.mark.parametrize("begins", [*"=+-@＝＋－＠'", "\t", "\r"])
@pytest.mark.parametrize("before", ["", *INVISIBLE])
def test_text_that_begins_a_formula_is_preceded_by_an_apostrophe(before: str, begins: str) -> None:
    text = f"{before}{begins}1+1"
    assert safe_cell(text) == f"'{text}"
    assert text_of_cell(f"'{text}") == text


@pytest.mark.parametrize(
    "text",
    ["", "a=b", "1-2", "莲香茶业", "3＋3", "“=1”", "\u200b", "\ufeff莲", " Lotus - Tea", "\ue000=1", "12.50"],
)
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("cell", ["'s Hertogenbosch", "'13812345678", "'", "x'=1"])
def test_apostrophe_that_is_none_of_ours_stays(cell: str) -> None:
    assert text_of_cell(cell) == cell


@given(st.lists(st.sampled_from([*"=+-@＝＋－＠'a1 莲\t\r\n", *INVISIBLE]) | st.characters(), max_size=6))
def test_every_text_is_read_back_as_it_was(parts: list[str]) -> None:
    text = "".join(parts)
    assert text_of_cell(safe_cell(text)) == text
