"""What happens to parcels, and what is delivered of it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alliance.events import NewEvent, Topic, record
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, WebhookDelivery, WebhookEndpoint
from parcels.webhooks.services import delivering
from parcels.webhooks.services.endpoints import Draft, create_endpoint
from parcels.webhooks.services.fanning_out import fan_out

MOVED = Topic.PARCEL_STATUS_CHANGED


def endpoint(
    actor: Actor,
    url: str = "https://hooks.example.com/in",
    topics: Sequence[str] = (MOVED,),
    *,
    reference_prefix: str = "",
) -> tuple[WebhookEndpoint, str]:
    draft = Draft(url, topics, "", reference_prefix)
    with scope(Scope.of(actor)):
        return create_endpoint(actor=actor, draft=draft)


def happen(
    parcel: Parcel | None,
    *statuses: str,
    topic: Topic = MOVED,
    at: datetime | None = None,
    merchant_id: int | None = None,
    courier_id: int | None = None,
    **payload: Any,
) -> None:
    """Record an event for each status of a parcel, or one."""
    moment = at or timezone.now()
    if parcel is not None:
        merchant_id, courier_id = parcel.merchant_id, parcel.courier_id
    with scope(Scope.everything()):
        for number, status in enumerate(statuses or ("",)):
            content = {"status": status, "previous": "", "occurred_at": moment} if status else {}
            event = NewEvent(
                topic,
                merchant_id=merchant_id,
                courier_id=courier_id,
                parcel_id=parcel.pk if parcel else 0,
                payload={**content, **payload},
            )
            record([event], at=moment + timedelta(milliseconds=number))


def fanned_out(now: datetime | None = None) -> int:
    return fan_out(now=now or timezone.now())


def delivered(seconds: float = 20.0) -> int:
    """Deliver all that is due; return the number of attempts."""
    return delivering.deliver(seconds=seconds, until_idle=True)


def deliveries(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    with scope(Scope.everything()):
        return list(WebhookDelivery.objects.filter(endpoint_id=endpoint.pk).order_by("sequence"))


def reread(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    with scope(Scope.everything()):
        return WebhookEndpoint.objects.get(pk=endpoint.pk)


def make_due(endpoint: WebhookEndpoint) -> None:
    """Let the waits of an endpoint be over."""
    past = timezone.now() - timedelta(seconds=1)
    with scope(Scope.everything()):
        WebhookDelivery.objects.filter(endpoint_id=endpoint.pk, due_at__isnull=False).update(due_at=past)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(held_until=None, next_due_at=past)


def data(body: str) -> Any:
    return json.loads(body)["data"]
