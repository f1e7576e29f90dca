"""Tracking by number, for programs and for people, beside views that do nothing and next to it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from alliance.identifiers import tracking_number
from benchmarks.clients import Caller, Done, added, get, timed, together
from benchmarks.rows import Goal, Row
from benchmarks.watching import Taken
from benchmarks.world import World

ONLY_READS = True
CLIENTS, CALLS, ROUNDS, SECONDS = 4, 1_000, 10, 1.0
JSON, PAGE, EMPTY, ONE_ROW = "/api/v1/tracking/{}", "/track/{}/", "/bench/empty", "/bench/one-row/{}"
# Of all there are, as people ask for old parcels as well as for new ones.
_SOME = "SELECT id FROM parcels_parcel TABLESAMPLE BERNOULLI (%s) ORDER BY random() LIMIT %s"


def run(world: World) -> Iterator[Row]:
    """Measure all in turns, so that a slow minute of the machine falls on each."""
    numbers = some_numbers(world, CLIENTS * CALLS)
    done: dict[str, list[Done]] = {JSON: [], PAGE: [], EMPTY: [], ONE_ROW: []}
    taken = {path: Taken() for path in done}
    # Uncounted: each thread of the server plans once, and each connection is made once.
    for path in done:
        _asked(world, path, numbers)
    for place in range(ROUNDS):
        # Other numbers in each round: what was asked for a moment ago is at hand.
        turned = numbers[place * len(numbers) // ROUNDS :] + numbers[: place * len(numbers) // ROUNDS]
        for path, rounds in done.items():
            with world.watch.taken() as once:
                rounds.append(_asked(world, path, turned))
            taken[path].add(once)
    for path, what in ((JSON, "tracking JSON by number"), (PAGE, "tracking page")):
        yield from _told(f"{what}, {CLIENTS} clients", done[path], done[EMPTY], taken[path], path == JSON)
    # What is left for all else of a parcel: the least that a view can ask the database.
    row = added(done[ONE_ROW])
    yield Row(
        f"tracking JSON by number, {CLIENTS} clients",
        added(done[JSON]).rate,
        row.rate,
        "a view that reads one row by its key",
        notes={"each round": _rates(done[JSON]), "one row": _rates(done[ONE_ROW])},
    )
    yield Row(
        f"a view that reads one row by its key, {CLIENTS} clients",
        row.rate,
        added(done[EMPTY]).rate,
        "an empty view",
        notes=dict(row.latencies),
        cost=taken[ONE_ROW].cost(row.items),
    )


def some_numbers(world: World, count: int) -> list[str]:
    """Draw tracking numbers from all over the tables."""
    percent = min(100.0, 200 * count / world.size)
    return [tracking_number(pk) for (pk,) in world.rows(_SOME, [percent, count])]


def _told(what: str, ours: list[Done], floor: list[Done], taken: Taken, is_goal: bool) -> Iterator[Row]:
    done = added(ours)
    yield Row(
        what,
        done.rate,
        added(floor).rate,
        "an empty view",
        Goal(ratio=0.6) if is_goal else None,
        {"each round": _rates(ours), "empty": _rates(floor), **done.latencies},
        memory=taken.memory,
        cost=taken.cost(done.items),
    )
    if is_goal:
        yield Row(
            f"{what}: slowest of a hundred",
            done.milliseconds(0.99),
            done.milliseconds(0.5),
            "the median",
            Goal(ratio_most=4),
            unit="ms",
        )


def _rates(parts: Sequence[Done]) -> list[int]:
    return [round(part.rate) for part in parts]


def _asked(world: World, path: str, numbers: Sequence[str]) -> Done:
    jobs = [(world.port, path, numbers[client::CLIENTS]) for client in range(CLIENTS)]
    return together(_one_by_one, jobs)


# --- in processes of their own ---------------------------------------------------------------


def _one_by_one(ready: Callable[[], Any], port: int, path: str, numbers: Sequence[str]) -> Done:
    calls = [get(path.format(number)) for number in numbers]
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    return timed(itertools.islice(itertools.cycle(calls), CALLS), caller, seconds=SECONDS)
