"""Batches of bookings over HTTP beside the service called directly: 1,000 a batch, 2 clients."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any

from tests.benchmarks.harness import Member, Row, World, post, together

BATCH, BATCHES, ROUNDS, CLIENTS = 1_000, 8, 2, 2
# Parcels a second on one machine; the floor says what HTTP, reading and answering take of it.
GOAL = 5_000
CITIES = 10
_OFFERS = """
INSERT INTO slas_offer (courier_id, tier_id, origin_id, destination_id, price_fen, daily_capacity, active,
    updated_at)
SELECT o.id, t.id, a.id, b.id, 1200 + o.id %% 7 * 100, 2000000, true, now()
FROM alliance_organisation o, slas_servicetier t, alliance_city a, alliance_city b
WHERE o.kind = 'courier' AND t.code = 'next_day' AND a.code = ANY(%(cities)s) AND b.code = ANY(%(cities)s)
ON CONFLICT DO NOTHING
"""


def run(world: World) -> Iterator[Row]:
    """Measure both in turns, so that a slow minute of the machine falls on both."""
    cities = _offer(world)
    clients = world.merchants[:CLIENTS]
    over_http = [(world.port, member, cities) for member in clients]
    directly = [(member, cities) for member in clients]
    ours, floor = [], []
    for _round in range(ROUNDS):
        ours.append(together(_over_http, over_http))
        floor.append(together(_directly, directly))
    yield Row(
        f"bookings over HTTP, {BATCH:,} a batch, {CLIENTS} clients",
        sum(ours) / ROUNDS,
        sum(floor) / ROUNDS,
        "the service called directly",
        notes={
            "http": [round(rate) for rate in ours],
            "direct": [round(rate) for rate in floor],
            "goal a second": GOAL,
        },
    )


def _offer(world: World) -> list[str]:
    """Let every courier offer next day between ten cities, with more room than the run needs."""
    with world.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL alliance.scope = 'all'")
        cursor.execute(
            "SELECT code FROM alliance_city WHERE country = 'CN' ORDER BY population DESC, code LIMIT %s",
            [CITIES],
        )
        cities = [row[0] for row in cursor.fetchall()]
        cursor.execute(_OFFERS, {"cities": cities})
    return cities


def _body(cities: list[str], seed: int) -> list[dict[str, Any]]:
    source = random.Random(seed)
    recipient = {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"}
    return [
        {
            "tier": "next_day",
            "origin": source.choice(cities),
            "destination": source.choice(cities),
            "weight_g": source.randint(100, 20_000),
            "reference": f"SO-{seed}-{number}",
            "recipient": recipient,
        }
        for number in range(BATCH)
    ]


def _over_http(ready: Callable[[], Any], port: int, member: Member, cities: list[str]) -> int:
    bodies = [
        json.dumps(_body(cities, seed)).encode()
        for seed in range(member.organisation_id, member.organisation_id + BATCHES)
    ]
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    ready()
    path = "/api/v1/parcels/batch"
    return sum(json.loads(post(connection, path, member.token, body))["booked"] for body in bodies)


def _directly(ready: Callable[[], Any], member: Member, cities: list[str]) -> int:
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    from alliance.models import City, Organisation  # noqa: PLC0415
    from alliance.services import actor_of_organisation  # noqa: PLC0415
    from alliance.tenancy import Scope, scope  # noqa: PLC0415
    from parcels.bookings import BookingRequest, Recipient  # noqa: PLC0415
    from parcels.services.booking import book_parcels  # noqa: PLC0415
    from parcels.services.records import Booked  # noqa: PLC0415

    # The parent's connection came along with the fork, and is the parent's.
    connections["default"].connection = None
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=member.organisation_id)
        places = {city.code: city for city in City.objects.filter(code__in=cities)}
    actor = actor_of_organisation(organisation, kind="user", label="bench")
    now = datetime.now(UTC)
    batches = [
        [
            BookingRequest(
                tier=item["tier"],
                origin=places[item["origin"]],
                destination=places[item["destination"]],
                weight_g=item["weight_g"],
                ready_at=now,
                recipient=Recipient(**item["recipient"]),
                reference=item["reference"],
            )
            for item in _body(cities, seed)
        ]
        for seed in range(BATCHES)
    ]
    ready()
    booked = 0
    for batch in batches:
        with scope(Scope.of(actor)):
            results = book_parcels(actor=actor, requests=batch, at=datetime.now(UTC))
        booked += sum(isinstance(result, Booked) for result in results)
    return booked
