"""Bookings over HTTP, compared to bare SQL of the same rows and to the naive version."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from benchmarks import bare_bookings, floor_paths, members
from benchmarks.clients import Caller, LoadResult, keep_calling, post, run_parallel, send_calls, sum_of
from benchmarks.rows import Goal, Row
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import Member, World

# In each round, and for each client.
BATCH, BATCHES, BARE_BATCHES, CLIENTS = 1_000, 2, 8, 2
NAIVE_BATCH = 50
SINGLY, SECONDS, SINGLE_CLIENTS = 100, 0.5, 4
ROUNDS, SINGLE_ROUNDS = 8, 12
CITIES = 10
RULES = 20
PATH, NAIVE, ONE = "/api/v1/parcels/batch", floor_paths.NAIVE_PARCELS, "/api/v1/parcels"
BARE, SAVED = "bare SQL of the same rows", "serializer and save()"


def run(world: World) -> Iterator[Row]:
    """Measure batches in turns with bare SQL and the naive version, then single calls."""
    cities, turns = members.offer_everywhere(CITIES), count()
    sides = in_turns(
        world.watch,
        {
            SAVED: lambda: _in_batches(world, cities, next(turns), NAIVE, 1, NAIVE_BATCH),
            PATH: lambda: _in_batches(world, cities, next(turns), PATH, BATCHES, BATCH),
            BARE: lambda: bare(world, next(turns), clients=CLIENTS, batches=BARE_BATCHES),
        },
        rounds=ROUNDS,
    )
    name = f"bookings over HTTP, {BATCH:,} a batch, {CLIENTS} clients"
    yield rate_row(name, sides[PATH], sides[BARE], BARE, Goal(ratio=0.2))
    yield rate_row(name, sides[PATH], sides[SAVED], f"{SAVED}, {NAIVE_BATCH} a batch")
    sides = in_turns(
        world.watch,
        {
            path: lambda path=path: book_singly(world, cities, next(turns), path, seconds=SECONDS)
            for path in (ONE, NAIVE)
        },
        rounds=SINGLE_ROUNDS,
    )
    name = f"single bookings, {SINGLE_CLIENTS} clients"
    yield rate_row(name, sides[ONE], sides[NAIVE], f"{SAVED} a call", Goal(ratio=2))
    yield _with_rules(world, cities, turns)


def _with_rules(world: World, cities: list[str], turns: Iterator[int]) -> Row:
    """Compare batches of merchants that have allocation rules with those of merchants that have none."""
    with_rules, without = world.merchants[CLIENTS : 2 * CLIENTS], world.merchants[:CLIENTS]
    members.give_rules(with_rules, RULES)

    def book(senders: Sequence[Member]) -> LoadResult:
        return _in_batches(world, cities, next(turns), PATH, BATCHES, BATCH, senders)

    sides = in_turns(
        world.watch,
        {"rules": lambda: book(with_rules), "none": lambda: book(without)},
        rounds=ROUNDS,
    )
    name = f"bookings over HTTP by {RULES} allocation rules, {BATCH:,} a batch, {CLIENTS} clients"
    return rate_row(name, sides["rules"], sides["none"], "the same without rules", Goal(ratio=0.8))


def bare(world: World, turn: int, *, clients: int, batches: int) -> LoadResult:
    """Insert the rows of bookings by bare SQL, each client's over a connection of its own."""
    return run_parallel(
        bare_bookings.insert,
        [
            (world.parameters, member.organisation_id, clients * turn + place, BATCH, batches)
            for place, member in enumerate(world.merchants[:clients])
        ],
    )


def book_singly(world: World, cities: list[str], turn: int, path: str, *, seconds: float) -> LoadResult:
    """Book parcels one by one for some time, each client's in cities of its own.

    The naive version locks capacity in the order of the requests: on the same lanes, clients would deadlock.
    """
    calls = [
        [
            post(path, json.dumps(booking).encode(), token=merchant.token)
            for booking in bookings(cities[client::SINGLE_CLIENTS], seed=f"{client}-{turn}", count=SINGLY)
        ]
        for client, merchant in enumerate(world.merchants[:SINGLE_CLIENTS])
    ]
    return keep_calling(world.port, calls, seconds=seconds, once=True)


def _in_batches(
    world: World,
    cities: list[str],
    turn: int,
    path: str,
    batches: int,
    batch: int,
    senders: Sequence[Member] = (),
) -> LoadResult:
    jobs = [
        (world.port, member, cities[client::CLIENTS] if path == NAIVE else cities, turn, path, batches, batch)
        for client, member in enumerate(senders or world.merchants[:CLIENTS])
    ]
    return run_parallel(_over_http, jobs)


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
    path: str,
    batches: int,
    batch: int,
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
