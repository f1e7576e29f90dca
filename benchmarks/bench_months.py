"""Scans while months of the partitioned tables are made, detached and dropped, beside scans left in peace."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.bench_scans import BATCH, CLIENTS, JSON, jobs, over_http
from benchmarks.clients import Done, added, side_by_side, together
from benchmarks.rows import Row
from benchmarks.world import World

BATCHES, ROUNDS = 10, 2
# Far from whatever is booked or scanned.
YEAR = 2071


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine falls on both."""
    peace, unrest, months = [], [], 0
    for turn in range(ROUNDS):
        peace.append(together(over_http, jobs(world, world.port, BATCHES, BATCH, JSON)))
        work = [(over_http, *job) for job in jobs(world, world.port, BATCHES, BATCH, JSON)]
        _begun, [*done, changed] = side_by_side([*work, (_change_months, turn)])
        disturbed = added(done)
        disturbed.seconds = max(each.seconds for each in done)
        unrest.append(disturbed)
        months += changed.items
    disturbed, left_alone = added(unrest), added(peace)
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


# --- in a process of its own -----------------------------------------------------------------


def _change_months(ready: Callable[[], Any], turn: int) -> Done:
    """Make a month, take it out and drop it, again and again."""
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    from alliance.database import partitions  # noqa: PLC0415

    # The parent's connection came along with the fork, and is the parent's.
    connections["default"].connection = None
    done = Done()
    ready()
    for number in range(3):
        month = partitions.Month(YEAR, 1 + 4 * turn + number)
        partitions.ensure_months(month, month)
        for table in partitions.partitioned_tables():
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)
        done.items += 1
    return done
