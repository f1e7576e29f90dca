"""Scans while months of the partitioned tables are created, detached and dropped, and without that."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.clients import LoadResult, run_jobs, run_parallel, sum_of
from benchmarks.rows import Row
from benchmarks.scan_bodies import BATCH
from benchmarks.scan_loads import CLIENTS, jobs, over_http
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import World

BATCHES, ROUNDS = 4, 3
# A year without any bookings or scans.
YEAR = 2071


def run(world: World) -> Iterator[Row]:
    """Measure both in turns."""
    months: list[int] = []

    def disturbed() -> LoadResult:
        work = [(over_http, *job) for job in jobs(world, world.port, BATCHES, BATCH)]
        _begun, [*results, changes] = run_jobs([*work, (_change_months, len(months))])
        months.append(changes.items)
        total = sum_of(results)
        total.seconds = max(result.seconds for result in results)
        return total

    left_alone, unrest = "no month made or dropped", "while months are made and dropped"
    sides = in_turns(
        world.watch,
        {
            left_alone: lambda: run_parallel(over_http, jobs(world, world.port, BATCHES, BATCH)),
            unrest: disturbed,
        },
        rounds=ROUNDS,
    )
    slowest = {f"slowest call {name}": f"{max(side.slowest(1)):.0f} ms" for name, side in sides.items()}
    yield rate_row(
        f"scans over HTTP, JSON, {BATCH:,} a batch, {CLIENTS} clients, {unrest}",
        sides[unrest],
        sides[left_alone],
        left_alone,
        notes={"months of all tables made, detached, dropped": sum(months), **slowest},
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
    for number in range(2):
        month = partitions.Month(YEAR, 1 + 3 * turn + number)
        partitions.ensure_months(month, month)
        for table in partitions.partitioned_tables():
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)
        result.items += 1
    return result
