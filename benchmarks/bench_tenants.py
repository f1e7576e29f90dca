"""Calls in an alliance of a million merchants, each beside the same call in one of a thousand.

Both have a database and a web server of their own in the same run, and each call is sent to one and at once
to the other: what else the machine does meanwhile slows both. With --full there are ten million merchants.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchmarks.clients import Caller
from benchmarks.rows import Goal, Row

if TYPE_CHECKING:
    from benchmarks.tenants_calls import Calls

# Numbers of merchants.
OWN_SIZES = (1_000, 1_000_000)
FULL_SIZES = (1_000, 10_000_000)
# Calls to each server, calls before those, and the seconds that those of one kind to each may take.
CALLS, WARM_UP, SECONDS = 40, 4, 0.75


def run(sizes: Sequence[int]) -> Iterator[Row]:
    """Measure every kind of call in both alliances."""
    from benchmarks import tenants_calls, tenants_world  # noqa: PLC0415 -- after django.setup()

    with tenants_world.open_tenants(min(sizes), max(sizes)) as world:
        callers = [Caller(port) for port in world.ports]
        for calls in tenants_calls.calls_of(world):
            few, many = _in_turns(callers, calls)
            yield Row(
                f"{calls.name}, {world.many:,} merchants",
                1000 * statistics.median(many),
                1000 * statistics.median(few),
                f"{world.few:,} merchants",
                Goal(ratio_most=1.3),
                {"calls": len(many), "p90": f"{1000 * statistics.quantiles(many, n=10)[-1]:.1f} ms"},
                unit="ms",
            )


def _in_turns(callers: Sequence[Caller], calls: "Calls") -> tuple[list[float], list[float]]:
    """Send each request to both servers, who is first by turns; return the seconds of each call."""
    durations: tuple[list[float], list[float]] = ([], [])
    begun = 0.0
    for place in range(WARM_UP + CALLS):
        if place == WARM_UP:
            begun = time.perf_counter()
        request = calls.requests[place % len(calls.requests)]
        for side in (0, 1) if place % 2 else (1, 0):
            took = _ask(callers[side], request, calls)
            if place >= WARM_UP:
                durations[side].append(took)
        # Quantiles need two of each.
        if place > WARM_UP and time.perf_counter() - begun > 2 * SECONDS:
            break
    return durations


def _ask(caller: Caller, request: bytes, calls: "Calls") -> float:
    begun = time.perf_counter()
    answer = caller.ask(request)
    took = time.perf_counter() - begun
    if answer.status != calls.status:
        raise RuntimeError(f"{calls.name}: {answer.status}, not {calls.status}: {answer.body[:300]!r}")
    return took
