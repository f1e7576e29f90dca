"""Lengths of time in words, and in columns."""

from datetime import timedelta

import pytest
from django.utils import translation

from alliance.durations import column_text, duration_text, nearest_minute


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 min"), (0.5, "less than a minute"), (-0.5, "less than a minute"), (1, "1 min"), (12, "12 min"),
        (59.9, "59 min"), (60, "1 h"), (185, "3 h 5 min"), (1440, "1 d"), (1499, "1 d"), (3120, "2 d 4 h"),
        (-185, "3 h 5 min"),
    ],
)  # fmt: skip
def test_length_of_time_in_words(minutes: float, text: str) -> None:
    assert duration_text(timedelta(minutes=minutes)) == text


def test_length_of_time_in_chinese() -> None:
    with translation.override("zh-hans"):
        texts = [duration_text(timedelta(minutes=minutes)) for minutes in (0.5, 12, 185, 1440, 3120)]
    assert texts == ["不到一分钟", "12 分钟", "3 小时 5 分钟", "1 天", "2 天 4 小时"]


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (29, 0), (31, 1), (3580, 60), (-31, -1)])
def test_figure_is_rounded_to_the_nearest_minute(seconds: int, minutes: int) -> None:
    assert nearest_minute(timedelta(seconds=seconds)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("minutes", "text"), [(0.9, "0:00 h"), (65, "1:05 h"), (3125, "52:05 h")])
def test_length_of_time_in_a_column(minutes: float, text: str) -> None:
    assert column_text(timedelta(minutes=minutes)) == text
