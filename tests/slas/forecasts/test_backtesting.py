"""The replay: only data known at the time is used, and scores are right."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from slas.choices import Stage
from slas.commitments.landmarks import Journey
from slas.forecasts.backtesting import Method, Past, Report, Score, replay
from slas.forecasts.rules import Basis, Forecast

ZONE = ZoneInfo("Asia/Shanghai")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# 20:00 in Shanghai.
FIRST_DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def past(day: int, margin: float | None, *, picked_up: float = 26, courier: int = 9) -> Past:
    """A parcel due on that day at 20:00, attempted so many hours after (before, when negative)."""
    due_at = FIRST_DUE + day * DAY
    journey = Journey(due_at - 30 * HOUR, due_at - picked_up * HOUR)
    reached_at = None if margin is None else due_at + margin * HOUR
    return Past(2, courier, 1, 5, journey, due_at, due_at.astimezone(ZONE).date(), reached_at)


def replayed(pasts: list[Past], *, day: int, days: int = 1) -> Report:
    first = (FIRST_DUE + day * DAY).astimezone(ZONE).date()
    return replay(pasts, first=first, last=first + (days - 1) * DAY, zone=ZONE)


def of(report: Report, moment: str, method: Method = Method.TIME_LEFT) -> Score:
    return report.moments[method, moment]


def test_forecast_uses_history_before_the_day() -> None:
    known = [past(day, 0.5 if number < 4 else -0.5) for day in range(5) for number in range(20)]
    report = replayed([*known, past(5, -0.5), past(5, 0.5)], day=5)
    score = of(report, "2 h before")
    # One in five was late; of the two of the day one is.
    assert (score.n, score.late) == (2, 1)
    assert score.brier == pytest.approx((0.2**2 + 0.8**2) / 2)
    assert score.base_brier == 0.25
    assert [band for band, (n, *_rest) in enumerate(score.bands) if n] == [2]
    assert report.bases[Method.TIME_LEFT, Basis.COURIER_LANE].n == report.overall[Method.TIME_LEFT].n


def test_forecast_ignores_the_day_itself_and_later() -> None:
    same_day = [past(5, 0.5) for _number in range(50)]
    later = [past(6, 0.5) for _number in range(50)]
    report = replayed([*same_day, *later], day=5)
    assert report.overall == {}
    assert report.unknown[Method.TIME_LEFT] > 0


def test_forecast_ignores_later_attempts() -> None:
    """Due the day before, but attempted only after the forecast: its lateness must not leak."""
    early = [past(4, -0.5) for _number in range(40)]
    very_late = [past(4, 30) for _number in range(40)]
    report = replayed([*early, *very_late, past(5, -0.5)], day=5)
    assert of(report, "1 h before").brier == 0.0


def test_history_older_than_28_days_is_dropped() -> None:
    old = [past(0, 0.5) for _number in range(50)]
    assert of(replayed([*old, past(28, 0.5)], day=28), "1 h before").n == 1
    report = replayed([*old, past(29, 0.5)], day=29)
    assert (Method.TIME_LEFT, "1 h before") not in report.moments


def test_only_open_deliveries_are_forecast() -> None:
    known = [past(day, -0.5) for day in range(4) for _number in range(40)]
    report = replayed([*known, past(4, -5)], day=4)
    assert of(report, "6 h before").n == 1
    assert (Method.TIME_LEFT, "4 h before") not in report.moments


def test_never_attempted_is_late_and_by_no_time() -> None:
    known = [past(day, 0.5) for day in range(4) for _number in range(40)]
    score = of(replayed([*known, past(4, None)], day=4), "1 h before")
    assert (score.late, score.by_p50, score.by_p90, score.brier) == (1, 0, 0, 0.0)


def test_clockwork_couriers_are_foreseen_by_the_clock_and_not_by_durations() -> None:
    """Picked up in the evening or the morning, at the door the same afternoon: one in ten is late."""
    random = Random(7)
    pasts = [
        past(
            day,
            random.uniform(0.1, 2) if random.random() < 0.1 else random.uniform(-6, -0.1),
            picked_up=random.uniform(14, 29),
        )
        for day in range(40)
        for _number in range(30)
    ]
    report = replayed(pasts, day=30, days=10)
    ours, durations = report.overall[Method.TIME_LEFT], report.overall[Method.DURATIONS]
    assert ours.brier < ours.base_brier < durations.brier
    assert ours.by_p90 / ours.n == pytest.approx(0.9, abs=0.05)
    for n, said, late in ours.bands:
        if n > 200:
            assert late / n == pytest.approx(said / n, abs=0.08)


def test_scores() -> None:
    score = Score()
    for chance, margin in ((0.0, -1), (1.0, 1), (0.5, 1), (0.95, -1)):
        said = Forecast(FIRST_DUE, FIRST_DUE + 2 * HOUR, chance, Basis.TIER)
        score.add(past(0, margin), said)
    assert (score.n, score.late, score.by_p50, score.by_p90) == (4, 2, 2, 4)
    assert score.brier == pytest.approx((0.25 + 0.95**2) / 4)
    assert score.skill == pytest.approx(1 - score.brier / 0.25)
    assert [n for n, _said, _late in score.bands] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    certain = Score()
    certain.add(past(0, -1), Forecast(FIRST_DUE, FIRST_DUE, 0.0, Basis.TIER))
    assert certain.skill is None


def test_positions_are_those_of_the_stage_at_the_moment() -> None:
    assert past(0, 0).position(Stage.PICKED_UP).stage == Stage.PICKED_UP
