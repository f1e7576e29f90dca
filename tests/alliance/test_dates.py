"""Days and moments for people: one format in each language, on pages and in messages."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone
from django.utils.translation import override

from alliance.dates import OF_THIS_YEAR, date_text, time_text

NOW = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
MOMENT = datetime(2026, 12, 3, 10, 0, tzinfo=UTC)

# Django's own formats that say the same in both languages, and what programs read in attributes.
NEUTRAL = {"l", "c", "Y-m", "Y-m-d", "TIME_FORMAT", "YEAR_MONTH_FORMAT", "H:i:s"}


@pytest.fixture(autouse=True)
def _late_in_2026(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("language", "form", "this_year", "next_year"),
    [
        ("en", "DATE_FORMAT", "3 Dec", "3 Dec 2027"),
        ("en", "DATETIME_FORMAT", "3 Dec, 10:00", "3 Dec 2027, 10:00"),
        ("en", "DAY_FORMAT", "Thu 3 Dec", "Fri 3 Dec 2027"),
        ("en", "MOMENT_FORMAT", "Thu 3 Dec, 10:00", "Fri 3 Dec 2027, 10:00"),
        ("zh-hans", "DATE_FORMAT", "12月3日", "2027年12月3日"),
        ("zh-hans", "DATETIME_FORMAT", "12月3日 10:00", "2027年12月3日 10:00"),
        ("zh-hans", "DAY_FORMAT", "12月3日（周四）", "2027年12月3日（周五）"),
        ("zh-hans", "MOMENT_FORMAT", "12月3日（周四）10:00", "2027年12月3日（周五）10:00"),
    ],
)
def test_the_year_is_told_only_when_it_is_another(language, form, this_year, next_year):
    with override(language):
        assert date_text(MOMENT, form) == this_year
        assert date_text(MOMENT.replace(year=2027), form) == next_year


def test_this_year_is_that_of_the_zone_of_the_moment():
    # 17:00 UTC on New Year's Eve is past midnight in China.
    china = ZoneInfo("Asia/Shanghai")
    with override("en"):
        assert date_text(datetime(2027, 1, 1, 9, 0, tzinfo=china)) == "1 Jan"
        assert date_text(datetime(2026, 12, 31, 9, 0, tzinfo=china)) == "31 Dec 2026"
        assert date_text(datetime(2026, 12, 31, 9, 0, tzinfo=UTC)) == "31 Dec"


def test_moments_are_told_by_the_clock_of_the_active_zone():
    with override("en"), timezone.override("America/New_York"):
        assert time_text(MOMENT) == "3 Dec, 05:00"


def test_templates_write_dates_the_same():
    page = Template(
        '{{ at|date:"SHORT_DATETIME_FORMAT" }} · {{ day|date }} · {{ at|date:"c" }} · {{ none|date }}'
    )
    with override("en"), timezone.override("Asia/Shanghai"):
        shown = page.render(Context({"at": MOMENT, "day": date(2026, 5, 1), "none": None}))
    # The zone's new year has begun.
    assert shown == "3 Dec 2026, 18:00 · 1 May 2026 · 2026-12-03T18:00:00+08:00 · "


def test_no_page_has_a_format_of_its_own():
    used = {
        (path.name, form)
        for path in Path("templates").rglob("*.html")
        for form in re.findall(r"\|date:[\"']([^\"']+)", path.read_text())
    }
    assert used
    assert {pair for pair in used if pair[1] not in NEUTRAL | OF_THIS_YEAR.keys()} == set()
