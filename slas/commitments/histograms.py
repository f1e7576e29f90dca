"""Bins of durations, and the marks that changes move histograms by.

A histogram is rows of (cell, measure, bin, count): adding rows up merges days, lanes and couriers. Bins are a
quarter of an hour wide up to half a day, half an hour up to two days, two hours up to ten days and a day up
to sixty; the last bin holds all longer durations. A bin includes its upper edge and excludes its lower: late
by exactly a day is late by up to a day. Bin 0 also holds zero and negative durations.

A mark is measure * 1000 + bin; a negative mark counts down. The rule exists in Python and in SQL, and a test
checks that the two agree.
"""

from bisect import bisect_left
from datetime import timedelta
from typing import Final

# Width of the bins, and the duration it applies up to.
BANDS: Final = (
    (timedelta(minutes=15), timedelta(hours=12)),
    (timedelta(minutes=30), timedelta(days=2)),
    (timedelta(hours=2), timedelta(days=10)),
    (timedelta(days=1), timedelta(days=60)),
)
MEASURE_STEP: Final = 1000


def _upper_edges() -> tuple[timedelta, ...]:
    edges: list[timedelta] = []
    edge = timedelta(0)
    for width, until in BANDS:
        while edge < until:
            edge += width
            edges.append(edge)
    return tuple(edges)


# EDGES[bin] is the longest duration in a bin; the last bin has none.
EDGES: Final = _upper_edges()
LAST_BIN: Final = len(EDGES)


def bin_of(duration: timedelta) -> int:
    return bisect_left(EDGES, duration)


def bounds(number: int) -> tuple[timedelta, timedelta]:
    """Return a bin's edges, lower excluded, upper included. The last bin is as wide as the one before."""
    if not 0 <= number <= LAST_BIN:
        raise ValueError(f"There is no bin {number}")
    low = EDGES[number - 1] if number else timedelta(0)
    return low, EDGES[number] if number < LAST_BIN else low + BANDS[-1][0]


def sql_bin(interval: str) -> str:
    """Return the SQL of the bin that an interval expression falls into."""
    seconds = f"date_part('epoch', {interval})"
    whens, first, low = [], 0, 0
    for width, until in BANDS:
        step, high = int(width.total_seconds()), int(until.total_seconds())
        number = f"{first} + ceil(({seconds} - {low}) / {step})::int - 1"
        whens.append(f"WHEN {seconds} <= {high} THEN {number if first else f'greatest({number}, 0)'}")
        first, low = first + (high - low) // step, high
    return f"CASE {' '.join(whens)} ELSE {LAST_BIN} END"
