"""Scans while months of the partitioned tables are created, detached and dropped, and without that."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.bench_scans import BATCH, CLIENTS, JSON, jobs, over_http
from benchmarks.clients import LoadResult, run_jobs, run_parallel, sum_of
from benchmarks.rows import Row
from benchmarks.world import World

BATCHES, ROUNDS = 10, 2
# A year without any bookings or scans.
YEAR = 2071


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine affects both."""
    peace, unrest, months = [], [], 0
    for turn in range(ROUNDS):
        peace.append(run_parallel(over_http, jobs(world, world.port, BATCHES, BATCH, JSON)))
        work = [(over_http, *job) for job in jobs(world, world.port, BATCHES, BATCH, JSON)]
        _begun, [*results, changes] = run_jobs([*work, (_change_months, turn)])
        disturbed = sum_of(results)
        disturbed.seconds = max(result.seconds for result in results)
        unrest.append(disturbed)
        months += changes.items
    disturbed, left_alone = sum_of(unrest), sum_of(peace)
    yield Row(
        f"scans over HTTP, JSON, {BATCH:,} a batch, {CLIENTS} clients, while months are made and dropped",
        disturbed.rate,
        left_alone.rate,
        "no month made or dropped",
        notes={
            "months of all tables made, detached, dropped": months,
            "slowest call": f"{disturbed.milliseconds(1):.0f} ms",
            "slowest call left alone": f"{left_alone.milliseconds(1):.0f} ms",
        },
    )


# --- in a client process ---------------------------------------------------------------------


def _change_months(ready: Callable[[], Any], turn: int) -> LoadResult:
    """Create, detach and drop a month repeatedly."""
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    from alliance.database import partitions  # noqa: PLC0415

    # The forked process inherits the parent's connection, and must not use it.
    connections["default"].connection = None
    result = LoadResult()
    ready()
    for number in range(3):
        month = partitions.Month(YEAR, 1 + 4 * turn + number)
        partitions.ensure_months(month, month)
        for table in partitions.partitioned_tables():
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)
        result.items += 1
    return result
