"""Bookings over HTTP, compared to bare SQL of the same rows and to the naive version."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks import bare_bookings, members
from benchmarks.clients import Caller, LoadResult, post, run_parallel, send_calls, sum_of
from benchmarks.rows import Goal, Row
from benchmarks.watching import Usage
from benchmarks.world import Member, World

BATCH, BATCHES, ROUNDS, CLIENTS = 1_000, 6, 3, 2
NAIVE_BATCH, NAIVE_BATCHES, SINGLY, SECONDS = 200, 2, 300, 5.0
CITIES = 10
PATH, NAIVE, ONE = "/api/v1/parcels/batch", "/api/v1/bench/parcels", "/api/v1/parcels"


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine affects both."""
    cities = members.offer_everywhere(CITIES)
    results, floor, usage = [], [], Usage()
    for turn in range(ROUNDS):
        with world.watch.usage() as round_usage:
            results.append(run_parallel(_over_http, _jobs(world, cities, turn)))
        usage.add(round_usage)
        with world.watch.usage():
            floor.append(run_parallel(bare_bookings.insert, _bare_jobs(world, turn)))
    http = sum_of(results)
    name = f"bookings over HTTP, {BATCH:,} a batch, {CLIENTS} clients"
    yield Row(
        name,
        http.rate,
        sum_of(floor).rate,
        "bare SQL of the same rows",
        Goal(rate=5_000),
        {"each round": _rates(results), "bare": _rates(floor), **http.latencies},
        memory=usage.memory,
        cost=usage.cost(http.items + http.before),
    )
    naive = run_parallel(_over_http, _jobs(world, cities, ROUNDS, NAIVE, NAIVE_BATCHES, NAIVE_BATCH))
    yield Row(name, http.rate, naive.rate, f"serializer and save(), {NAIVE_BATCH} a batch")
    yield from _singly(world, cities)


def _singly(world: World, cities: list[str]) -> Iterator[Row]:
    with world.watch.usage() as usage:
        result = run_parallel(_one_by_one, _jobs(world, cities, ROUNDS + 1, ONE))
    naive = run_parallel(_one_by_one, _jobs(world, cities, ROUNDS + 2, NAIVE))
    yield Row(
        f"single bookings, {CLIENTS} clients",
        result.rate,
        naive.rate,
        "serializer and save() a call",
        notes=dict(result.latencies),
        memory=usage.memory,
        cost=usage.cost(result.items),
    )


def _jobs(world: World, cities: list[str], turn: int, *more: Any) -> list[tuple[Any, ...]]:
    # The naive version locks capacity in the order of the requests: two clients on the same lanes would
    # deadlock.
    is_naive = NAIVE in more
    return [
        (world.port, member, cities[client::CLIENTS] if is_naive else cities, turn, *more)
        for client, member in enumerate(world.merchants[:CLIENTS])
    ]


def _bare_jobs(world: World, turn: int) -> list[tuple[Any, ...]]:
    return [
        (world.parameters, member.organisation_id, 2 * turn + place, BATCH, BATCHES)
        for place, member in enumerate(world.merchants[:CLIENTS])
    ]


def _rates(parts: Sequence[LoadResult]) -> list[int]:
    return [round(part.rate) for part in parts]


def bookings(cities: Sequence[str], *, seed: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield random bookings between the cities."""
    source = random.Random(seed)
    recipient = {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"}
    for number in range(count):
        yield {
            "tier": "next_day",
            "origin": source.choice(cities),
            "destination": source.choice(cities),
            "weight_g": source.randint(100, 20_000),
            "reference": f"BO-{seed}-{number}",
            "recipient": recipient,
        }


# --- in client processes ---------------------------------------------------------------------


def _over_http(
    ready: Callable[[], Any],
    port: int,
    merchant: Member,
    cities: list[str],
    turn: int,
    path: str = PATH,
    batches: int = BATCHES,
    batch: int = BATCH,
) -> LoadResult:
    """Book an uncounted batch, then the counted ones."""
    calls = [
        post(path, json.dumps(list(each)).encode(), token=merchant.token)
        for each in (
            bookings(cities, seed=f"{merchant.organisation_id}-{turn}-{number}", count=batch)
            for number in range(batches + 1)
        )
    ]
    caller, warm_up = Caller(port), LoadResult()
    warm_up.before = json.loads(caller.must(calls[0]))["booked"]
    ready()
    answers = send_calls(calls[1:], caller, seconds=60, items=lambda body: int(json.loads(body)["booked"]))
    return sum_of([warm_up, answers])


def _one_by_one(
    ready: Callable[[], Any], port: int, merchant: Member, cities: list[str], turn: int, path: str
) -> LoadResult:
    random_bookings = bookings(cities, seed=f"{merchant.organisation_id}-{turn}", count=SINGLY + 1)
    calls = [post(path, json.dumps(booking).encode(), token=merchant.token) for booking in random_bookings]
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    return send_calls(itertools.islice(calls, 1, None), caller, seconds=SECONDS)
