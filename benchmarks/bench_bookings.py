"""Bookings over HTTP beside bare SQL of the same rows, and beside the naive version."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks import bare_bookings, members
from benchmarks.clients import Caller, Done, added, post, timed, together
from benchmarks.rows import Goal, Row
from benchmarks.watching import Taken
from benchmarks.world import Member, World

BATCH, BATCHES, ROUNDS, CLIENTS = 1_000, 6, 3, 2
NAIVE_BATCH, NAIVE_BATCHES, SINGLY, SECONDS = 200, 2, 300, 5.0
CITIES = 10
PATH, NAIVE, ONE = "/api/v1/parcels/batch", "/api/v1/bench/parcels", "/api/v1/parcels"


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine falls on both."""
    cities = members.offer_everywhere(CITIES)
    ours, floor, taken = [], [], Taken()
    for turn in range(ROUNDS):
        with world.watch.taken() as once:
            ours.append(together(_over_http, _jobs(world, cities, turn)))
        taken.add(once)
        with world.watch.taken():
            floor.append(together(bare_bookings.insert, _bare_jobs(world, turn)))
    http = added(ours)
    what = f"bookings over HTTP, {BATCH:,} a batch, {CLIENTS} clients"
    yield Row(
        what,
        http.rate,
        added(floor).rate,
        "bare SQL of the same rows",
        Goal(rate=5_000),
        {"each round": _rates(ours), "bare": _rates(floor), **http.latencies},
        memory=taken.memory,
        cost=taken.cost(http.items + http.before),
    )
    naive = together(_over_http, _jobs(world, cities, ROUNDS, NAIVE, NAIVE_BATCHES, NAIVE_BATCH))
    yield Row(what, http.rate, naive.rate, f"serializer and save(), {NAIVE_BATCH} a batch")
    yield from _singly(world, cities)


def _singly(world: World, cities: list[str]) -> Iterator[Row]:
    with world.watch.taken() as taken:
        ours = together(_one_by_one, _jobs(world, cities, ROUNDS + 1, ONE))
    naive = together(_one_by_one, _jobs(world, cities, ROUNDS + 2, NAIVE))
    yield Row(
        f"single bookings, {CLIENTS} clients",
        ours.rate,
        naive.rate,
        "serializer and save() a call",
        notes=dict(ours.latencies),
        memory=taken.memory,
        cost=taken.cost(ours.items),
    )


def _jobs(world: World, cities: list[str], turn: int, *more: Any) -> list[tuple[Any, ...]]:
    # The naive version locks places in the order they are asked for: two clients on the same lanes deadlock.
    own = NAIVE in more
    return [
        (world.port, member, cities[client::CLIENTS] if own else cities, turn, *more)
        for client, member in enumerate(world.merchants[:CLIENTS])
    ]


def _bare_jobs(world: World, turn: int) -> list[tuple[Any, ...]]:
    return [
        (world.parameters, member.organisation_id, 2 * turn + place, BATCH, BATCHES)
        for place, member in enumerate(world.merchants[:CLIENTS])
    ]


def _rates(parts: Sequence[Done]) -> list[int]:
    return [round(part.rate) for part in parts]


def bookings(cities: Sequence[str], *, seed: str, count: int) -> Iterator[dict[str, Any]]:
    """Draw bookings between the cities."""
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


# --- in processes of their own ---------------------------------------------------------------


def _over_http(
    ready: Callable[[], Any],
    port: int,
    merchant: Member,
    cities: list[str],
    turn: int,
    path: str = PATH,
    batches: int = BATCHES,
    batch: int = BATCH,
) -> Done:
    """Book a batch that is not counted, then those that are."""
    calls = [
        post(path, json.dumps(list(each)).encode(), token=merchant.token)
        for each in (
            bookings(cities, seed=f"{merchant.organisation_id}-{turn}-{number}", count=batch)
            for number in range(batches + 1)
        )
    ]
    caller, done = Caller(port), Done()
    done.before = json.loads(caller.must(calls[0]))["booked"]
    ready()
    answers = timed(calls[1:], caller, seconds=60, items=lambda body: int(json.loads(body)["booked"]))
    return added([done, answers])


def _one_by_one(
    ready: Callable[[], Any], port: int, merchant: Member, cities: list[str], turn: int, path: str
) -> Done:
    drawn = bookings(cities, seed=f"{merchant.organisation_id}-{turn}", count=SINGLY + 1)
    calls = [post(path, json.dumps(each).encode(), token=merchant.token) for each in drawn]
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    return timed(itertools.islice(calls, 1, None), caller, seconds=SECONDS)
