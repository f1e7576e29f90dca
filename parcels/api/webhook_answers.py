"""Webhooks, their messages and replays as the API answers them."""

import json
from typing import Any

from django.conf import settings
from django.utils import timezone

from alliance.clocks import moment_text
from alliance.identifiers import tracking_number
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor
from parcels.models import WebhookDelivery, WebhookEndpoint, WebhookReplay
from parcels.webhooks import queries

JSON = dict[str, Any]


def _text(moment: Any) -> str | None:
    return moment and moment_text(moment, settings.TIME_ZONE)


def endpoint_json(endpoint: WebhookEndpoint) -> JSON:
    return {
        "id": endpoint.code,
        "url": endpoint.url,
        "description": endpoint.description,
        "topics": endpoint.topics,
        "reference_prefix": endpoint.reference_prefix,
        "state": endpoint.state,
        "cause": endpoint.cause or None,
        "created_at": _text(endpoint.created_at),
        "stopped_at": _text(endpoint.stopped_at),
        "first_failed_at": _text(endpoint.failing_since),
    }


def detail_json(endpoint: WebhookEndpoint) -> JSON:
    now = timezone.now()
    figures = queries.figures_of(endpoint, now)
    return {
        **endpoint_json(endpoint),
        "secrets": [
            {
                "ending": secret.ending,
                "created_at": _text(secret.created_at),
                "ends_at": _text(secret.ends_at),
            }
            for secret in queries.secrets_of(endpoint, now)
        ],
        "last_day": {
            "attempts": figures.attempts,
            "delivered": figures.delivered,
            "success_rate": figures.share,
            "p50_milliseconds": figures.p50_ms,
            "p95_milliseconds": figures.p95_ms,
        },
        "oldest_waiting_at": _text(figures.oldest_waiting_at),
    }


def delivery_json(delivery: WebhookDelivery) -> JSON:
    parcel_id = delivery.parcel_id
    return {
        "id": delivery.message_id,
        "topic": delivery.topic,
        "tracking_number": tracking_number(parcel_id) if parcel_id > 0 else None,
        "at": _text(delivery.at),
        "sequence": delivery.sequence,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "attempted_at": _text(delivery.attempted_at),
        "next_attempt_at": _text(delivery.due_at),
    }


def delivery_detail_json(actor: Actor, delivery: WebhookDelivery) -> JSON:
    body = json.loads(queries.body_to_read(actor, delivery))
    return {**delivery_json(delivery), "body": body, "log": [_attempt(entry) for entry in delivery.log]}


def _attempt(entry: JSON) -> JSON:
    return {**{name: value for name, value in entry.items() if name != "ms"}, "milliseconds": entry["ms"]}


def replay_json(replay: WebhookReplay) -> JSON:
    return {
        "id": public_id(IdKind.WEBHOOK_REPLAY, replay.pk),
        "kind": str(replay.kind),
        "state": str(replay.state),
        "starts_at": _text(replay.starts_at),
        "ends_at": _text(replay.ends_at),
        "percent": replay.percent,
        "deliveries": replay.done,
        "requested_at": _text(replay.requested_at),
        "problem": replay.problem,
    }
