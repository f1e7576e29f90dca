"""Tracking by number, as JSON and as a page, compared to an empty view and a view of one row."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alliance.identifiers import tracking_number
from benchmarks.clients import Caller, LoadResult, get, run_parallel, send_calls, sum_of
from benchmarks.rows import Goal, Row
from benchmarks.watching import Usage
from benchmarks.world import World

ONLY_READS = True
CLIENTS, CALLS, ROUNDS, SECONDS = 4, 1_000, 10, 1.0
JSON, PAGE = "/api/v1/tracking/{}", "/track/{}/"
EMPTY, ONE_ROW = "/api/v1/bench/open", "/api/v1/bench/one-row/{}"
# A sample of all parcels, because old ones are tracked as well as new ones.
_SOME = "SELECT id FROM parcels_parcel TABLESAMPLE BERNOULLI (%s) ORDER BY random() LIMIT %s"


def run(world: World) -> Iterator[Row]:
    """Measure all in turns, so that a slow minute of the machine affects each."""
    numbers = some_numbers(world, CLIENTS * CALLS)
    results: dict[str, list[LoadResult]] = {JSON: [], PAGE: [], EMPTY: [], ONE_ROW: []}
    usage = {path: Usage() for path in results}
    # Uncounted: each thread of the server plans and connects once.
    for path in results:
        _request_all(world, path, numbers)
    for place in range(ROUNDS):
        # Other numbers in each round, because recently read rows are cached.
        rotated = numbers[place * len(numbers) // ROUNDS :] + numbers[: place * len(numbers) // ROUNDS]
        for path, rounds in results.items():
            with world.watch.usage() as round_usage:
                rounds.append(_request_all(world, path, rotated))
            usage[path].add(round_usage)
    for path, name in ((JSON, "tracking JSON by number"), (PAGE, "tracking page")):
        yield from _rows_of(
            f"{name}, {CLIENTS} clients", results[path], results[EMPTY], usage[path], path == JSON
        )
    # The least query of a view: the difference is the cost of all else of tracking.
    row = sum_of(results[ONE_ROW])
    yield Row(
        f"tracking JSON by number, {CLIENTS} clients",
        sum_of(results[JSON]).rate,
        row.rate,
        "a view that reads one row by its key",
        notes={"each round": _rates(results[JSON]), "one row": _rates(results[ONE_ROW])},
    )
    yield Row(
        f"a view that reads one row by its key, {CLIENTS} clients",
        row.rate,
        sum_of(results[EMPTY]).rate,
        "an empty view",
        notes=dict(row.latencies),
        cost=usage[ONE_ROW].cost(row.items),
    )


def some_numbers(world: World, count: int) -> list[str]:
    """Return a random sample of tracking numbers."""
    percent = min(100.0, 200 * count / world.size)
    return [tracking_number(pk) for (pk,) in world.rows(_SOME, [percent, count])]


def _rows_of(
    name: str, results: list[LoadResult], floor: list[LoadResult], usage: Usage, is_goal: bool
) -> Iterator[Row]:
    total = sum_of(results)
    yield Row(
        name,
        total.rate,
        sum_of(floor).rate,
        "an empty view",
        Goal(ratio=0.6) if is_goal else None,
        {"each round": _rates(results), "empty": _rates(floor), **total.latencies},
        memory=usage.memory,
        cost=usage.cost(total.items),
    )
    if is_goal:
        yield Row(
            f"{name}: slowest of a hundred",
            total.milliseconds(0.99),
            total.milliseconds(0.5),
            "the median",
            Goal(ratio_most=4),
            unit="ms",
        )


def _rates(parts: Sequence[LoadResult]) -> list[int]:
    return [round(part.rate) for part in parts]


def _request_all(world: World, path: str, numbers: Sequence[str]) -> LoadResult:
    jobs = [(world.port, path, numbers[client::CLIENTS]) for client in range(CLIENTS)]
    return run_parallel(_one_by_one, jobs)


# --- in client processes ---------------------------------------------------------------------


def _one_by_one(ready: Callable[[], Any], port: int, path: str, numbers: Sequence[str]) -> LoadResult:
    calls = [get(path.format(number)) for number in numbers]
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    return send_calls(itertools.islice(itertools.cycle(calls), CALLS), caller, seconds=SECONDS)
