"""Sides are measured in turns, and compared within each round."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.clients import LoadResult
from benchmarks.rows import Goal, Row
from benchmarks.turns import Side, in_turns, rate_row, ratios, time_row
from benchmarks.watching import Watch

FAST, SLOW = LoadResult(200, 1.0, [0.005] * 200), LoadResult(50, 1.0, [0.02] * 50)


def test_every_other_round_is_in_reverse_order() -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[[], LoadResult]:
        def measure() -> LoadResult:
            order.append(name)
            return LoadResult(1, 1.0)

        return measure

    sides = in_turns(Watch({}), {name: noting(name) for name in "abc"}, rounds=3)
    assert "".join(order) == "abc" + "cba" + "abc"
    assert {name: len(side.rounds) for name, side in sides.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_side_of_another_program_has_its_own_watch() -> None:
    watches = {"floor": Watch({"web": os.getpid()})}
    sides = in_turns(Watch({}), {"ours": lambda: FAST, "floor": lambda: FAST}, rounds=2, watches=watches)
    assert list(sides["floor"].usage.processor) == ["web"]
    assert sides["ours"].usage.processor == {}


def test_a_slow_minute_of_the_machine_does_not_change_the_ratio() -> None:
    # The machine is four times as slow in the second of three rounds; ours is always half of the floor.
    ours = Side([LoadResult(100, 1), LoadResult(25, 1), LoadResult(100, 1)])
    floor = Side([LoadResult(200, 1), LoadResult(50, 1), LoadResult(200, 1)])
    assert ratios(ours.rates, floor.rates) == [0.5, 0.5, 0.5]
    assert ratios([1.0], [0.0]) == []


def test_a_row_has_the_median_of_the_rounds_and_their_quartiles() -> None:
    ours, floor = Side([SLOW, FAST, FAST, SLOW, SLOW]), Side([FAST] * 5)
    row = rate_row("ours", ours, floor, "theirs", Goal(ratio=0.3))
    assert (row.ours, row.floor, row.ratio) == (50, 200, 0.25)
    assert row.missed
    assert "ratio 0.25 (0.25 to 1.00 in 5 rounds); goal ratio 0.3 MISSED" in row.text()
    assert Row.from_json(row.as_json()) == row


def test_times_are_compared_like_rates() -> None:
    row = time_row("slowest", [30.0, 45.0, 20.0], [10.0, 10.0, 10.0], "alone", Goal(ratio_most=4))
    assert (row.ours, row.floor, row.ratio, row.unit) == (30, 10, 3, "ms")
    assert not row.missed
    assert replace(row, ratios=[5.0]).missed


def test_cost_includes_the_clients() -> None:
    side = Side([replace(FAST, processor=0.01)] * 2)
    side.usage.processor["web"] = 0.4
    assert side.cost["client us"] == pytest.approx(50)
    assert side.cost["web us"] == pytest.approx(1_000)
