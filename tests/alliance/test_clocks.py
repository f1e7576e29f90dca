"""Wall clocks through clock changes and over the date line."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alliance.clocks import day_exists, local_clock, wall_clock
from tests.helpers.profiles import scaled
from tests.slas.helpers.journeys import CITIES
from tests.slas.helpers.strategies import TURNING_POINTS, clock_times


@settings(max_examples=scaled(60))
@given(
    point=st.sampled_from(TURNING_POINTS),
    days=st.integers(-1, 1),
    at=clock_times,
    zone_name=st.sampled_from([city.zone for city in CITIES.values()]),
)
@example(TURNING_POINTS[0], 0, time(0, 30), "America/Sao_Paulo")
@example(TURNING_POINTS[6], 1, time(2, 1), "Australia/Lord_Howe")
@example(TURNING_POINTS[7], 0, time(12), "Pacific/Apia")
def test_wall_clock_is_the_first_moment_clocks_show_it_or_later(point, days, at, zone_name):
    day = point.date() + timedelta(days=days)
    expected = datetime.combine(day, at)
    zone = ZoneInfo(zone_name)
    minute = datetime.combine(day, time(0), UTC) - timedelta(hours=15)
    while minute.astimezone(zone).replace(tzinfo=None) < expected:
        minute += timedelta(minutes=1)
    assert wall_clock(day, at, zone_name) == minute


def test_wall_clock_shows_local_time_and_compares_as_a_moment():
    # A ZoneInfo datetime in the repeated hour equals no datetime of another zone, not even itself in UTC.
    first = wall_clock(date(2026, 11, 1), time(1, 30), "America/New_York")
    assert first.isoformat() == "2026-11-01T01:30:00-04:00"
    assert first == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_wall_clock_keeps_seconds_and_fractions():
    at = time(23, 59, 59, 999_999)
    assert wall_clock(date(2026, 3, 2), at, "Asia/Shanghai").time() == at


@pytest.mark.parametrize(
    ("day", "zone_name", "exists"),
    [
        (date(2011, 12, 29), "Pacific/Apia", True),
        (date(2011, 12, 30), "Pacific/Apia", False),
        (date(2011, 12, 31), "Pacific/Apia", True),
        (date(1993, 8, 21), "Pacific/Kwajalein", False),
        (date(2017, 10, 15), "America/Sao_Paulo", True),
    ],
)
def test_day_exists_unless_the_date_line_moved(day, zone_name, exists):
    assert day_exists(day, zone_name) is exists


def test_local_clock_distinguishes_repeated_hours():
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    local_times = [local_clock(moment, "America/New_York").isoformat() for moment in (first, second)]
    assert local_times == ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]
