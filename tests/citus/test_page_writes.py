"""How many shards each write of portal, API and admin asks.

What changes one parcel asks its shard; a batch those of its parcels; what is about no parcel asks none.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.access.rows import Row
from tests.access.table import TABLE
from tests.access.test_access import knock
from tests.access.world import World
from tests.citus import servers
from tests.citus.conftest import Asked
from tests.citus.test_pages import CALLERS, MEMBERS, most_shards, shards_of_homes
from tests.parcels.helpers.bookings import RECIPIENT, body_for

pytestmark = pytest.mark.django_db
WRITES: Final = [row for row in TABLE if row.method != "GET"]
CHANGING_A_PARCEL: Final = {
    "parcels:parcel_unmask", "parcels:parcel_revise", "parcels:parcel_cancel", "api:parcels:parcel_cancel",
    "parcels:return_decline", "api:parcels:parcel_return", "api:parcels:return_approve",
    "api:parcels:return_decline",
    # A message: one that is sent again, or a new one about no parcel.
    "parcels:webhook_test", "parcels:webhook_replay_one",
    "api:parcels:webhook_test", "api:parcels:webhook_delivery_replay",
}  # fmt: skip
# A pickup's or manifest's parcels at their homes, and an event that is about none of them, anywhere.
CHANGING_PARCELS: Final = {
    f"{door}:{verb}"
    for door in ("parcels", "api:parcels")
    for verb in (
        "pickup_accept", "pickup_agree", "pickup_keep", "pickup_propose", "pickup_decline", "pickup_cancel",
        "manifest_cancel", "manifest_pick_up", "manifest_remark", "manifest_remove",
    )
}  # fmt: skip
# By the id of a claim, which does not say where it is.
LIKE: Final = {
    "api:slas:excuse_withdraw": "slas:excuse_withdraw",
    "admin:slas_excuse_decide_one": "admin:slas_excuse_decide",
}
ALLOWED: Final = (200, 201, 202, 302, 409, 422)


@pytest.mark.parametrize("row", WRITES, ids=lambda row: row.name)
def test_write_of_nothing_asks_few_shards(row: Row, world: World, asked: Asked) -> None:
    """As the access table sends them: mostly an empty form, which is refused."""
    for actor in CALLERS if row.route.startswith("api:") else MEMBERS:
        if actor not in row.visitors or row.expected[actor] not in ALLOWED:
            continue
        client = world.client(actor)
        most = _most_shards(row.route, actor, world)
        with transaction.atomic():
            _draw_menu(client)
            shards: set[int] = set().union(*asked(partial(knock, client, row, world.things)))
            transaction.set_rollback(True)
        assert len(shards) <= most, actor


def _most_shards(route: str, actor: str, world: World) -> int:
    if route in CHANGING_A_PARCEL:
        return 1
    if route in CHANGING_PARCELS:
        return min(shards_of_homes(actor, world) + 1, servers.SHARDS)
    return most_shards(LIKE.get(route, route), actor, world)


def _draw_menu(client: Client) -> None:
    """Have the figures beside the menu counted, which are kept then."""
    client.get(reverse("slas:promise_rules"))
    client.get(reverse("admin:index"))


@dataclass(frozen=True)
class Write:
    """Something valid that an actor sends: the row of the access table, its body, and the most shards."""

    actor: str
    method: str
    route: str
    body: Callable[[World], Any]
    status: int
    most: int = 1
    query: str = ""

    @property
    def row(self) -> Row:
        return next(row for row in TABLE if (row.method, row.route) == (self.method, self.route))


def _recipient(_world: World) -> dict[str, str]:
    return {"name": RECIPIENT.name, "phone": RECIPIENT.phone, "address": RECIPIENT.address}


def _another_day(_world: World) -> dict[str, str]:
    return {"day": f"{timezone.localdate() + timedelta(days=4)}", "reason": "Sold out"}


def _scan(world: World, code: str = "picked_up") -> dict[str, str]:
    return {
        "tracking_number": world.things["parcel"], "code": code, "occurred_at": timezone.now().isoformat()
    }  # fmt: skip


def _export(_world: World) -> dict[str, str]:
    return {"content": "rates", "format": "csv", "from": "2026-11-01", "to": "2026-11-02"}


VALID: Final = [
    Write("merchant_key", "POST", "api:parcels:parcel_list", lambda world: body_for(), 201),
    Write("merchant_key", "POST", "api:parcels:parcel_batch", lambda world: [body_for()] * 3, 200),
    Write("merchant_key", "POST", "api:parcels:quote_create", lambda world: body_for(recipient=...), 200, 0),
    Write("merchant_key", "POST", "api:parcels:parcel_cancel", lambda world: None, 200),
    Write("merchant_owner", "POST", "parcels:parcel_cancel", lambda world: {}, 302),
    Write("merchant_key", "POST", "api:parcels:parcel_revisions", _another_day, 201),
    Write("merchant_owner", "POST", "parcels:parcel_revise", _another_day, 302),
    Write("anonymous", "POST", "parcels:track_revise",
          lambda world: {**_another_day(world), "digits": RECIPIENT.phone[-4:]}, 302),
    Write("courier_key", "POST", "api:parcels:scan_batch", lambda world: [_scan(world)], 200),
    Write("courier_key", "POST", "api:parcels:scan_batch",
          lambda world: [_scan(world), _scan(world, "departed")], 200),
    Write("courier_owner", "POST", "parcels:parcel_unmask", lambda world: {}, 200),
    Write("courier_owner", "POST", "slas:excuse_withdraw", lambda world: {}, 302, query="number={broken}"),
    Write("ops", "POST", "admin:parcels_parcel_erase", lambda world: {"reason": "Asked for it."}, 422),
    Write("merchant_key", "POST", "api:slas:export_list",
          _export, 201, 0),
    Write("courier_key", "PATCH", "api:slas:offer_detail", lambda world: {"on_sale": False}, 200, 0),
]  # fmt: skip


@pytest.mark.parametrize("write", VALID, ids=lambda write: f"{write.method} {write.route}")
def test_write_asks_few_shards(write: Write, world: World, asked: Asked) -> None:
    row = replace(write.row, data=write.body(world), query=write.query.format(**world.things))
    client, statuses = world.client(write.actor), []
    _draw_menu(client)
    with transaction.atomic():
        shards: set[int] = set().union(
            *asked(lambda: statuses.append(knock(client, row, world.things).status_code))
        )
        transaction.set_rollback(True)
    assert statuses == [write.status]
    assert len(shards) == write.most
