"""One courier floods the API: latencies of its accepted calls, and of tracking by others meanwhile."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import scan_bodies
from benchmarks.bench_tracking import JSON as TRACKING
from benchmarks.bench_tracking import some_numbers
from benchmarks.clients import Caller, LoadResult, get, post, run_jobs, sum_of
from benchmarks.rows import Goal, Row
from benchmarks.scan_loads import JSON, PATH
from benchmarks.turns import in_turns, time_row
from benchmarks.world import Member, World

# Connections of the flood, of ordinary load, and of tracking; the server has a dozen threads per process.
FLOOD, ORDINARY, LOOKERS = 24, 2, 2
SECONDS, BATCH, PAUSE, ROUNDS = 2.5, 1_000, 0.01, 6
ALONE, BUSY, FLOODED = "nobody else there", f"{ORDINARY} connections", "flood"


def run(world: World) -> Iterator[Row]:
    """Measure tracking alone, with ordinary load and with the flood, in turns."""
    numbers = some_numbers(world, 500)
    count = scan_bodies.parcels_needed(1, BATCH)
    parcels = [world.parcels(world.couriers[0], count) for _connection in range(FLOOD)]
    # Uncounted: each thread of the server plans its statements once, which takes longer than later calls.
    _load(world, numbers, parcels)
    loads = {ALONE: [], BUSY: parcels[:ORDINARY], FLOODED: parcels}
    # The scans of each load, as the sides are of tracking.
    scans: dict[str, list[LoadResult]] = {name: [] for name in loads}

    def loading(name: str) -> LoadResult:
        lookers, senders = _load(world, numbers, loads[name])
        scans[name].append(senders)
        return lookers

    sides = in_turns(world.watch, {name: lambda name=name: loading(name) for name in loads}, rounds=ROUNDS)
    slowest = {name: [result.milliseconds(0.99) for result in scans[name]] for name in (BUSY, FLOODED)}
    flood, ordinary = sum_of(scans[FLOODED]), sum_of(scans[BUSY])
    yield time_row(
        f"accepted batches of {BATCH:,} scans in a flood of {FLOOD} connections, slowest of a hundred",
        slowest[FLOODED],
        slowest[BUSY],
        BUSY,
        notes={
            "scans": f"{flood.rate:,.0f} /s, {ordinary.rate:,.0f} /s before",
            "refused": f"{flood.refused:,} of {len(flood.calls) + flood.refused:,} calls",
        },
        memory=sides[FLOODED].usage.memory,
    )
    medians = [f"{sides[name].total.milliseconds(0.5):.1f} ms" for name in (FLOODED, ALONE)]
    yield time_row(
        "tracking JSON while another tenant floods, slowest of a hundred",
        sides[FLOODED].slowest(0.99),
        sides[ALONE].slowest(0.99),
        ALONE,
        Goal(ratio_most=4),
        notes={"median": f"{medians[0]}, {medians[1]} alone"},
    )


def _load(world: World, numbers: list[str], parcels: list[list[int]]) -> tuple[LoadResult, LoadResult]:
    """Run tracking clients, and clients of one courier that send scans of different parcels."""
    jobs: list[tuple[Any, ...]] = [(_look, world.port, numbers[place::LOOKERS]) for place in range(LOOKERS)]
    jobs += [(send_scans, world.port, world.couriers[0], some, SECONDS) for some in parcels]
    _begun, results = run_jobs(jobs)
    scans = sum_of(results[LOOKERS:])
    scans.seconds = SECONDS
    return sum_of(results[:LOOKERS]), scans


# --- in client processes ---------------------------------------------------------------------


def _look(ready: Callable[[], Any], port: int, numbers: list[str]) -> LoadResult:
    calls = itertools.cycle([get(TRACKING.format(number)) for number in numbers])
    caller, result = Caller(port), LoadResult()
    caller.must(next(calls))
    ready()
    until = time.perf_counter() + SECONDS
    while (sent_at := time.perf_counter()) < until:
        caller.must(next(calls))
        result.calls.append(time.perf_counter() - sent_at)
        time.sleep(PAUSE)
    return result


def send_scans(
    ready: Callable[[], Any],
    port: int,
    courier: Member,
    parcels: list[int],
    seconds: float,
    count: int = 1,
) -> LoadResult:
    """Send the same batches repeatedly, immediately after a response and shortly after a refusal."""
    bodies = [scan_bodies.as_json(lines) for lines in scan_bodies.batches(parcels, count)]
    calls = itertools.cycle([post(PATH, body, token=courier.token, content_type=JSON) for body in bodies])
    caller, result = Caller(port), LoadResult()
    ready()
    until = time.perf_counter() + seconds
    while (sent_at := time.perf_counter()) < until:
        response = caller.ask(next(calls))
        if response.status == 200:
            report = json.loads(response.body)
            result.items += report["accepted"] + report["duplicate"]
            result.calls.append(time.perf_counter() - sent_at)
        elif response.retry_after:
            result.refused += 1
            time.sleep(PAUSE)
        else:
            raise RuntimeError(f"{response.status}: {response.body[:300]!r}")
    return result
