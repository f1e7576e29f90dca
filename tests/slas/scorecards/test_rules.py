"""Scoring a courier's month: values, bands, points, weights, grades, ranks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couriers.choices import Grade
from slas.choices import ScoreComponent
from slas.scorecards.rules import (
    Band,
    Counts,
    Measured,
    Month,
    Rules,
    final_on,
    grade_of,
    judge_month,
    lines,
    measure,
    month_after,
    month_of,
    next_band,
    points_of,
    score_of,
)
from tests.slas.helpers.scorecard_cases import RULES, month

C = ScoreComponent

# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # 90 of 100 on time, 4 of the 10 others excused: 90 of 96 count.
        (Counts(met=90, late=8, overdue=2, excused=4), {C.DELIVERY_ON_TIME: (0.9375, 96)}),
        (Counts(pickups_met=45, pickups_missed=5), {C.PICKUP_ON_TIME: (0.9, 50)}),
        # An excused pickup is not held against the courier either.
        (Counts(pickups_met=45, pickups_missed=5, pickups_excused=5), {C.PICKUP_ON_TIME: (1.0, 45)}),
        (Counts(attempted=80, first_attempt=76), {C.FIRST_ATTEMPT: (0.95, 80)}),
        (Counts(met=90, late=10, within_72h=84), {C.WITHIN_72H: (0.84, 100)}),
        # Three late by more than a day, two still missing.
        (Counts(met=90, late=8, overdue=2, over_a_day=3), {C.LATENESS: (0.05, 100)}),
        # No more of them than stand against the courier: nine of the ten are excused.
        (Counts(met=90, late=8, overdue=2, excused=9, over_a_day=3), {C.LATENESS: (0.01, 100)}),
        # To a hundredth of a percent: 2 of 3.
        (Counts(met=2, late=1), {C.DELIVERY_ON_TIME: (0.6667, 3)}),
        # All excused: nothing is left to judge the rate by.
        (Counts(late=5, excused=5), {C.DELIVERY_ON_TIME: (None, 0), C.LATENESS: (0.0, 5)}),
    ],
)
def test_values_follow_from_the_counts(counts: Counts, expected: dict[C, tuple[float | None, int]]) -> None:
    measured = measure(counts).components
    assert {name: tuple(measured[name]) for name in expected} == expected


def test_a_month_without_anything_has_no_values() -> None:
    nothing = measure(Counts())
    assert nothing.volume == 0
    assert set(nothing.components.values()) == {Measured(None, 0)}
    assert set(nothing.components) == set(C)


# --- bands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("component", "value", "points", "needed"),
    [
        # At or above the threshold is in the band.
        (C.DELIVERY_ON_TIME, 1.0, 100, None),
        (C.DELIVERY_ON_TIME, 0.98, 100, None),
        (C.DELIVERY_ON_TIME, 0.9799, 90, 0.98),
        (C.DELIVERY_ON_TIME, 0.95, 80, 0.96),
        (C.DELIVERY_ON_TIME, 0.85, 25, 0.90),
        (C.DELIVERY_ON_TIME, 0.8499, 0, 0.85),
        (C.DELIVERY_ON_TIME, 0.0, 0, 0.85),
        (C.PICKUP_ON_TIME, 0.97, 80, 0.98),
        (C.FIRST_ATTEMPT, 0.9399, 75, 0.94),
        (C.WITHIN_72H, 0.7999, 25, 0.80),
        # Lower is better: at or below.
        (C.LATENESS, 0.0, 100, None),
        (C.LATENESS, 0.005, 100, None),
        (C.LATENESS, 0.0051, 90, 0.005),
        (C.LATENESS, 0.05, 25, 0.03),
        (C.LATENESS, 0.0501, 0, 0.05),
        (C.LATENESS, 1.0, 0, 0.05),
    ],
)
def test_value_has_its_band_and_the_next(
    component: C, value: float, points: int, needed: float | None
) -> None:
    bands = RULES.bands[component]
    assert points_of(component, value, bands) == points
    above = next_band(component, value, bands)
    assert (above and above.threshold) == needed


def test_a_ratio_equal_to_a_threshold_reaches_it() -> None:
    """19 of 20 is 95 %, and no rounding of binary fractions takes it away."""
    for met in range(1, 1000):
        whole = measure(Counts(met=met, late=1000 - met)).components[C.DELIVERY_ON_TIME]
        assert whole.value == met / 1000 == float(f"0.{met:03d}")


# --- scores -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ({}, "100.00"),
        # 40 % of 80 points instead of 100.
        ({"delivery_on_time": 0.95}, "92.00"),
        ({"delivery_on_time": 0.95, "lateness": 0.025}, "84.50"),
        ({"delivery_on_time": 0.80}, "60.00"),
        # Nothing attempted: the other 85 % are the whole. (40 x 80 + 45 x 100) / 85.
        ({"delivery_on_time": 0.95, "first_attempt": None}, "90.59"),
        # One component is left, and is all of it.
        (
            {"delivery_on_time": 0.93, "pickup_on_time": None, "first_attempt": None,
             "within_72h": None, "lateness": None},
            "65.00",
        ),
        ({"delivery_on_time": 0.0, "pickup_on_time": 0.0, "first_attempt": 0.0, "within_72h": 0.0,
          "lateness": 1.0}, "0.00"),
    ],
)  # fmt: skip
def test_a_score_is_the_weighted_points(values: dict[str, float | None], score: str) -> None:
    assert score_of(month(**values), RULES) == Decimal(score)


def test_without_any_value_there_is_no_score() -> None:
    assert score_of(measure(Counts()), RULES) is None


def test_lines_show_what_each_component_adds() -> None:
    shown = {line.component: line for line in lines(month(delivery_on_time=0.95, first_attempt=None), RULES)}
    on_time, attempts = shown[C.DELIVERY_ON_TIME], shown[C.FIRST_ATTEMPT]
    assert (on_time.points, on_time.band, on_time.next_band) == (80, Band(0.94, 80), Band(0.96, 90))
    assert (on_time.weight, round(on_time.share, 4), on_time.adds) == (40, 0.4706, Decimal("37.65"))
    assert (attempts.value, attempts.points, attempts.share, attempts.adds) == (None, None, 0.0, 0)
    assert shown[C.LATENESS].component.lower_is_better


# --- grades and ranks -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "volume", "grade"),
    [
        ("100", 400, Grade.GOLD),
        ("85.00", 400, Grade.GOLD),
        ("84.99", 400, Grade.SILVER),
        ("75", 400, Grade.SILVER),
        ("74.99", 400, Grade.MEMBER),
        ("50", 400, Grade.MEMBER),
        ("49.99", 400, Grade.PROBATION),
        ("0", 400, Grade.PROBATION),
        ("100", 100, Grade.GOLD),
        # Below the minimum volume no grade changes, however good or bad.
        ("100", 99, None),
        ("0", 99, None),
        (None, 400, None),
    ],
)
def test_a_grade_follows_from_score_and_volume(score: str | None, volume: int, grade: Grade | None) -> None:
    assert grade_of(score and Decimal(score), volume, RULES) == grade


def test_ranks_are_shared_and_skip() -> None:
    cards = judge_month(
        {
            1: month(),
            2: month(delivery_on_time=0.95),
            3: month(delivery_on_time=0.95),
            4: month(delivery_on_time=0.5),
            # Perfect, but too small to be ranked.
            5: month(volume=99),
            6: measure(Counts()),
        },
        RULES,
    )
    assert {courier: (card.rank, card.ranked) for courier, card in cards.items()} == {
        1: (1, 4), 2: (2, 4), 3: (2, 4), 4: (4, 4), 5: (None, 4), 6: (None, 4),
    }  # fmt: skip
    assert (cards[5].score, cards[5].grade) == (Decimal(100), None)
    assert cards[6].score is None


# --- months -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 10, 31), 1, date(2026, 11, 1)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
        (date(2024, 2, 29), 12, date(2025, 2, 1)),
        (date(2026, 11, 22), -11, date(2025, 12, 1)),
    ],
)
def test_months_are_counted_on_and_back(day: date, months: int, expected: date) -> None:
    assert month_after(month_of(day), months) == expected


def test_a_month_is_final_three_weeks_into_the_next() -> None:
    assert final_on(date(2026, 10, 1)) == date(2026, 11, 21)
    assert final_on(date(2026, 12, 1)) == date(2027, 1, 21)


# --- properties -------------------------------------------------------------------------------

shares = st.integers(0, 10_000).map(lambda number: number / 10_000)


@st.composite
def bands(draw: st.DrawFn, component: C) -> tuple[Band, ...]:
    count = draw(st.integers(1, 6))
    thresholds = sorted(draw(st.sets(shares, min_size=count, max_size=count)))
    points = sorted(draw(st.sets(st.integers(0, 100), min_size=count, max_size=count)), reverse=True)
    ordered = thresholds if component.lower_is_better else thresholds[::-1]
    return tuple(map(Band, ordered, points))


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    """Any rules that pass the checks: weights of 100 in all, monotone bands, falling thresholds."""
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(C) - 1, max_size=len(C) - 1)))
    weights = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    member, silver, gold = sorted(draw(st.sets(st.integers(0, 100), min_size=3, max_size=3)))
    return Rules(
        dict(zip(C, weights, strict=True)),
        {name: draw(bands(name)) for name in C},
        {Grade.GOLD: gold, Grade.SILVER: silver, Grade.MEMBER: member},
        draw(st.integers(1, 500)),
    )


@st.composite
def months(draw: st.DrawFn) -> Month:
    values = {name: draw(st.none() | shares) for name in C}
    measured = {name: Measured(value, 0 if value is None else 50) for name, value in values.items()}
    return Month(measured, draw(st.integers(0, 1000)))


@given(rules(), months(), st.sampled_from(C), shares)
def test_a_better_value_never_lowers_the_score_or_the_grade(
    rules: Rules, before: Month, name: C, other: float
) -> None:
    value = before.components[name].value
    if value is None:
        return
    best: Callable[[float, float], float] = min if name.lower_is_better else max
    better = replace(before, components={**before.components, name: Measured(best(value, other), 50)})
    low, high = score_of(before, rules), score_of(better, rules)
    assert (low is None and high is None) or high >= low
    order = [*Grade]
    grades = grade_of(low, before.volume, rules), grade_of(high, better.volume, rules)
    if None not in grades:
        assert order.index(grades[1]) <= order.index(grades[0])


@given(rules(), months())
def test_a_score_lies_between_its_components(rules: Rules, month: Month) -> None:
    score = score_of(month, rules)
    counted = [line for line in lines(month, rules) if line.points is not None and line.weight]
    if not counted:
        assert score is None
        return
    cent = Decimal("0.01")
    assert min(line.points for line in counted) - cent <= score <= max(line.points for line in counted) + cent
    assert 0 <= score <= 100


@given(rules(), months())
def test_shares_add_up_to_the_whole_whatever_is_missing(rules: Rules, month: Month) -> None:
    shown = lines(month, rules)
    assert sum(line.weight for line in shown) == 100
    if score_of(month, rules) is not None:
        assert sum(line.share for line in shown) == pytest.approx(1)
        # Each is rounded to a hundredth.
        assert abs(sum(line.adds for line in shown) - score_of(month, rules)) <= Decimal("0.03")
    assert all(line.share == 0 for line in shown if line.value is None)


@given(rules(), months(), st.sampled_from(C))
def test_component_without_a_value_is_left_out_of_the_weighting(rules: Rules, month: Month, name: C) -> None:
    without = replace(month, components={**month.components, name: Measured(None, 0)})
    smaller = replace(
        rules, weights={other: weight for other, weight in rules.weights.items() if other != name}
    )
    assert score_of(without, rules) == score_of(month, smaller)


@given(rules(), st.lists(months(), max_size=8))
def test_ranks_order_by_score(rules: Rules, several: list[Month]) -> None:
    cards = list(judge_month(dict(enumerate(several)), rules).values())
    ranked = [card for card in cards if card.rank is not None]
    assert all(card.ranked == len(ranked) for card in cards)
    assert all((card.rank is None) == (card.grade is None) for card in cards)
    for one in ranked:
        for other in ranked:
            assert (one.rank < other.rank) == (one.score > other.score)
