"""Scans over HTTP beside the same statement run directly: 2,000 a batch, 4 clients."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import psycopg2

from alliance.identifiers import moment_of, tracking_number
from parcels import scan_sql
from parcels.scan_batch import ScanBatch
from parcels.scan_input import read_json
from tests.benchmarks.harness import Member, Row, World, post, together

BATCH, BATCHES, ROUNDS, GOAL = 2_000, 20, 2, 0.6
# A parcel's day: each batch has a fifth of its scans from each, of parcels at that point of theirs.
STORY = (("picked_up", 2), ("departed", 4), ("arrived", 10), ("out_for_delivery", 20), ("delivered", 26))


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine falls on both."""
    ours, floor = [], []
    parts = ROUNDS * 2
    for part in range(0, parts, 2):
        ours.append(together(_over_http, [(world.port, *job) for job in _jobs(world, part, parts)]))
        floor.append(together(_directly, [(world.parameters, *job) for job in _jobs(world, part + 1, parts)]))
    yield Row(
        f"scans over HTTP, {BATCH:,} a batch, {len(world.couriers)} clients",
        sum(ours) / ROUNDS,
        sum(floor) / ROUNDS,
        "the same statement directly",
        GOAL,
        {"http": [round(rate) for rate in ours], "direct": [round(rate) for rate in floor]},
    )


def _jobs(world: World, part: int, parts: int) -> list[tuple[Member, list[int]]]:
    """Give each client its own courier's parcels, and each part of the run others than the rest."""
    return [(courier, courier.parcels[part::parts]) for courier in world.couriers]


def _batches(parcels: list[int]) -> list[bytes]:
    """JSON bodies in which parcels go through their day, a stage a batch."""
    share = BATCH // len(STORY)
    # Parcels booked at any time of the 25 days, as they are on the road together.
    groups = [parcels[place::BATCHES][:share] for place in range(BATCHES)]
    return [
        json.dumps(
            [
                _scan(parcel_id, code, hours)
                for stage, (code, hours) in enumerate(STORY)
                for parcel_id in groups[(number - stage) % BATCHES]
            ]
        ).encode()
        for number in range(BATCHES)
    ]


def _scan(parcel_id: int, code: str, hours: int) -> dict[str, str]:
    at = min(moment_of(parcel_id) + timedelta(hours=hours), datetime.now(UTC))
    return {
        "tracking_number": tracking_number(parcel_id),
        "code": code,
        "occurred_at": at.isoformat(),
        "facility": "HGH-01",
    }


def _over_http(ready: Callable[[], Any], port: int, courier: Member, parcels: list[int]) -> int:
    bodies = _batches(parcels)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    ready()
    return sum(
        json.loads(post(connection, "/api/v1/scans", courier.token, body))["accepted"] for body in bodies
    )


def _directly(ready: Callable[[], Any], where: dict[str, Any], courier: Member, parcels: list[int]) -> int:
    now = datetime.now(UTC)
    batches = [
        ScanBatch(read_json(body), now=now).parameters(courier_id=courier.organisation_id)
        for body in _batches(parcels)
    ]
    connection = psycopg2.connect(**where)
    accepted = 0
    ready()
    for parameters in batches:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = %s", [f"courier:{courier.organisation_id}"])
            cursor.execute(scan_sql.RECORD, parameters)
            accepted += cursor.fetchone()[0]
    return accepted
