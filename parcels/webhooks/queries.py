"""What an organisation reads of its webhooks: endpoints, deliveries, figures, replays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Min, QuerySet, Sum

from alliance.choices import Capability
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel
from parcels.choices import DeliveryState
from parcels.webhooks.models import (
    WebhookDelivery,
    WebhookEndpoint,
    WebhookHour,
    WebhookReplay,
    WebhookSecret,
)
from parcels.webhooks.payloads import body_of
from parcels.webhooks.rules import BINS, quantile
from parcels.webhooks.topics import TEST, topics_for

# Hours that the figures are of, the one that is running among them.
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the attempts at an endpoint in the last day, and what waits."""

    attempts: int
    delivered: int
    p50_ms: int | None
    p95_ms: int | None
    oldest_waiting_at: datetime | None

    @property
    def share(self) -> float | None:
        return self.delivered / self.attempts if self.attempts else None


def endpoints_of(actor: Actor) -> QuerySet[WebhookEndpoint]:
    """Return the endpoints of the actor's organisation, newest first."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    rows: QuerySet[WebhookEndpoint] = WebhookEndpoint.objects.visible_to(actor)
    return rows


def figures_of(endpoint: WebhookEndpoint, now: datetime) -> Figures:
    hours = list(WebhookHour.objects.filter(endpoint=endpoint, hour__gte=_since(now)))
    bins = _sum([hour.bins for hour in hours])
    waiting = WebhookDelivery.objects.filter(endpoint_id=endpoint.pk, state=DeliveryState.PENDING)
    return Figures(
        attempts=sum(hour.attempts for hour in hours),
        delivered=sum(hour.delivered for hour in hours),
        p50_ms=quantile(bins, 0.5),
        p95_ms=quantile(bins, 0.95),
        oldest_waiting_at=waiting.aggregate(at=Min("at"))["at"],
    )


def counts_of(endpoint_ids: Sequence[int], now: datetime) -> dict[int, tuple[int, int]]:
    """Return the attempts at some endpoints in the last day, and how many arrived."""
    hours = WebhookHour.objects.filter(endpoint_id__in=endpoint_ids, hour__gte=_since(now))
    sums = hours.values("endpoint_id").annotate(tried=Sum("attempts"), arrived=Sum("delivered")).order_by()
    return {row["endpoint_id"]: (row["tried"], row["arrived"]) for row in sums}


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> list[WebhookSecret]:
    """Return the secrets that sign, the newest first: what can be read of them."""
    return list(WebhookSecret.objects.filter(endpoint=endpoint).valid(now).defer("sealed"))


def readable(actor: Actor) -> QuerySet[WebhookDelivery]:
    """Return the deliveries that an actor may read: a key those of events that it may ask for."""
    rows: QuerySet[WebhookDelivery] = WebhookDelivery.objects.visible_to(actor)
    return rows if actor.api_key_id is None else rows.filter(topic__in=[*topics_for(actor), TEST])


def deliveries_of(
    actor: Actor,
    endpoint: WebhookEndpoint,
    *,
    state: str | None = None,
    topic: str | None = None,
    parcel_id: int | None = None,
) -> QuerySet[WebhookDelivery]:
    """Return an endpoint's deliveries, newest first, without their log."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    rows = readable(actor).filter(endpoint_id=endpoint.pk)
    filters: dict[str, Any] = {"state": state, "topic": topic, "parcel_id": parcel_id}
    rows = rows.filter(**{name: value for name, value in filters.items() if value is not None})
    found: QuerySet[WebhookDelivery] = rows.defer("log", "payload")
    return found


def body_to_read(actor: Actor, delivery: WebhookDelivery) -> str:
    """Return the body as it is sent."""
    parcels = Parcel.objects.visible_to(actor).filter(pk=delivery.parcel_id)
    reference = parcels.values_list("reference", flat=True).first() if delivery.parcel_id > 0 else ""
    return body_of(delivery, reference=reference or "")


def replays_of(actor: Actor, endpoint: WebhookEndpoint) -> QuerySet[WebhookReplay]:
    """Return an endpoint's replays, newest first."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    rows: QuerySet[WebhookReplay] = WebhookReplay.objects.visible_to(actor).filter(endpoint=endpoint)
    return rows.select_related("requested_by")


def _since(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def _sum(bins: Sequence[Sequence[int]]) -> list[int]:
    return [sum(counts) for counts in zip(*bins, strict=True)] if bins else [0] * BINS
