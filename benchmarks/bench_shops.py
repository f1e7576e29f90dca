"""The door of shops: how soon an order is answered while scans of all couriers saturate the database.

A worker books the orders meanwhile, as it does in production. Beside it an empty view of Django alone, under
the same load of scans.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from benchmarks import scan_bodies, servers
from benchmarks.bench_pressure import send_scans
from benchmarks.clients import Caller, LoadResult, get, run_jobs, sum_of
from benchmarks.rows import WEB, Goal, Row
from benchmarks.turns import in_turns, rate_row, time_row
from benchmarks.watching import Watch
from benchmarks.world import World
from parcels.choices import BooksOn, ShopKind
from parcels.shops.rules import signature_of
from parcels.shops.services.shops import ShopDraft, connect_shop, delete_shop

# A connection of each courier sends scans; orders come at a pace that no shop of ours reaches.
SHOPS, PAUSE = 2, 0.02
SECONDS, ROUNDS, BATCH, BATCHES = 4.0, 7, 1_000, 12
# What the door is to answer within, at the slowest of a hundred.
LIMIT_MS = 500.0
_SECRET = "a secret of the benchmark's shop"  # noqa: S105 -- of a database that is dropped
LOADED, ALONE, BARE = "while scans saturate the database", "nobody else there", "bare"


def run(world: World) -> Iterator[Row]:
    """Measure the door with the load of scans and without, and an empty view with it, in turns."""
    scans: list[LoadResult] = []
    numbers = itertools.count(1)

    def measured(port: int, is_loaded: bool, requests: Callable[[], Sequence[bytes]]) -> LoadResult:
        lookers, senders = _load(world, port, [requests() for _shop in range(SHOPS)], is_loaded=is_loaded)
        if is_loaded and port == world.port:
            scans.append(senders)
        return lookers

    with _shop(world) as path, servers.worker(), servers.bare_server() as (bare_port, bare):
        empty = [get("/healthz")]

        def orders() -> list[bytes]:
            return [_order(path, next(numbers)) for _n in range(int(SECONDS / PAUSE))]

        # Uncounted: each thread of the server plans its statements once.
        measured(world.port, False, orders)
        sides = in_turns(
            world.watch,
            {
                LOADED: lambda: measured(world.port, True, orders),
                ALONE: lambda: measured(world.port, False, orders),
                BARE: lambda: measured(bare_port, True, lambda: empty),
            },
            rounds=ROUNDS,
            watches={BARE: Watch({WEB: bare})},
        )
    door, alone, floor = sides[LOADED], sides[ALONE], sides[BARE]
    told = {
        "median": f"{door.total.milliseconds(0.5):.1f} ms, {alone.total.milliseconds(0.5):.1f} ms alone",
        "of all rounds": f"p99 {door.total.milliseconds(0.99):.0f} ms of {len(door.total.calls):,} orders",
        "scans": f"{sum_of(scans).rate:,.0f} /s",
    }
    name = "a shop's order answered while scans saturate the database, slowest of a hundred"
    limits = [LIMIT_MS] * ROUNDS
    yield time_row(name, door.slowest(0.99), limits, "the limit of 500 ms", Goal(ratio_most=1), notes=told)
    yield time_row(name, door.slowest(0.99), alone.slowest(0.99), ALONE)
    yield time_row(name, door.slowest(0.99), floor.slowest(0.99), "an empty view of Django alone, same load")
    yield rate_row(f"shops' orders taken in, {SHOPS} connections with pauses, {LOADED}", door)


@contextmanager
def _shop(world: World) -> Iterator[str]:
    """Connect a shop; yield the path that it sends to."""
    merchant_id = world.merchants[0].organisation_id
    values = {"tier": "next_day", "origin": "CN-HGH", "weight_g": "800", "if_full": "next"}
    draft = ShopDraft("Benchmark", ShopKind.SHOPIFY, BooksOn.PLACED, "B-", _SECRET, values)
    with scope(Scope.everything()):
        merchant = Organisation.objects.get(pk=merchant_id)
    actor = actor_of_organisation(merchant, kind="user", label="bench", role="owner")
    with scope(Scope.of(actor)):
        shop, _made = connect_shop(actor=actor, draft=draft)
    try:
        yield f"/from-shop/{shop.key}/"
    finally:
        with scope(Scope.of(actor)):
            delete_shop(actor=actor, shop_id=shop.pk)


def _order(path: str, number: int) -> bytes:
    """The request of an order of 40 articles: some 9 kB, as Shopify's are."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    article = {
        "name": "Longjing 250 g",
        "quantity": 1,
        "grams": 250,
        "requires_shipping": True,
        "sku": "T" * 90,
    }
    address = {
        "name": "王小明", "address1": "人民南路四段12号", "address2": "3单元1203室", "city": "成都市",
        "phone": "13812345678", "country_code": "CN",
    }  # fmt: skip
    order = {
        "id": number, "name": f"#{number}", "created_at": now, "updated_at": now, "financial_status": "paid",
        "shipping_address": address, "line_items": [{"id": n, **article} for n in range(40)],
    }  # fmt: skip
    body = json.dumps(order, ensure_ascii=False).encode()
    head = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Webhook-Id": f"benchmark-{number}",
        "X-Shopify-Hmac-Sha256": signature_of(_SECRET, body),
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _load(
    world: World, port: int, requests: Sequence[Sequence[bytes]], *, is_loaded: bool
) -> tuple[LoadResult, LoadResult]:
    """Send requests with pauses, from a process each, while couriers send scans of new parcels."""
    jobs: list[tuple[Any, ...]] = [(_send, port, some) for some in requests]
    if is_loaded:
        count = scan_bodies.parcels_needed(BATCHES, BATCH)
        jobs += [
            (send_scans, world.port, courier, world.parcels(courier, count), SECONDS, BATCHES)
            for courier in world.couriers
        ]
    _begun, results = run_jobs(jobs)
    scans = sum_of(results[len(requests) :])
    scans.seconds = SECONDS
    sent = sum_of(results[: len(requests)])
    sent.seconds = SECONDS
    return sent, scans


# --- in client processes ---------------------------------------------------------------------


def _send(ready: Callable[[], Any], port: int, requests: Sequence[bytes]) -> LoadResult:
    calls, caller, result = itertools.cycle(requests), Caller(port), LoadResult()
    caller.must(next(calls))
    ready()
    until = time.perf_counter() + SECONDS
    while (sent_at := time.perf_counter()) < until:
        caller.must(next(calls))
        result.calls.append(time.perf_counter() - sent_at)
        result.items += 1
        time.sleep(PAUSE)
    return result
