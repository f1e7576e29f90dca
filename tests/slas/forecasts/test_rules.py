"""Forecasts: the arithmetic against counting parcels one by one, and properties of all histories."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isclose

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slas.choices import Stage
from slas.commitments.landmarks import EARLY, LANDMARKS, margin_bin, margin_bounds, measure_of
from slas.forecasts.rules import MANY, Basis, Curve, Forecast, Group, Mixture, Position, forecast, weights

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
POSITION = Position(tier_id=2, courier_id=9, origin_id=1, destination_id=5, stage=Stage.PICKED_UP, due_at=DUE)
COURIER_LANE, COURIER, LANE, TIER = (group for _basis, group in POSITION.groups)
# Minutes between an attempt and its promise: mostly early, some late.
margins = st.lists(st.integers(-2_000, 600), min_size=1, max_size=60)


def curve(minutes: list[int]) -> Curve:
    return Curve(Counter(margin_bin(minute * MINUTE) for minute in minutes))


def known(histories: dict[Group, list[int]]) -> Callable[[Group, int], Curve]:
    """The same history at each landmark, for a parcel that has been picked up."""
    measures = {measure_of(number, Stage.PICKED_UP) for number in range(len(LANDMARKS))}

    def curve_of(group: Group, measure: int) -> Curve:
        return curve(histories.get(group, [])) if measure in measures else Curve({})

    return curve_of


def said(left: timedelta, histories: dict[Group, list[int]], *, position: Position = POSITION) -> Forecast:
    return forecast(position, now=position.due_at - left, curve_of=known(histories))


# --- bins ---


@pytest.mark.parametrize(
    ("margin", "number"),
    [
        (timedelta(0), EARLY),
        (-15 * MINUTE, EARLY),
        (-15 * MINUTE - timedelta(microseconds=1), EARLY + 1),
        (timedelta(microseconds=1), 0),
        (15 * MINUTE, 0),
        (16 * MINUTE, 1),
        (-24 * HOUR, EARLY + 71),
        (timedelta(days=99), 266),
        (timedelta(days=-99), EARLY + 266),
    ],
)
def test_the_promise_is_an_edge_between_bins(margin: timedelta, number: int) -> None:
    assert margin_bin(margin) == number


@given(st.timedeltas(timedelta(days=-59), timedelta(days=59)))
def test_a_bin_holds_the_margins_that_fall_into_it(margin: timedelta) -> None:
    low, high = margin_bounds(margin_bin(margin))
    assert low <= margin <= high
    assert (low >= timedelta(0)) == (margin > timedelta(0))


# --- curves ---


@given(margins, st.integers(-3_000, 1_000))
def test_curve_counts_margins_beyond_to_within_a_bin(minutes: list[int], minute: int) -> None:
    """At the edges of bins exactly; within one, as if its parcels lay evenly in it."""
    low, high = margin_bounds(margin_bin(minute * MINUTE))
    surely = sum(value * MINUTE > high for value in minutes)
    perhaps = sum(margin_bin(value * MINUTE) == margin_bin(minute * MINUTE) for value in minutes)
    result = curve(minutes).beyond(minute * 60)
    share = (high - minute * MINUTE) / (high - low)
    assert isclose(result, surely + perhaps * share, abs_tol=1e-9)


@given(margins, margins, st.integers(-3_000, 1_000))
def test_histograms_merge_to_the_union(one: list[int], other: list[int], minute: int) -> None:
    together = Mixture([(curve(one), 1.0), (curve(other), 1.0)])
    assert isclose(together.beyond(minute * 60), curve(one + other).beyond(minute * 60), abs_tol=1e-9)


@given(margins, st.floats(0.001, 0.999))
def test_quantile_is_the_inverse_of_beyond(minutes: list[int], share: float) -> None:
    mixture = Mixture([(curve(minutes), 0.7), (curve(minutes[:1]), 0.3)])
    wanted = mixture.beyond(-1e9) * share
    assert isclose(mixture.beyond(mixture.second_with(wanted)), wanted, rel_tol=1e-6, abs_tol=1e-6)


# --- landmarks ---


@given(st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_landmarks_around_a_moment_weigh_one_together(left: timedelta) -> None:
    result = weights(left)
    assert isclose(sum(weight for _number, weight in result), 1)
    if LANDMARKS[-1] <= left <= LANDMARKS[0]:
        total = sum((LANDMARKS[number] * weight for number, weight in result), timedelta(0))
        assert abs(total - left) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (100, {0: 1.0}),
        (72, {0: 1.0}),
        (60, {0: 0.5, 1: 0.5}),
        (24, {2: 1.0}),
        (18, {3: 0.5, 4: 0.5}),
        (4, {6: 1 / 3, 7: 2 / 3}),
        (1, {8: 1.0}),
        (0.5, {8: 1.0}),
        (-5, {8: 1.0}),
    ],
)
def test_which_landmarks_a_parcel_is_between(hours: float, expected: dict[int, float]) -> None:
    assert dict(weights(hours * HOUR)) == pytest.approx(expected)


# --- forecasts ---


def test_chance_is_the_share_late_of_those_still_out() -> None:
    # 60 came 10 hours early, 30 one hour early, 10 two hours late.
    history = {COURIER_LANE: [-600] * 60 + [-60] * 30 + [120] * 10}
    early, late = said(12 * HOUR, history), said(4 * HOUR, history)
    assert (early.chance, early.n, early.basis) == (pytest.approx(0.1), 100, Basis.COURIER_LANE)
    assert (late.chance, late.n) == (pytest.approx(0.25), 40)
    assert late.p50_at is not None
    assert DUE - 60 * MINUTE <= late.p50_at <= DUE - 45 * MINUTE
    assert late.p90_at is not None
    assert DUE + 105 * MINUTE <= late.p90_at <= DUE + 120 * MINUTE


def test_merchants_day_moves_the_arrival_and_not_the_judged_time() -> None:
    # 60 came 10 hours early, 30 one hour early, 10 two hours late.
    history = {COURIER_LANE: [-600] * 60 + [-60] * 30 + [120] * 10}
    judged = replace(POSITION, judged_at=DUE - 24 * HOUR)
    plain, moved = (said(36 * HOUR, history, position=place) for place in (POSITION, judged))
    assert (moved.p50_at, moved.p90_at, moved.n) == (plain.p50_at, plain.p90_at, plain.n)
    # All come on the day agreed on, which is after the one it is judged by.
    assert (plain.chance, moved.chance) == (pytest.approx(0.1), pytest.approx(1.0))
    past = said(20 * HOUR, history, position=judged)
    assert (past.chance, past.p50_at) == (1.0, plain.p50_at)


def test_without_a_history_a_moved_parcel_comes_on_the_day_agreed_on() -> None:
    judged = replace(POSITION, judged_at=DUE - 24 * HOUR)
    result = said(20 * HOUR, {}, position=judged)
    assert (result.p50_at, result.p90_at, result.chance) == (DUE, DUE, 1.0)


@given(margins, st.integers(1, 4_000), st.integers(0, 600))
def test_a_later_promise_is_never_likelier_to_be_missed(minutes: list[int], left: int, later: int) -> None:
    """Of the same parcels, still out at the same moment, fewer miss a later promise."""
    history = curve(minutes)
    still_out = history.beyond(-left * 60)
    assume(still_out > 0)
    assert history.beyond(later * 60) / still_out <= history.beyond(0) / still_out <= 1


@given(margins, st.integers(1, 4_000))
def test_forecast_equals_counting(minutes: list[int], left: int) -> None:
    result = said(left * MINUTE, {COURIER_LANE: minutes})
    history = curve(minutes)
    still_out = history.beyond(-left * 60)
    if still_out < 1:
        assert result.basis == Basis.PROMISE
        return
    assert result.basis == Basis.COURIER_LANE
    assert result.chance == pytest.approx(history.beyond(0) / still_out)
    assert 0 <= result.chance <= 1
    assert result.p50_at is not None
    assert result.p90_at is not None
    assert DUE - left * MINUTE <= result.p50_at <= result.p90_at
    # Likelier late than not is the same as expected after the promise.
    if not isclose(result.chance, 0.5, abs_tol=1e-6):
        assert (result.chance > 0.5) == (result.p50_at > DUE)


@pytest.mark.parametrize(
    ("histories", "basis", "n"),
    [
        ({COURIER_LANE: MANY, COURIER: 99, LANE: 99, TIER: 99}, Basis.COURIER_LANE, MANY),
        ({COURIER_LANE: MANY - 1, COURIER: 99, LANE: 99, TIER: 99}, Basis.COURIER, 99),
        ({COURIER_LANE: 3, COURIER: 3, LANE: 99, TIER: 99}, Basis.LANE, 99),
        ({COURIER_LANE: 3, COURIER: 3, LANE: 3, TIER: 99}, Basis.TIER, 99),
        # All groups are small: the coarsest has the most data.
        ({COURIER_LANE: 1, COURIER: 2, LANE: 3, TIER: 4}, Basis.TIER, 4),
        ({COURIER_LANE: 2, COURIER: 2}, Basis.COURIER, 2),
        ({}, Basis.PROMISE, 0),
    ],
)
def test_thin_groups_give_way_to_coarser_ones(histories: dict[Group, int], basis: Basis, n: int) -> None:
    result = said(2 * HOUR, {group: [-30] * count for group, count in histories.items()})
    assert (result.basis, result.n) == (basis, n)


def test_thin_is_counted_of_those_still_out() -> None:
    """A hundred parcels say nothing of the last hour when all of them had come long before."""
    result = said(HOUR, {COURIER_LANE: [-600] * 100, COURIER: [-30] * 40})
    assert result.basis == Basis.COURIER


def test_forecast_without_data_is_the_promise() -> None:
    result = said(5 * HOUR, {})
    assert result == Forecast(DUE, DUE, None, Basis.PROMISE)


def test_past_the_promise_it_is_missed_for_certain() -> None:
    assert said(timedelta(0), {}).chance == said(-HOUR, {}).chance == 1.0
    assert said(-HOUR, {}).p50_at is None
    result = said(-HOUR, {COURIER_LANE: [-30] * 90 + [600] * 40})
    assert (result.chance, result.n) == (1.0, 40)
    assert result.p50_at is not None
    assert result.p50_at > DUE + 9 * HOUR


def test_between_landmarks_histories_are_mixed() -> None:
    """Half way between 20 and 16 hours before, each of the two histories counts half."""

    def curve_of(group: Group, measure: int) -> Curve:
        late = {measure_of(3, Stage.PICKED_UP): 0, measure_of(4, Stage.PICKED_UP): 50}.get(measure)
        return Curve({}) if late is None else curve([-60] * (100 - late) + [60] * late)

    result = forecast(POSITION, now=DUE - 18 * HOUR, curve_of=curve_of)
    assert result.chance == pytest.approx(0.25)


def test_stage_not_reached_that_early_falls_back_to_a_later_landmark() -> None:
    def curve_of(group: Group, measure: int) -> Curve:
        return curve([-30] * 8) if (group, measure) == (TIER, measure_of(5, Stage.PICKED_UP)) else Curve({})

    assert forecast(POSITION, now=DUE - 30 * HOUR, curve_of=curve_of).basis == Basis.TIER
    assert forecast(POSITION, now=DUE - HOUR, curve_of=curve_of).basis == Basis.PROMISE
