"""Bins: edges, and the same rule in Python and SQL."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.tenancy import raw_rows
from slas.commitments import histograms

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("duration", "number"),
    [
        (-DAY, 0),
        (timedelta(0), 0),
        (INSTANT, 0),
        (15 * MINUTE, 0),
        (15 * MINUTE + INSTANT, 1),
        (12 * HOUR, 47),
        (12 * HOUR + INSTANT, 48),
        (DAY, 71),
        (DAY + INSTANT, 72),
        (2 * DAY, 119),
        (3 * DAY, 131),
        (10 * DAY, 215),
        (60 * DAY, 265),
        (60 * DAY + INSTANT, 266),
        (1000 * DAY, 266),
    ],
)
def test_bins(duration: timedelta, number: int) -> None:
    assert histograms.bin_of(duration) == number


@given(st.timedeltas(min_value=INSTANT, max_value=60 * DAY))
def test_bin_contains_its_durations(duration: timedelta) -> None:
    low, high = histograms.bounds(histograms.bin_of(duration))
    assert low < duration <= high


def test_bins_leave_no_gap() -> None:
    bounds = [histograms.bounds(number) for number in range(histograms.LAST_BIN + 1)]
    assert all(before[1] == after[0] for before, after in zip(bounds, bounds[1:], strict=False))
    assert {n * DAY for n in range(1, 61)} <= {high for _low, high in bounds}


@pytest.mark.parametrize("number", [-1, histograms.LAST_BIN + 1])
def test_there_are_no_other_bins(number: int) -> None:
    with pytest.raises(ValueError, match="no bin"):
        histograms.bounds(number)


@pytest.mark.django_db
def test_sql_is_the_same_rule() -> None:
    edges = [edge + shift for edge in histograms.EDGES for shift in (-INSTANT, timedelta(0), INSTANT)]
    durations = [timedelta(0), -DAY, 99 * DAY, *edges]
    source = "unnest(%s::interval[]) WITH ORDINALITY AS x (d, n)"
    rows = raw_rows(f"SELECT {histograms.sql_bin('d')} FROM {source} ORDER BY n", [durations])
    assert [row[0] for row in rows] == [histograms.bin_of(duration) for duration in durations]
