"""Accounting months are in Beijing time."""

from datetime import UTC, date, datetime

import pytest

from slas.credits.months import InvalidMonth, is_over, month_of, next_month, parse_month, spell, start_of

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-10-31T15:59:59.999999+00:00", OCTOBER),
        ("2026-10-31T16:00:00+00:00", NOVEMBER),
        ("2026-11-01T00:00:00+08:00", NOVEMBER),
        ("2026-10-31T12:00:00-04:00", NOVEMBER),
        ("2024-02-29T23:59:00+08:00", date(2024, 2, 1)),
        ("2026-12-31T16:00:00+00:00", date(2027, 1, 1)),
    ],
)
def test_a_moment_belongs_to_the_month_beijing_has_then(moment: str, month: date) -> None:
    assert month_of(datetime.fromisoformat(moment)) == month


def test_a_moment_has_a_zone() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        month_of(datetime(2026, 11, 1))  # noqa: DTZ001 -- what is refused


def test_months_follow_each_other() -> None:
    assert next_month(OCTOBER) == NOVEMBER
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2024, 1, 31)) == date(2024, 2, 1)


def test_a_month_is_over_at_midnight_in_beijing() -> None:
    midnight = datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert start_of(NOVEMBER) == midnight
    assert is_over(OCTOBER, midnight)
    assert not is_over(OCTOBER, midnight.replace(hour=15, minute=59))


def test_months_round_trip() -> None:
    assert parse_month(spell(NOVEMBER)) == NOVEMBER


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "1999-01", "２０２６-11"]
)
def test_invalid_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidMonth):
        parse_month(text)
