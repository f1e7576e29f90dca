"""Scans over HTTP beside the same statement run directly, the naive version, and a call that does nothing."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg2

from benchmarks import scan_bodies
from benchmarks.clients import Caller, Done, added, post, timed, together
from benchmarks.rows import Goal, Row, number
from benchmarks.scan_bodies import BATCH, RAMP, as_json, as_ndjson
from benchmarks.watching import Taken
from benchmarks.world import Member, World
from parcels.scans import sql
from parcels.scans.batch import ScanBatch
from parcels.scans.lines import read_json

PATH, NAIVE, EMPTY = "/api/v1/scans", "/api/v1/bench/scans", "/api/v1/bench/empty"
JSON, NDJSON = "application/json", "application/x-ndjson"
# One a courier of the world.
CLIENTS = 4
BATCHES, ROUNDS = 10, 3
# What the naive version is given: enough for some seconds.
NAIVE_BATCHES, NAIVE_BATCH, NAIVE_CALLS = 1, 500, 150
SINGLY, SECONDS = 1_000, 6.0
# Other sizes of a call, and how many batches of it each client sends.
SIZES = {10: 60, 100: 40, 1_000: 12, 5_000: 4}


def run(world: World) -> Iterator[Row]:
    """Measure batches, then other sizes of a call, then single scans."""
    json_row, ndjson_row = in_batches(world, JSON, NDJSON)
    yield replace(json_row, goal=Goal(rate=25_000, ratio=0.7))
    yield _against_naive(world, json_row)
    yield ndjson_row
    for size, batches in SIZES.items():
        yield _of_size(world, size, batches)
    yield from _singly(world)


def in_batches(world: World, *content_types: str, rounds: int = ROUNDS) -> list[Row]:
    """Measure each form and the floor in turns, so that a slow minute of the machine falls on all."""
    ours: dict[str, list[Done]] = {form: [] for form in content_types}
    floor: list[Done] = []
    taken = {form: Taken() for form in content_types}
    for _round in range(rounds):
        for form in content_types:
            with world.watch.taken() as once:
                ours[form].append(together(over_http, jobs(world, world.port, BATCHES, BATCH, form)))
            taken[form].add(once)
        with world.watch.taken():
            floor.append(together(_directly, jobs(world, world.parameters, BATCHES, BATCH)))
    return [_batch_row(world, form, ours[form], floor, taken[form]) for form in content_types]


def _batch_row(world: World, form: str, ours: list[Done], floor: list[Done], taken: Taken) -> Row:
    http = added(ours)
    return Row(
        f"scans over HTTP, {'JSON' if form == JSON else 'NDJSON'}, {BATCH:,} a batch, {CLIENTS} clients",
        http.rate,
        added(floor).rate,
        "the same statement directly",
        notes={"each round": _rates(ours), "directly": _rates(floor), **http.latencies},
        memory=taken.memory,
        cost=taken.cost(http.items + http.before),
    )


def _against_naive(world: World, ours: Row) -> Row:
    with world.watch.taken() as taken:
        naive = together(over_http, jobs(world, world.port, NAIVE_BATCHES, NAIVE_BATCH, JSON, NAIVE))
    each = taken.cost(naive.items + naive.before)
    return Row(
        ours.what,
        ours.ours,
        naive.rate,
        f"serializer and save(), {NAIVE_BATCH} a batch",
        Goal(ratio=30),
        {"of the floor, each": ", ".join(f"{name} {number(cost)}" for name, cost in each.items())},
    )


def _of_size(world: World, size: int, batches: int) -> Row:
    with world.watch.taken() as taken:
        done = together(over_http, jobs(world, world.port, batches, size))
    return Row(
        f"scans over HTTP, JSON, {size:,} a call, {CLIENTS} clients",
        done.rate,
        notes=dict(done.latencies),
        memory=taken.memory,
        cost=taken.cost(done.items + done.before),
    )


def _singly(world: World) -> Iterator[Row]:
    """Single calls beside empty ones in turns, then beside the naive version."""
    ours, floor, taken = [], [], Taken()
    for _round in range(2):
        with world.watch.taken() as once:
            ours.append(together(_one_by_one, _few(world, PATH, SINGLY)))
        taken.add(once)
        with world.watch.taken():
            floor.append(together(_empty, [(world.port, courier) for courier in world.couriers]))
    naive = together(_one_by_one, _few(world, NAIVE, NAIVE_CALLS))
    http = added(ours)
    what = f"single scan calls, {CLIENTS} clients"
    yield Row(
        what,
        http.rate,
        added(floor).rate,
        "an empty authenticated view",
        Goal(ratio=0.5),
        {**http.latencies, "each round": _rates(ours), "empty": _rates(floor)},
        memory=taken.memory,
        cost=taken.cost(http.items),
    )
    yield Row(what, http.rate, naive.rate, "serializer and save() a call")


def jobs(world: World, where: Any, batches: int, size: int, *more: Any) -> list[tuple[Any, ...]]:
    """Give each client its own courier's parcels, and each part of the run others than the rest."""
    needed = scan_bodies.parcels_needed(batches, size)
    return [(where, courier, world.parcels(courier, needed), batches, *more) for courier in world.couriers]


def _few(world: World, path: str, calls: int) -> list[tuple[Any, ...]]:
    needed = -(-calls // len(scan_bodies.STORY))
    return [(world.port, courier, world.parcels(courier, needed), path, calls) for courier in world.couriers]


def _rates(parts: Sequence[Done]) -> list[int]:
    return [round(part.rate) for part in parts]


# --- in processes of their own ---------------------------------------------------------------


def over_http(
    ready: Callable[[], Any],
    port: int,
    courier: Member,
    parcels: list[int],
    batches: int,
    content_type: str = JSON,
    path: str = PATH,
) -> Done:
    spelled = as_ndjson if content_type == NDJSON else as_json
    laid_out = scan_bodies.batches(parcels, batches)
    calls = [post(path, spelled(lines), token=courier.token, content_type=content_type) for lines in laid_out]
    caller, done = Caller(port), Done()
    done.before = sum(json.loads(caller.must(call))["accepted"] for call in calls[:RAMP])
    ready()
    answers = timed(calls[RAMP:], caller, seconds=60, items=lambda body: int(json.loads(body)["accepted"]))
    return added([done, answers])


def _directly(
    ready: Callable[[], Any], where: dict[str, Any], courier: Member, parcels: list[int], batches: int
) -> Done:
    """Run the statement that the product runs, in a transaction and a scope like the product's."""
    now = datetime.now(UTC)
    parameters = [
        ScanBatch(read_json(as_json(lines)), now=now).parameters(courier_id=courier.organisation_id)
        for lines in scan_bodies.batches(parcels, batches)
    ]
    connection = psycopg2.connect(**where)
    done = Done()
    for place, given in enumerate(parameters):
        if place == RAMP:
            ready()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = %s", [f"courier:{courier.organisation_id}"])
            cursor.execute(sql.RECORD, given)
            accepted = cursor.fetchone()[0]
        if place >= RAMP:
            done.items += accepted
        else:
            done.before += accepted
    return done


def _one_by_one(
    ready: Callable[[], Any], port: int, courier: Member, parcels: list[int], path: str, calls: int
) -> Done:
    lines = itertools.islice(scan_bodies.singly(parcels), calls)
    requests = [
        # The product takes lists; the naive version takes what it is given.
        post(path, as_json([line]) if path == PATH else json.dumps(line).encode(), token=courier.token)
        for line in lines
    ]
    caller = Caller(port)
    ready()
    return timed(requests, caller, seconds=SECONDS)


def _empty(ready: Callable[[], Any], port: int, courier: Member) -> Done:
    caller, request = Caller(port), post(EMPTY, b"[]", token=courier.token)
    caller.must(request)
    ready()
    return timed(itertools.repeat(request, SINGLY), caller, seconds=SECONDS)
