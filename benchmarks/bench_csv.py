"""Upload of a file of bookings: rows per second in the background, and the worker's peak memory."""

import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from itertools import count

import xlsxwriter

from benchmarks import members, servers
from benchmarks.bench_bookings import BARE, BATCH, CITIES, bare, bookings
from benchmarks.clients import Caller, LoadResult, get, post
from benchmarks.rows import WORKER, Goal, Row
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import World

ROWS, ROUNDS, FULL = 20_000, 4, 1_000_000
FILE = "booking file"
WORKBOOK = "booking workbook"
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
                WORKBOOK: lambda: upload(world, workbook_of(cities, rows, seed=f"xlsx{next(turns)}")),
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
    # Reading a workbook comes on top of all that becomes of a row, in a process of its own.
    yield rate_row(
        f"XLSX of {rows:,} bookings, from its upload to its last row",
        sides[WORKBOOK],
        sides[FILE],
        "a CSV of as many",
        Goal(ratio=0.6, worker_mb=300),
    )


def csv_of(cities: list[str], rows: int, *, seed: str) -> bytes:
    """Return the body of an upload of a CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(_table(cities, rows, seed))
    return _body("bookings.csv", text.getvalue().encode())


def workbook_of(cities: list[str], rows: int, *, seed: str) -> bytes:
    """Return the body of an upload of a workbook, in which the weights are numbers."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(_table(cities, rows, seed)):
            sheet.write_row(number, 0, cells)
    return _body("bookings.xlsx", content.getvalue())


def _table(cities: list[str], rows: int, seed: str) -> Iterator[Sequence[str | int]]:
    yield _COLUMNS
    for number, booking in enumerate(bookings(cities, seed=seed, count=rows)):
        cells = {**booking, **{f"recipient_{name}": text for name, text in booking["recipient"].items()}}
        if number % BAD == BAD - 1:
            cells["weight_g"] = "heavy"
        yield [cells[name] for name in _COLUMNS]


def _body(name: str, content: bytes) -> bytes:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


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
