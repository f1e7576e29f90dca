"""Text without what nobody sees, and numbers as people write them."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from alliance.number_fields import WholeNumberField
from alliance.numbers import whole_number
from alliance.texts import has_unprintable, is_blank, one_line, plain, shortened


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  Li\t Wei\n", "Li Wei"),
        ("IV-201\u200b", "IV-201"),
        ("\u202eLi\u202c Wei\u2069", "Li Wei"),
        ("Jo\u0308rg", "Jörg"),
        ("Zh\u00ado\u2060u", "Zhou"),
        ("王\u3000小明\u00a0", "王 小明"),
        ("葛\U000e0100城", "葛城"),
        ("\u3164\u115f\u2800\ufeff", ""),
    ],
)
def test_line_has_nothing_that_nobody_sees(text: str, line: str) -> None:
    assert one_line(text) == line
    assert is_blank(text) == (not line)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)
    assert plain(plain(text)) == plain(text)


def test_plain_text_has_no_full_width_characters() -> None:
    assert plain("ＦＷ－１ ８００") == "FW-1 800"


@pytest.mark.parametrize("text", ["a\0b", "\x1b[2J", "\x7f", "\ud800", "\ue000", "J\ufffdrg", "锟斤拷"])
def test_what_cannot_be_printed_is_found(text: str) -> None:
    assert has_unprintable(text)
    assert not has_unprintable("Jörg 王小明 𠮷 🍜")


def test_quoted_text_is_cut() -> None:
    assert shortened("x" * 60) == "x" * 60
    assert shortened("x" * 10_000) == "x" * 59 + "…"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("800", 800),
        (" ８００ ", 800),
        ("25,000", 25_000),
        ("1,234,567", 1_234_567),
        ("800.0", 800),
        ("007", 7),
        ("12,50", None),
        ("1,2", None),
        ("1.234.567", None),
        ("800.5", None),
        ("-5", None),
        ("+5", None),
        ("8e2", None),
        ("٨٠٠", None),
        ("", None),
        ("9" * 13, None),
    ],
)
def test_whole_numbers_are_read_as_people_write_them(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(("text", "number"), [("25,000", 25_000), ("２５０００", 25_000), (" 7 ", 7)])
def test_field_of_a_form_reads_whole_numbers(text: str, number: int) -> None:
    field = WholeNumberField(max_value=30_000)
    assert field.clean(text) == number
    assert 'type="number"' not in field.widget.render("n", text)


@pytest.mark.parametrize("text", ["12,50", "many", "1.5", "31,000"])
def test_field_of_a_form_refuses_other_numbers(text: str) -> None:
    with pytest.raises(ValidationError):
        WholeNumberField(max_value=30_000).clean(text)
