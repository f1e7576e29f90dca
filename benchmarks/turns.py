"""Measure several sides in turns, round by round, and compare them within each round.

The rate of one machine differs by half from one minute to the next. Two sides that are measured a second
apart have the same minute, so a ratio is worked out in each round, and a row has the median of these and
their quartiles: with quartiles far apart, it says little.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clients import LoadResult, sum_of
from benchmarks.rows import CLIENT, Goal, Row
from benchmarks.watching import Usage, Watch

ROUNDS = 9


@dataclass(slots=True)
class Side:
    """What one side did in each round."""

    rounds: list[LoadResult] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    @property
    def total(self) -> LoadResult:
        return sum_of(self.rounds)

    @property
    def rates(self) -> list[float]:
        return [result.rate for result in self.rounds]

    def slowest(self, share: float) -> list[float]:
        """Return a quantile of the calls' milliseconds in each round."""
        return [result.milliseconds(share) for result in self.rounds]

    @property
    def cost(self) -> dict[str, float]:
        """Microseconds of each program per item, the clients' among them."""
        total = self.total
        items = total.items + total.before
        cost = self.usage.cost(items)
        return {**cost, f"{CLIENT} us": 1e6 * total.processor / items} if items and total.processor else cost

    @property
    def processor_us(self) -> float:
        """Microseconds of all programs per item."""
        return sum(us for name, us in self.cost.items() if name.endswith(" us"))


def in_turns(
    watch: Watch,
    sides: Mapping[str, Callable[[], LoadResult]],
    *,
    rounds: int = ROUNDS,
    watches: Mapping[str, Watch] | None = None,
) -> dict[str, Side]:
    """Run each side once in every round, every other round in reverse order; return them by their names.

    `watches` are those of sides that run in other programs. Memory is read in the last round only: reading a
    database's takes half a second.
    """
    measured = {name: Side() for name in sides}
    for turn in range(rounds):
        for name in sides if turn % 2 == 0 else reversed(sides):
            with (watches or {}).get(name, watch).usage(memory=turn == rounds - 1) as usage:
                result = sides[name]()
            measured[name].rounds.append(result)
            measured[name].usage.add(usage)
    return measured


def rate_row(
    what: str,
    ours: Side,
    floor: Side | None = None,
    floor_is: str = "",
    goal: Goal | None = None,
    **more: Any,
) -> Row:
    """Return a row of the rates of two sides that were measured in turns."""
    notes = {**more.pop("notes", {}), **ours.total.latencies}
    if floor and floor.processor_us and ours.processor_us:
        # On a busy machine, processor times are all that can be compared.
        notes["ratio of processor us"] = f"{floor.processor_us / ours.processor_us:.2f}"
    return Row(
        what,
        statistics.median(ours.rates),
        statistics.median(floor.rates) if floor else None,
        floor_is,
        goal,
        notes,
        ratios=ratios(ours.rates, floor.rates) if floor else [],
        memory=ours.usage.memory,
        cost=ours.cost,
        **more,
    )


def time_row(
    what: str,
    ours: Sequence[float],
    floor: Sequence[float],
    floor_is: str,
    goal: Goal | None = None,
    **more: Any,
) -> Row:
    """Return a row of two times in milliseconds, each with one figure a round."""
    middle = statistics.median
    return Row(
        what, middle(ours), middle(floor), floor_is, goal, unit="ms", ratios=ratios(ours, floor), **more
    )


def ratios(ours: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Return the ratio within each round."""
    return [ours_then / floor_then for ours_then, floor_then in zip(ours, floor, strict=True) if floor_then]
