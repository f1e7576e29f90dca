"""Texts of any length and script in boxes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from alliance import paper_fonts
from parcels.choices import LabelSize
from parcels.labels.layout import Layout, Text
from parcels.labels.rules import Label, Place
from parcels.labels.texts import words
from parcels.labels.typesetting import CAPITAL, LEADING, POINTS, Setting, Typesetter


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


@pytest.mark.parametrize("size", LabelSize)
@pytest.mark.parametrize(
    "text",
    [
        "Swift Crane Express 迅鹤速运",
        "Jiuquan Gypsy Quay, by the pagoda (opposite)",
        "新疆伊犁哈萨克自治州察布查尔县，孙扎齐牛录镇阿热木东柏村",
        "ÅÉŁÇŞ Ởỹ qụy pygęj",
        "J",
    ],
)
def test_no_letter_reaches_out_of_its_box(text: str, size: LabelSize) -> None:
    """What does is cut off in ZPL, where a text is a bitmap of its box, and crosses a line in a PDF."""
    place = Place("HGH", text, text)
    label = Label(
        number="CA180HFPF3JNCPRS", address="https://a.example/s/CA180HFPF3JNCPRS/", courier=text, tier=text,
        hour=text, zone=text, origin=place, destination=place, recipient=text, phone=text,
        recipient_address=text * 3, sender=text, reference=text, is_return=True, is_reprint=True,
    )  # fmt: skip
    for each in (label, replace(label, is_return=False)):
        for item in Layout(size, words()).label(each):
            if isinstance(item, Text):
                assert 0 <= _highest(item) <= _lowest(item) <= item.box.height * POINTS


def _highest(item: Text) -> float:
    return min(top for top, _bottom in _inked(item))


def _lowest(item: Text) -> float:
    return max(bottom for _top, bottom in _inked(item))


def _inked(item: Text) -> Iterator[tuple[float, float]]:
    """Where the ink of each run begins and ends, in points from the top of its box."""
    size = item.setting.size
    baseline = item.baseline(size, item.box.height * POINTS)
    for number, line in enumerate(item.setting.lines):
        for font, piece in line.runs:
            path = paper_fonts.file_of(font)
            assert path is not None
            _left, above, _right, below = ImageFont.truetype(path, 1000).getbbox(piece, anchor="ls")
            at = baseline + number * size * LEADING
            yield at + above / 1000 * size, at + below / 1000 * size
