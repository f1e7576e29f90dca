"""Clients that send batches of scans: over HTTP, and to the database directly."""

import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg2

from alliance.identifiers import parse_tracking_number
from benchmarks import scan_bodies
from benchmarks.clients import Caller, LoadResult, post, run_parallel, send_calls, sum_of
from benchmarks.scan_bodies import BATCH, RAMP, Lot, as_json, as_ndjson
from benchmarks.world import Member, World
from parcels.scans import sql
from parcels.scans.batch import ScanBatch
from parcels.scans.lines import read_json

PATH = "/api/v1/scans"
JSON, NDJSON = "application/json", "application/x-ndjson"
# One client per courier of the world.
CLIENTS = 4


def jobs(world: World, target: Any, batches: int, size: int, *more: Any) -> list[tuple[Any, ...]]:
    """Return the jobs of the clients: one courier each, and new parcels for each call of this."""
    count = scan_bodies.parcels_needed(batches, size)
    return [
        (target, courier, Lot(world.parcels(courier, count), batches, 0, RAMP, batches), *more)
        for courier in world.couriers
    ]


class Stream:
    """The batches of one side. Each turn goes on where the last one ended, so that the ramp comes once."""

    def __init__(
        self, world: World, *, turns: int, batches: int, size: int = BATCH, warm_up: int = 1
    ) -> None:
        """In each turn `batches` are counted, after `warm_up` that are not: connections are new in each."""
        self._world, self._batches, self._warm_up = world, batches, warm_up
        self._count = turns * batches + (turns - 1) * warm_up
        needed = scan_bodies.parcels_needed(self._count, size)
        self._parcels = [world.parcels(courier, needed) for courier in world.couriers]
        self._sent = 0

    def send(self, work: Callable[..., LoadResult], target: Any, *more: Any) -> LoadResult:
        """Send the next turn's batches, each courier's from a process of its own."""
        first, uncounted = self._sent, self._warm_up if self._sent else RAMP
        self._sent += uncounted + self._batches
        lots = [Lot(parcels, self._count, first, uncounted, self._batches) for parcels in self._parcels]
        couriers = self._world.couriers
        return run_parallel(
            work, [(target, courier, lot, *more) for courier, lot in zip(couriers, lots, strict=True)]
        )


# --- in client processes ---------------------------------------------------------------------


def over_http(
    ready: Callable[[], Any],
    port: int,
    courier: Member,
    lot: Lot,
    content_type: str = JSON,
    path: str = PATH,
) -> LoadResult:
    encode = as_ndjson if content_type == NDJSON else as_json
    calls = [
        post(path, encode(lines), token=courier.token, content_type=content_type) for lines in lot.batches()
    ]
    caller, warm_up = Caller(port), LoadResult()
    warm_up.before = sum(json.loads(caller.must(call))["accepted"] for call in calls[: lot.uncounted])
    ready()
    counted = send_calls(
        calls[lot.uncounted :], caller, seconds=60, items=lambda body: int(json.loads(body)["accepted"])
    )
    return sum_of([warm_up, counted])


def statement_parameters(lines: Sequence[dict[str, str]], courier: Member, now: datetime) -> dict[str, Any]:
    """Return the parameters of the product's statement for a batch, all of one server."""
    batch = ScanBatch(read_json(as_json(lines)), now=now)
    return batch.parameters(range(len(batch.parcel_ids)), courier_id=courier.organisation_id)


def directly(
    ready: Callable[[], Any], connection_parameters: dict[str, Any], courier: Member, lot: Lot
) -> LoadResult:
    """Run the product's statement, in a transaction and scope like the product's."""
    now = datetime.now(UTC)
    parameters = [statement_parameters(lines, courier, now) for lines in lot.batches()]
    connection = psycopg2.connect(**connection_parameters)
    result = LoadResult()
    for place, params in enumerate(parameters):
        if place == lot.uncounted:
            ready()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = %s", [f"courier:{courier.organisation_id}"])
            cursor.execute(sql.RECORD, params)
            accepted = cursor.fetchone()[0]
        if place < lot.uncounted:
            result.before += accepted
        else:
            result.items += accepted
    return result


_COPY = """
COPY parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at, reason,
    facility, event_id, consent) FROM STDIN
"""


def by_copy(
    ready: Callable[[], Any], owner_parameters: dict[str, Any], courier: Member, lot: Lot, merchant: Member
) -> LoadResult:
    """Copy the same rows into the partitioned table, and nothing else.

    As the owner of the tables, who is exempt from policies: COPY FROM is refused under forced row-level
    security.
    """
    now = datetime.now(UTC).isoformat()
    files = [
        "".join(_copied(line, place, merchant, courier, now) for place, line in enumerate(lines))
        for lines in lot.batches()
    ]
    connection = psycopg2.connect(**owner_parameters)
    result = LoadResult()
    for place, file in enumerate(files):
        if place == lot.uncounted:
            ready()
        with connection, connection.cursor() as cursor:
            cursor.copy_expert(_COPY, io.StringIO(file))
            copied = cursor.rowcount
        if place < lot.uncounted:
            result.before += copied
        else:
            result.items += copied
    return result


def _copied(line: dict[str, str], place: int, merchant: Member, courier: Member, now: str) -> str:
    parcel_id = parse_tracking_number(line["tracking_number"])
    # Any key that is no other's, as far apart as the product's hashes are.
    key = (parcel_id * 0x9E3779B97F4A7C15 + place) % 2**63
    ids = f"{parcel_id}\t{key}\t{merchant.organisation_id}\t{courier.organisation_id}"
    return f"{ids}\t{line['code']}\t{line['occurred_at']}\t{now}\t\t{line['facility']}\t\tf\n"
