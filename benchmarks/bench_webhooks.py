"""Deliveries of webhooks a second, beside bare POSTs of the same bodies by the same HTTP client.

Both go to one server on this machine, which answers 204 to all, over two connections to each of several
endpoints. Ours reads what is due, builds and signs it, and stores what was answered.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from django.test.utils import override_settings
from django.utils import timezone

from alliance.events import NewEvent, Topic, record
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from benchmarks.clients import LoadResult
from benchmarks.rows import Goal, Row
from benchmarks.turns import in_turns, rate_row
from benchmarks.world import World
from parcels.choices import DeliveryState
from parcels.models import WebhookDelivery, WebhookEndpoint
from parcels.webhooks.payloads import body_of
from parcels.webhooks.sending import Message, Sender
from parcels.webhooks.services.delivering import deliver
from parcels.webhooks.services.endpoints import Draft, create_endpoint, delete_endpoint
from parcels.webhooks.services.fanning_out import fan_out

ENDPOINTS, EVENTS, ROUNDS, MOST_SECONDS = 8, 250, 7, 120.0
_PARCELS = "SELECT id, courier_id FROM parcels_parcel WHERE merchant_id = %s ORDER BY id DESC LIMIT %s"
# Answers 204 to each request, as soon as its body is there.
_SERVER = """
import asyncio, re

class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.waiting = transport, b""

    def data_received(self, data):
        self.waiting += data
        while (end := self.waiting.find(b"\\r\\n\\r\\n")) >= 0:
            length = int(re.search(rb"(?i)content-length: *(\\d+)", self.waiting[:end])[1])
            if len(self.waiting) < end + 4 + length:
                return
            self.waiting = self.waiting[end + 4 + length:]
            self.transport.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")

async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def run(world: World) -> Iterator[Row]:
    """Measure both sides in turns: each round sends the messages of as many events."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/hooks"
        with override_settings(WEBHOOKS_OVER_HTTP=True, WEBHOOKS_TO_THIS_MACHINE=True):
            yield from _measured(world, url)
    finally:
        server.kill()
        server.wait()


def _measured(world: World, url: str) -> Iterator[Row]:
    merchant_id = world.merchants[0].organisation_id
    with scope(Scope.everything()):
        merchant = Organisation.objects.get(pk=merchant_id)
        actor = actor_of_organisation(merchant, kind="user", label="bench", role="owner")
        draft = Draft(url, [Topic.PARCEL_STATUS_CHANGED.value], "")
        hooks = [create_endpoint(actor=actor, draft=draft)[0] for _number in range(ENDPOINTS)]
    parcels = world.rows(_PARCELS, [merchant_id, EVENTS])
    try:
        sides = in_turns(
            world.watch,
            {
                "ours": lambda: _delivered(merchant_id, parcels),
                "bare": lambda: _posted(hooks, _bodies(hooks)),
            },
            rounds=ROUNDS,
        )
    finally:
        with scope(Scope.everything()):
            for hook in hooks:
                delete_endpoint(actor=actor, code=hook.code)
            WebhookDelivery.objects.filter(endpoint_id__in=[hook.pk for hook in hooks]).delete()
    floor_is = "bare POSTs of the same bodies by the same client"
    yield rate_row("webhooks delivered", sides["ours"], sides["bare"], floor_is, Goal(ratio=0.5))


def _delivered(merchant_id: int, parcels: Sequence[tuple[int, int]]) -> LoadResult:
    """Let something happen to each parcel; count how long the messages of it take."""
    now = timezone.now()
    payload = {"status": "in_transit", "previous": "picked_up", "occurred_at": now.isoformat()}
    topic = Topic.PARCEL_STATUS_CHANGED
    with scope(Scope.everything()):
        record(
            [NewEvent(topic, merchant_id, courier, parcel, payload) for parcel, courier in parcels], at=now
        )
    fan_out(now=timezone.now())
    begun = time.perf_counter()
    sent = deliver(seconds=MOST_SECONDS, until_idle=True, fanning_out=False)
    seconds = time.perf_counter() - begun
    with scope(Scope.everything()):
        left = WebhookDelivery.objects.exclude(state=DeliveryState.DELIVERED).count()
    assert left == 0, f"{left} messages have not arrived"
    return LoadResult(sent, seconds, [seconds / max(sent, 1)])


def _bodies(hooks: Sequence[WebhookEndpoint]) -> list[list[Message]]:
    with scope(Scope.everything()):
        rows = [
            list(WebhookDelivery.objects.filter(endpoint_id=hook.pk).order_by("-at")[:EVENTS])
            for hook in hooks
        ]
    return [
        [Message((each.parcel_id, each.id), each.message_id, body_of(each, reference="SO-1")) for each in own]
        for own in rows
    ]


def _posted(hooks: Sequence[WebhookEndpoint], messages: Sequence[Sequence[Message]]) -> LoadResult:
    begun = time.perf_counter()
    with Sender() as sender:
        futures = [
            sender.send(hook.pk, hook.url, own, [], seconds=MOST_SECONDS)
            for hook, own in zip(hooks, messages, strict=True)
        ]
        sent = sum(len(future.result()) for future in futures)
    seconds = time.perf_counter() - begun
    return LoadResult(sent, seconds, [seconds / max(sent, 1)])
