"""Landmarks: the stage at a moment, and the marks of a delivery."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.choices import Measure, Stage
from slas.commitments.histograms import MEASURE_STEP
from slas.commitments.landmarks import (
    EARLY,
    HOURS,
    STAGE_COLUMNS,
    STAGES,
    Journey,
    measure_of,
    progress_marks,
)

DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def journey(**hours: float) -> Journey:
    """A journey by hours before the promise."""
    return Journey(*(DUE - hours[name] * HOUR if name in hours else None for name in ("ready", *STAGES[1:])))


def marks(journey: Journey, *, reached: float) -> list[tuple[str, int, int]]:
    """Stage, hours before the promise, bin; of a parcel attempted so many hours before it."""
    result = progress_marks(journey, due_at=DUE, reached_at=DUE - reached * HOUR)
    pairs = (divmod(mark, MEASURE_STEP) for mark in result)
    return [(STAGES[m % 10].value, HOURS[(m - Measure.PROGRESS) // 10], number) for m, number in pairs]


def test_columns_are_in_the_order_of_the_stages() -> None:
    assert Journey._fields == STAGE_COLUMNS
    assert [name.removesuffix("_at") for name in STAGE_COLUMNS[1:]] == [stage.value for stage in STAGES[1:]]


@pytest.mark.parametrize(
    ("hours", "stage"),
    [
        (31, None),
        (30, Stage.BOOKED),
        (26, Stage.PICKED_UP),
        (9.01, Stage.PICKED_UP),
        (9, Stage.ARRIVED),
        (0, Stage.ARRIVED),
    ],
)
def test_stage_at_a_moment(hours: float, stage: Stage | None) -> None:
    assert journey(ready=30, picked_up=26, arrived=9).stage_at(DUE - hours * HOUR) == stage


def test_scans_out_of_order_count_by_how_far_they_are() -> None:
    assert journey(ready=30, arrived=20, departed=10).stage_at(DUE) == Stage.ARRIVED
    assert journey(arrived=20, departed=10).furthest == (Stage.ARRIVED, DUE - 20 * HOUR)
    assert Journey(None).furthest == (Stage.BOOKED, None)


@pytest.mark.parametrize(
    ("parcel", "reached", "expected"),
    [
        # Early: one mark a landmark until it was attempted, five hours early.
        (
            journey(ready=30, picked_up=26, out_for_delivery=9),
            5,
            [
                ("picked_up", 24, EARLY + 19),
                ("picked_up", 20, EARLY + 19),
                ("picked_up", 16, EARLY + 19),
                ("picked_up", 12, EARLY + 19),
                ("out_for_delivery", 6, EARLY + 19),
            ],
        ),
        # Late by half an hour: all landmarks since it was ready.
        (
            journey(ready=7, picked_up=4, out_for_delivery=2),
            -0.5,
            [("booked", 6, 1), ("picked_up", 3, 1), ("out_for_delivery", 1, 1)],
        ),
        # Attempted at a landmark: no longer on its way then.
        (journey(ready=13), 12, []),
        # Never known to be ready, or only after the promise.
        (Journey(None), 0, []),
        (journey(ready=-1), -3, []),
    ],
)
def test_marks_of_a_delivery(parcel: Journey, reached: float, expected: list[tuple[str, int, int]]) -> None:
    assert marks(parcel, reached=reached) == expected


times = st.none() | st.floats(-100, 100)


@given(st.tuples(times, times, times, times, times), st.floats(-100, 100))
def test_marks_are_at_most_one_a_landmark_and_agree_on_the_margin(
    stages: tuple[float | None, ...], reached: float
) -> None:
    parcel = Journey(*(None if hours is None else DUE - hours * HOUR for hours in stages))
    result = marks(parcel, reached=reached)
    landmarks = [hours for _stage, hours, _number in result]
    assert landmarks == sorted(set(landmarks), reverse=True)
    assert len({number for _stage, _hours, number in result}) <= 1
    assert all(hours > reached for hours in landmarks)


def test_measures_are_distinct_and_above_all_others() -> None:
    measures = {measure_of(number, stage) for number in range(len(HOURS)) for stage in STAGES}
    assert len(measures) == len(HOURS) * len(STAGES)
    assert min(measures) == Measure.PROGRESS == max(Measure)
