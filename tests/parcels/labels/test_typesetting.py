"""Texts of any length and script in boxes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from parcels.labels.typesetting import CAPITAL, LEADING, Setting, Typesetter


def fit(text: str, *, width: float = 100, height: float = 30, lines: int = 2) -> Setting:
    return Typesetter().fit(text, width=width, height=height, sizes=(15, 7), bold=True, lines=lines)


def text_of(setting: Setting) -> list[str]:
    return ["".join(run.text for run in line.runs) for line in setting.lines]


def test_a_short_text_is_as_large_as_allowed() -> None:
    assert fit("成都").size == 15
    assert text_of(fit("成都")) == ["成都"]


def test_a_longer_text_is_smaller_then_has_more_lines_then_an_ellipsis() -> None:
    assert fit("Lingnan Express", lines=1).size < 15
    assert text_of(fit("Lingnan Express Hangzhou", width=80)) == ["Lingnan Express", "Hangzhou"]
    assert text_of(fit("田" * 200))[-1].endswith("…")


def test_words_are_broken_at_spaces_and_chinese_anywhere() -> None:
    assert text_of(fit("建设路" * 6, width=100, height=60, lines=4))[0] in "建设路" * 6
    assert "".join(text_of(fit("建设路" * 6, width=100, height=60, lines=4))) == "建设路" * 6


def test_a_character_that_no_typeface_has_is_shown_by_its_number() -> None:
    assert text_of(fit("𠀀")) == ["U+20000"]


def test_marks_that_enclose_a_letter_are_left_out() -> None:
    """They are wider than it: at the end of a line they would leave the label."""
    assert text_of(fit("1\u20e3 J\u0489")) == ["1 J"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120), st.integers(1, 5))
def test_every_text_fits_its_box(text: str, lines: int) -> None:
    width, height = 90.0, 24.0
    setting = fit(text, width=width, height=height, lines=lines)
    assert 1 <= len(setting.lines) <= lines
    assert setting.size * (CAPITAL + LEADING * (len(setting.lines) - 1)) <= height
    for line in setting.lines:
        # What is wider for its letters' forms is set smaller; see how lines are drawn.
        assert line.width * setting.size <= width * 1.5 or len(text) == 1
