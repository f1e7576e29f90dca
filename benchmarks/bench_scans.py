"""Scans over HTTP, beside the same statement directly, bare COPY, the naive version, and an empty call."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace

from benchmarks import floor_paths, scan_bodies
from benchmarks.clients import LoadResult, keep_calling, post
from benchmarks.database import parameters_of
from benchmarks.rows import Goal, Row
from benchmarks.scan_bodies import BATCH, as_json
from benchmarks.scan_loads import CLIENTS, JSON, NDJSON, PATH, Stream, by_copy, directly, over_http
from benchmarks.turns import Side, in_turns, rate_row
from benchmarks.world import World

NAIVE, EMPTY = floor_paths.NAIVE_SCANS, floor_paths.AUTHENTICATED
# Rounds, and counted batches of each client and round.
ROUNDS, BATCHES = 6, 3
NAIVE_BATCH = 100
DIRECTLY, COPY, SAVED = "the same statement directly", "bare COPY of the same rows", "serializer and save()"
# Other sizes of a call -> calls of each client and round.
SIZES, SIZE_ROUNDS = {10: 15, 100: 12, 1_000: 5}, 4
# Single calls prepared for each connection and round, and seconds of a round.
SINGLY, SECONDS = 150, 0.5


def run(world: World) -> Iterator[Row]:
    """Measure batches, then other sizes of a call, then single scans."""
    sides = in_batches(world, NDJSON, DIRECTLY, JSON, COPY, SAVED)
    http = sides[JSON]
    yield replace(batch_row(http, sides[DIRECTLY]), goal=Goal(ratio=0.7))
    yield rate_row(_named(JSON), http, sides[COPY], COPY)
    yield rate_row(_named(JSON), http, sides[SAVED], f"{SAVED}, {NAIVE_BATCH} a batch", Goal(ratio=30))
    yield rate_row(_named(NDJSON), sides[NDJSON], http, "JSON")
    yield from _sizes(world)
    yield from _singly(world)


def in_batches(world: World, *names: str, rounds: int = ROUNDS) -> dict[str, Side]:
    """Measure the named sides in turns."""
    size = {SAVED: {"size": NAIVE_BATCH, "batches": 1, "warm_up": 0}}
    streams = {
        name: Stream(world, turns=rounds, **{"batches": BATCHES, **size.get(name, {})}) for name in names
    }
    owner = parameters_of(world.parameters["dbname"], is_owner=True)
    ways = {
        JSON: (over_http, world.port, JSON),
        NDJSON: (over_http, world.port, NDJSON),
        DIRECTLY: (directly, world.parameters),
        COPY: (by_copy, owner, world.merchants[0]),
        SAVED: (over_http, world.port, JSON, NAIVE),
    }

    def sending(name: str) -> LoadResult:
        work, target, *more = ways[name]
        return streams[name].send(work, target, *more)

    return in_turns(world.watch, {name: lambda name=name: sending(name) for name in names}, rounds=rounds)


def batch_row(http: Side, direct: Side) -> Row:
    return rate_row(_named(JSON), http, direct, DIRECTLY)


def _named(form: str) -> str:
    return f"scans over HTTP, {'JSON' if form == JSON else 'NDJSON'}, {BATCH:,} a batch, {CLIENTS} clients"


def _sizes(world: World) -> Iterator[Row]:
    streams = {
        size: Stream(world, turns=SIZE_ROUNDS, batches=batches, size=size)
        for size, batches in {**SIZES, BATCH: BATCHES}.items()
    }
    sides = in_turns(
        world.watch,
        {
            f"{size:,}": lambda stream=stream: stream.send(over_http, world.port)
            for size, stream in streams.items()
        },
        rounds=SIZE_ROUNDS,
    )
    for size in SIZES:
        name = f"scans over HTTP, JSON, {size:,} a call, {CLIENTS} clients"
        yield rate_row(name, sides[f"{size:,}"], sides[f"{BATCH:,}"], f"{BATCH:,} a call")


def _singly(world: World) -> Iterator[Row]:
    empty = [[post(EMPTY, b"[]", token=courier.token)] for courier in world.couriers]
    sides = in_turns(
        world.watch,
        {
            EMPTY: lambda: keep_calling(world.port, empty, seconds=SECONDS),
            PATH: lambda: send_singly(world, PATH, seconds=SECONDS),
            NAIVE: lambda: send_singly(world, NAIVE, seconds=SECONDS),
        },
    )
    name = f"single scan calls, {CLIENTS} clients"
    yield rate_row(name, sides[PATH], sides[EMPTY], "an empty authenticated view", Goal(ratio=0.5))
    yield rate_row(name, sides[PATH], sides[NAIVE], f"{SAVED} a call")


def send_singly(world: World, path: str, *, seconds: float) -> LoadResult:
    """Send calls of one scan for some time, each courier's over a connection of its own."""
    few = 1 + SINGLY // len(scan_bodies.STORY)
    calls = []
    for courier in world.couriers:
        lines = itertools.islice(scan_bodies.singly(world.parcels(courier, few), together=5), SINGLY)
        # The product accepts lists only; the naive version accepts single objects, too.
        bodies = (as_json([line]) if path == PATH else json.dumps(line).encode() for line in lines)
        calls.append([post(path, body, token=courier.token) for body in bodies])
    return keep_calling(world.port, calls, seconds=seconds, once=True)
