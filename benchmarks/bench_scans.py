"""Scans over HTTP, compared to the same statement run directly, the naive version, and an empty call."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg2

from benchmarks import scan_bodies
from benchmarks.clients import Caller, LoadResult, post, run_parallel, send_calls, sum_of
from benchmarks.rows import Goal, Row, number
from benchmarks.scan_bodies import BATCH, RAMP, as_json, as_ndjson
from benchmarks.watching import Usage
from benchmarks.world import Member, World
from parcels.scans import sql
from parcels.scans.batch import ScanBatch
from parcels.scans.lines import read_json

PATH, NAIVE, EMPTY = "/api/v1/scans", "/api/v1/bench/scans", "/api/v1/bench/authenticated"
JSON, NDJSON = "application/json", "application/x-ndjson"
# One client per courier of the world.
CLIENTS = 4
BATCHES, ROUNDS = 10, 3
# The load of the naive version: enough for some seconds.
NAIVE_BATCHES, NAIVE_BATCH, NAIVE_CALLS = 1, 500, 150
SINGLY, SECONDS = 1_000, 6.0
# Other sizes of a call -> batches per client.
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
    """Measure each content type and the floor in turns, so that a slow minute affects all."""
    results: dict[str, list[LoadResult]] = {form: [] for form in content_types}
    floor: list[LoadResult] = []
    usage = {form: Usage() for form in content_types}
    for _round in range(rounds):
        for form in content_types:
            with world.watch.usage() as round_usage:
                results[form].append(run_parallel(over_http, jobs(world, world.port, BATCHES, BATCH, form)))
            usage[form].add(round_usage)
        with world.watch.usage():
            floor.append(run_parallel(_directly, jobs(world, world.parameters, BATCHES, BATCH)))
    return [_batch_row(world, form, results[form], floor, usage[form]) for form in content_types]


def _batch_row(
    world: World, form: str, results: list[LoadResult], floor: list[LoadResult], usage: Usage
) -> Row:
    http = sum_of(results)
    return Row(
        f"scans over HTTP, {'JSON' if form == JSON else 'NDJSON'}, {BATCH:,} a batch, {CLIENTS} clients",
        http.rate,
        sum_of(floor).rate,
        "the same statement directly",
        notes={"each round": _rates(results), "directly": _rates(floor), **http.latencies},
        memory=usage.memory,
        cost=usage.cost(http.items + http.before),
    )


def _against_naive(world: World, row: Row) -> Row:
    with world.watch.usage() as usage:
        naive = run_parallel(over_http, jobs(world, world.port, NAIVE_BATCHES, NAIVE_BATCH, JSON, NAIVE))
    costs = usage.cost(naive.items + naive.before)
    return Row(
        row.what,
        row.ours,
        naive.rate,
        f"serializer and save(), {NAIVE_BATCH} a batch",
        Goal(ratio=30),
        {"of the floor, each": ", ".join(f"{name} {number(cost)}" for name, cost in costs.items())},
    )


def _of_size(world: World, size: int, batches: int) -> Row:
    with world.watch.usage() as usage:
        result = run_parallel(over_http, jobs(world, world.port, batches, size))
    return Row(
        f"scans over HTTP, JSON, {size:,} a call, {CLIENTS} clients",
        result.rate,
        notes=dict(result.latencies),
        memory=usage.memory,
        cost=usage.cost(result.items + result.before),
    )


def _singly(world: World) -> Iterator[Row]:
    """Compare single calls to empty ones in turns, then to the naive version."""
    results, floor, usage = [], [], Usage()
    for _round in range(2):
        with world.watch.usage() as round_usage:
            results.append(run_parallel(_one_by_one, _few(world, PATH, SINGLY)))
        usage.add(round_usage)
        with world.watch.usage():
            floor.append(run_parallel(_empty, [(world.port, courier) for courier in world.couriers]))
    naive = run_parallel(_one_by_one, _few(world, NAIVE, NAIVE_CALLS))
    http = sum_of(results)
    name = f"single scan calls, {CLIENTS} clients"
    yield Row(
        name,
        http.rate,
        sum_of(floor).rate,
        "an empty authenticated view",
        Goal(ratio=0.5),
        {**http.latencies, "each round": _rates(results), "empty": _rates(floor)},
        memory=usage.memory,
        cost=usage.cost(http.items),
    )
    yield Row(name, http.rate, naive.rate, "serializer and save() a call")


def jobs(world: World, target: Any, batches: int, size: int, *more: Any) -> list[tuple[Any, ...]]:
    """Return the jobs of the clients: one courier each, and new parcels for each call of this."""
    count = scan_bodies.parcels_needed(batches, size)
    return [(target, courier, world.parcels(courier, count), batches, *more) for courier in world.couriers]


def _few(world: World, path: str, calls: int) -> list[tuple[Any, ...]]:
    count = -(-calls // len(scan_bodies.STORY))
    return [(world.port, courier, world.parcels(courier, count), path, calls) for courier in world.couriers]


def _rates(parts: Sequence[LoadResult]) -> list[int]:
    return [round(part.rate) for part in parts]


# --- in client processes ---------------------------------------------------------------------


def over_http(
    ready: Callable[[], Any],
    port: int,
    courier: Member,
    parcels: list[int],
    batches: int,
    content_type: str = JSON,
    path: str = PATH,
) -> LoadResult:
    encode = as_ndjson if content_type == NDJSON else as_json
    batches_of_scans = scan_bodies.batches(parcels, batches)
    calls = [
        post(path, encode(lines), token=courier.token, content_type=content_type)
        for lines in batches_of_scans
    ]
    caller, warm_up = Caller(port), LoadResult()
    warm_up.before = sum(json.loads(caller.must(call))["accepted"] for call in calls[:RAMP])
    ready()
    counted = send_calls(
        calls[RAMP:], caller, seconds=60, items=lambda body: int(json.loads(body)["accepted"])
    )
    return sum_of([warm_up, counted])


def _directly(
    ready: Callable[[], Any],
    connection_parameters: dict[str, Any],
    courier: Member,
    parcels: list[int],
    batches: int,
) -> LoadResult:
    """Run the product's statement, in a transaction and scope like the product's."""
    now = datetime.now(UTC)
    parameters = [
        ScanBatch(read_json(as_json(lines)), now=now).parameters(courier_id=courier.organisation_id)
        for lines in scan_bodies.batches(parcels, batches)
    ]
    connection = psycopg2.connect(**connection_parameters)
    result = LoadResult()
    for place, params in enumerate(parameters):
        if place == RAMP:
            ready()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = %s", [f"courier:{courier.organisation_id}"])
            cursor.execute(sql.RECORD, params)
            accepted = cursor.fetchone()[0]
        if place >= RAMP:
            result.items += accepted
        else:
            result.before += accepted
    return result


def _one_by_one(
    ready: Callable[[], Any], port: int, courier: Member, parcels: list[int], path: str, calls: int
) -> LoadResult:
    lines = itertools.islice(scan_bodies.singly(parcels), calls)
    requests = [
        # The product accepts lists only; the naive version accepts single objects, too.
        post(path, as_json([line]) if path == PATH else json.dumps(line).encode(), token=courier.token)
        for line in lines
    ]
    caller = Caller(port)
    ready()
    return send_calls(requests, caller, seconds=SECONDS)


def _empty(ready: Callable[[], Any], port: int, courier: Member) -> LoadResult:
    caller, request = Caller(port), post(EMPTY, b"[]", token=courier.token)
    caller.must(request)
    ready()
    return send_calls(itertools.repeat(request, SINGLY), caller, seconds=SECONDS)
