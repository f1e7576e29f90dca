"""A CSV of bookings by upload: the rate of rows in the background, and the worker's memory throughout."""

import csv
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import members, servers
from benchmarks.bench_bookings import CITIES, bookings
from benchmarks.clients import Caller, get, post
from benchmarks.rows import WORKER, Goal, Row
from benchmarks.world import Member, World

ROWS, FULL = 100_000, 1_000_000
PATH = "/api/v1/booking-files"
# One row in a hundred cannot be booked.
BAD = 100
PATIENCE, POLL = 600.0, 0.5
_COLUMNS = (
    "reference", "tier", "origin", "destination", "weight_g",
    "recipient_name", "recipient_phone", "recipient_address",
)  # fmt: skip
_BOUNDARY = "benchmark-4c1f"


def run(world: World) -> Iterator[Row]:
    """Upload a file by API key, and ask how far it is until it is done."""
    rows = FULL if world.full else ROWS
    cities = members.offer_everywhere(CITIES)
    merchant = world.merchants[2]
    with tempfile.TemporaryDirectory(prefix="courier-alliance-bench-") as folder:
        body = _written(Path(folder) / "bookings.csv", cities, rows)
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        with world.watch.taken() as taken:
            begun = time.perf_counter()
            file = _done(world, merchant, body)
            seconds = time.perf_counter() - begun
        del world.watch.roots[WORKER]
    if file["booked"] + file["rejected"] != rows or file["rejected"] != rows // BAD:
        raise RuntimeError(f"the file came to a bad end: {file}")
    yield Row(
        f"CSV of {rows:,} bookings, from its upload to its last row",
        rows / seconds,
        goal=Goal(rate=4_000, worker_mb=300),
        notes={"booked": f"{file['booked']:,}", "rejected": f"{file['rejected']:,}"},
        memory=taken.memory,
        cost=taken.cost(rows),
    )


def _written(path: Path, cities: list[str], rows: int) -> bytes:
    """Return the upload's body. The file is written to disk first, as people's are."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number, booking in enumerate(bookings(cities, seed="csv", count=rows)):
            given = {**booking, **{f"recipient_{name}": text for name, text in booking["recipient"].items()}}
            if number % BAD == BAD - 1:
                given["weight_g"] = "heavy"
            writer.writerow([given[name] for name in _COLUMNS])
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bookings.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + path.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _done(world: World, merchant: Member, body: bytes) -> dict[str, Any]:
    caller = Caller(world.port)
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    file = json.loads(caller.must(post(PATH, body, token=merchant.token, content_type=kind)))
    asked = get(f"{PATH}/{file['id']}", Authorization=f"Bearer {merchant.token}")
    until = time.monotonic() + PATIENCE
    while file["state"] in ("queued", "running") and time.monotonic() < until:
        time.sleep(POLL)
        file = json.loads(caller.must(asked))
    found: dict[str, Any] = file
    return found
