"""The outbox: services append events in the transaction that did the deed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

# Made once: json.dumps() with options makes one for every event of a batch.
_encoded = json.JSONEncoder(default=str, ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened. Merchant and courier named here may learn of it."""

    topic: str
    merchant_id: int | None = None
    courier_id: int | None = None
    parcel_id: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)


def record(events: Iterable[NewEvent], *, at: datetime | None = None) -> None:
    """Append events in the current transaction, all in one statement."""
    rows = list(events)
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)"
            " SELECT t, %s, m, c, p, j::jsonb"
            " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])"
            " AS x(t, m, c, p, j)",
            [
                at or timezone.now(),
                [row.topic for row in rows],
                [row.merchant_id for row in rows],
                [row.courier_id for row in rows],
                [row.parcel_id for row in rows],
                [_encoded(row.payload) for row in rows],
            ],
        )
