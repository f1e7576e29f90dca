"""One courier floods the API: how long what it got accepted took, and what a merchant's customers notice."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import scan_bodies
from benchmarks.bench_scans import JSON, PATH
from benchmarks.bench_tracking import JSON as TRACKING
from benchmarks.bench_tracking import some_numbers
from benchmarks.clients import Caller, Done, added, get, post, side_by_side
from benchmarks.rows import Row
from benchmarks.watching import Taken
from benchmarks.world import Member, World

# Connections of the flood, and of an ordinary hour; the server has a dozen threads a process.
FLOOD, ORDINARY, LOOKERS = 24, 2, 2
SECONDS, BATCH, PAUSE = 8.0, 1_000, 0.02


def run(world: World) -> Iterator[Row]:
    """Look on alone, then beside ordinary load, then beside the flood."""
    numbers = some_numbers(world, 500)
    needed = scan_bodies.parcels_needed(1, BATCH)
    parcels = [world.parcels(world.couriers[0], needed) for _connection in range(FLOOD)]
    # Uncounted: each thread of the server plans once, which takes longer than anything it does after that.
    _load(world, numbers, parcels)
    alone, _none, _taken = _load(world, numbers, [])
    _lookers, ordinary, _taken = _load(world, numbers, parcels[:ORDINARY])
    lookers, flood, taken = _load(world, numbers, parcels)
    asked = len(flood.calls) + flood.refused
    yield Row(
        f"accepted batches of {BATCH:,} scans in a flood of {FLOOD} connections, slowest of a hundred",
        flood.milliseconds(0.99),
        ordinary.milliseconds(0.99),
        f"{ORDINARY} connections",
        notes={
            "scans": f"{flood.rate:,.0f} /s, {ordinary.rate:,.0f} /s before",
            "refused": f"{flood.refused:,} of {asked:,} calls",
        },
        unit="ms",
        memory=taken.memory,
    )
    yield Row(
        "tracking JSON while another tenant floods, slowest of a hundred",
        lookers.milliseconds(0.99),
        alone.milliseconds(0.99),
        "nobody else there",
        notes={"median": f"{lookers.milliseconds(0.5):.1f} ms, {alone.milliseconds(0.5):.1f} ms alone"},
        unit="ms",
    )


def _load(world: World, numbers: list[str], parcels: list[list[int]]) -> tuple[Done, Done, Taken]:
    """Have some look at parcels, and one courier send scans, of parcels of its own on each connection."""
    jobs: list[tuple[Any, ...]] = [(_look, world.port, numbers[place::LOOKERS]) for place in range(LOOKERS)]
    jobs += [(_send, world.port, world.couriers[0], some) for some in parcels]
    with world.watch.taken() as taken:
        _begun, done = side_by_side(jobs)
    sent = added(done[LOOKERS:])
    sent.seconds = SECONDS
    return added(done[:LOOKERS]), sent, taken


# --- in processes of their own ---------------------------------------------------------------


def _look(ready: Callable[[], Any], port: int, numbers: list[str]) -> Done:
    calls = itertools.cycle([get(TRACKING.format(number)) for number in numbers])
    caller, done = Caller(port), Done()
    caller.must(next(calls))
    ready()
    until = time.perf_counter() + SECONDS
    while (asked := time.perf_counter()) < until:
        caller.must(next(calls))
        done.calls.append(time.perf_counter() - asked)
        time.sleep(PAUSE)
    return done


def _send(ready: Callable[[], Any], port: int, courier: Member, parcels: list[int]) -> Done:
    """Send the same batches again and again, at once after every answer and soon after a refusal."""
    bodies = [scan_bodies.as_json(lines) for lines in scan_bodies.batches(parcels, 1)]
    calls = itertools.cycle([post(PATH, body, token=courier.token, content_type=JSON) for body in bodies])
    caller, done = Caller(port), Done()
    ready()
    until = time.perf_counter() + SECONDS
    while (asked := time.perf_counter()) < until:
        answer = caller.ask(next(calls))
        if answer.status == 200:
            found = json.loads(answer.body)
            done.items += found["accepted"] + found["duplicate"]
            done.calls.append(time.perf_counter() - asked)
        elif answer.retry_after:
            done.refused += 1
            time.sleep(PAUSE)
        else:
            raise RuntimeError(f"{answer.status}: {answer.body[:300]!r}")
    return done
