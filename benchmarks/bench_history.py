"""Import of history, beside the upload of a booking file of as many rows, in turns."""

import csv
import io
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connections

from alliance.tenancy import Actor
from benchmarks import members, servers
from benchmarks.bench_bookings import CITIES
from benchmarks.bench_csv import BAD, FILE, csv_of, upload
from benchmarks.clients import LoadResult, run_parallel
from benchmarks.filling import DAYS
from benchmarks.rows import WORKER, Goal, Row
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import COURIERS, MERCHANTS, World
from parcels.history.rows import COLUMNS, read_history
from parcels.history.services import WRITERS, import_history

# Chunks of both are of a thousand rows.
ROWS, ROUNDS = 5_000, 5
IMPORT = "import_history"


def run(world: World) -> Iterator[Row]:
    """Import files of parcels of the last weeks, each with a pickup and a delivery."""
    cities, turns = members.offer_everywhere(CITIES), count()
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        # Uncounted: a worker's first file.
        upload(world, csv_of(cities, BAD, seed="before history"))
        sides = in_turns(
            world.watch,
            {
                FILE: lambda: upload(world, csv_of(cities, ROWS, seed=f"history{next(turns)}")),
                IMPORT: lambda: run_parallel(_import, [(cities, f"history{next(turns)}")]),
            },
            rounds=ROUNDS,
        )
        del world.watch.roots[WORKER]
    name = f"{IMPORT} of {ROWS:,} rows"
    yield rate_row(name, sides[IMPORT], sides[FILE], f"{FILE} of as many rows", Goal(ratio=1))


# --- in a client process ---------------------------------------------------------------------


def _import(ready: Callable[[], Any], cities: list[str], seed: str) -> LoadResult:
    """Import a file as `manage.py import_history` does, after a few rows that are not counted."""
    # The forked process inherits the parent's connection, and must not use it.
    connections["default"].connection = None
    now = datetime.now(UTC)

    def imported(rows: int, seed: str) -> int:
        file = io.BytesIO(_history(cities, rows, seed=seed, now=now))
        report = import_history(
            actor=Actor.system(IMPORT),
            rows=read_history(file, now=now),
            create=False,
            now=now,
            writers=WRITERS,
        )
        if report.new != rows:
            raise RuntimeError(f"the import came to a bad end: {report}")
        return report.new

    before = imported(BAD, f"{seed}-first")
    ready()
    begun, processor = time.perf_counter(), time.process_time()
    rows = imported(ROWS, seed)
    seconds = time.perf_counter() - begun
    return LoadResult(rows, seconds, [seconds], before, processor=time.process_time() - processor)


def _history(cities: list[str], rows: int, *, seed: str, now: datetime) -> bytes:
    source, file = random.Random(seed), io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    for number in range(rows):
        booked_at = now - timedelta(days=DAYS - 1) + source.random() * timedelta(days=DAYS - 7)
        writer.writerow(
            {
                "reference": f"{seed}-{number}",
                "merchant": f"Merchant {source.randrange(MERCHANTS)}",
                "courier": f"Courier {source.randrange(COURIERS)}",
                "tier": "next_day",
                "origin": source.choice(cities),
                "destination": source.choice(cities),
                "booked_at": booked_at.isoformat(),
                "promised_by": (booked_at + timedelta(hours=30)).isoformat(),
                "picked_up_at": (booked_at + timedelta(hours=3)).isoformat(),
                "delivered_at": (booked_at + timedelta(hours=source.randrange(12, 40))).isoformat(),
            }
        )
    return file.getvalue().encode()
