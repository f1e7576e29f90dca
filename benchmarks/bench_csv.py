"""Upload of a CSV of bookings: rows per second in the background, and the worker's peak memory."""

import csv
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks import members, servers
from benchmarks.bench_bookings import BARE, BATCH, CITIES, bare, bookings
from benchmarks.clients import Caller, LoadResult, get, post
from benchmarks.rows import WORKER, Goal, Row
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import World

ROWS, ROUNDS, FULL = 20_000, 4, 1_000_000
FILE = "booking file"
PATH = "/api/v1/booking-files"
# One row in a hundred is invalid.
BAD = 100
PATIENCE, POLL = 600.0, 0.1
_COLUMNS = (
    "reference", "tier", "origin", "destination", "weight_g",
    "recipient_name", "recipient_phone", "recipient_address",
)  # fmt: skip
_BOUNDARY = "benchmark-4c1f"


def run(world: World) -> Iterator[Row]:
    """Upload files in turns with bare SQL of as many rows, or a single file of a whole million."""
    rows, rounds = (FULL, 1) if world.full else (ROWS, ROUNDS)
    cities, turns = members.offer_everywhere(CITIES), count()
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        # Uncounted: a worker's first file.
        upload(world, csv_of(cities, BAD, seed="first"))
        sides = in_turns(
            world.watch,
            {
                FILE: lambda: upload(world, csv_of(cities, rows, seed=f"csv{next(turns)}")),
                # After the seconds of the bookings' own benchmark.
                BARE: lambda: bare(world, 1_000 + next(turns), clients=1, batches=ROWS // BATCH),
            },
            rounds=rounds,
        )
        del world.watch.roots[WORKER]
    yield rate_row(
        f"CSV of {rows:,} bookings, from its upload to its last row",
        sides[FILE],
        sides[BARE],
        f"{BARE}, one connection",
        Goal(ratio=0.15, worker_mb=300),
    )


def csv_of(cities: list[str], rows: int, *, seed: str) -> bytes:
    """Return the body of an upload."""
    with tempfile.TemporaryDirectory(prefix="courier-alliance-bench-") as folder:
        return _write_csv(Path(folder) / "bookings.csv", cities, rows, seed)


def _write_csv(path: Path, cities: list[str], rows: int, seed: str) -> bytes:
    """Return the body of the upload. The file is written to disk first, like a user's."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number, booking in enumerate(bookings(cities, seed=seed, count=rows)):
            cells = {**booking, **{f"recipient_{name}": text for name, text in booking["recipient"].items()}}
            if number % BAD == BAD - 1:
                cells["weight_g"] = "heavy"
            writer.writerow([cells[name] for name in _COLUMNS])
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bookings.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + path.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode()


def upload(world: World, body: bytes) -> LoadResult:
    """Upload a file by API key, and poll its progress until it is finished."""
    caller, merchant = Caller(world.port), world.merchants[2]
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    begun = time.perf_counter()
    file = json.loads(caller.must(post(PATH, body, token=merchant.token, content_type=kind)))
    request = get(f"{PATH}/{file['id']}", Authorization=f"Bearer {merchant.token}")
    while file["state"] in ("queued", "running") and time.perf_counter() - begun < PATIENCE:
        time.sleep(POLL)
        file = json.loads(caller.must(request))
    seconds, rows = time.perf_counter() - begun, file["booked"] + file["rejected"]
    if file["state"] != "done" or file["rejected"] != rows // BAD:
        raise RuntimeError(f"the file came to a bad end: {file}")
    return LoadResult(rows, seconds, [seconds])
