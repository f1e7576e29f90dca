"""Upload of a CSV of bookings: rows per second in the background, and the worker's peak memory."""

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
# One row in a hundred is invalid.
BAD = 100
PATIENCE, POLL = 600.0, 0.5
_COLUMNS = (
    "reference", "tier", "origin", "destination", "weight_g",
    "recipient_name", "recipient_phone", "recipient_address",
)  # fmt: skip
_BOUNDARY = "benchmark-4c1f"


def run(world: World) -> Iterator[Row]:
    """Upload a file by API key, and poll its progress until it is finished."""
    rows = FULL if world.full else ROWS
    cities = members.offer_everywhere(CITIES)
    merchant = world.merchants[2]
    with tempfile.TemporaryDirectory(prefix="courier-alliance-bench-") as folder:
        body = _write_csv(Path(folder) / "bookings.csv", cities, rows)
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        with world.watch.usage() as usage:
            begun = time.perf_counter()
            file = _upload(world, merchant, body)
            seconds = time.perf_counter() - begun
        del world.watch.roots[WORKER]
    if file["booked"] + file["rejected"] != rows or file["rejected"] != rows // BAD:
        raise RuntimeError(f"the file came to a bad end: {file}")
    yield Row(
        f"CSV of {rows:,} bookings, from its upload to its last row",
        rows / seconds,
        goal=Goal(rate=4_000, worker_mb=300),
        notes={"booked": f"{file['booked']:,}", "rejected": f"{file['rejected']:,}"},
        memory=usage.memory,
        cost=usage.cost(rows),
    )


def _write_csv(path: Path, cities: list[str], rows: int) -> bytes:
    """Return the body of the upload. The file is written to disk first, like a user's."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number, booking in enumerate(bookings(cities, seed="csv", count=rows)):
            cells = {**booking, **{f"recipient_{name}": text for name, text in booking["recipient"].items()}}
            if number % BAD == BAD - 1:
                cells["weight_g"] = "heavy"
            writer.writerow([cells[name] for name in _COLUMNS])
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bookings.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + path.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _upload(world: World, merchant: Member, body: bytes) -> dict[str, Any]:
    caller = Caller(world.port)
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    file = json.loads(caller.must(post(PATH, body, token=merchant.token, content_type=kind)))
    request = get(f"{PATH}/{file['id']}", Authorization=f"Bearer {merchant.token}")
    until = time.monotonic() + PATIENCE
    while file["state"] in ("queued", "running") and time.monotonic() < until:
        time.sleep(POLL)
        file = json.loads(caller.must(request))
    result: dict[str, Any] = file
    return result
