"""The outbox: services append events in the transaction of the change."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from alliance.database.cluster import is_distributed
from alliance.tenancy import Scope, raw_rows, scope

# The id of a new event, in statements that may write to a shard, whose columns have no default.
NEXT_ID: Final = "nextval('alliance_event_id_seq')"
# Events deleted per transaction.
SLICE = 10_000


class Topic(StrEnum):
    """What an event is about. Stored and sent to clients, so never change a value."""

    # A courier's application reached a state.
    APPLICATION_SUBMITTED = "application.submitted"
    APPLICATION_MORE_NEEDED = "application.more_needed"
    APPLICATION_APPROVED = "application.approved"
    APPLICATION_REJECTED = "application.rejected"
    # A parcel was booked, by a page, the API or a file.
    PARCEL_BOOKED = "parcel.booked"
    # The merchant cancelled a parcel before its pickup.
    PARCEL_CANCELLED = "parcel.cancelled"
    # A merchant asked for a pickup, and what became of that: about a request, not about a parcel.
    PICKUP_REQUESTED = "pickup.requested"
    PICKUP_ACCEPTED = "pickup.accepted"
    PICKUP_PROPOSED = "pickup.proposed"
    # An agreed window stays as it is: a proposal to move it was refused or taken back.
    PICKUP_KEPT = "pickup.kept"
    PICKUP_DECLINED = "pickup.declined"
    PICKUP_CANCELLED = "pickup.cancelled"
    # A scan gave a parcel another status.
    PARCEL_STATUS_CHANGED = "parcel.status_changed"
    # A manifest was made or cancelled by its merchant, or handed over to its courier.
    MANIFEST_MADE = "manifest.made"
    # Its merchant took parcels off while it was open.
    MANIFEST_CHANGED = "manifest.changed"
    MANIFEST_CANCELLED = "manifest.cancelled"
    MANIFEST_HANDED_OVER = "manifest.handed_over"
    # A parcel's scans contradict its final status, or one another.
    PARCEL_CONTRADICTED = "parcel.contradicted"
    # A merchant issued a return: another parcel that brings this one back.
    RETURN_ISSUED = "return.issued"
    # A recipient asked for a return, or took the request back; the merchant declined it.
    RETURN_REQUESTED = "return.requested"
    RETURN_WITHDRAWN = "return.withdrawn"
    RETURN_DECLINED = "return.declined"
    # A promised time passed before the milestone was reached.
    COMMITMENT_OVERDUE = "commitment.overdue"
    # A milestone was reached after its promised time.
    COMMITMENT_LATE = "commitment.late"
    # Another day was agreed on for a delivery.
    COMMITMENT_REVISED = "commitment.revised"
    # A breach no longer is one: for example, a scan of an event in time arrived late.
    BREACH_WITHDRAWN = "breach.withdrawn"
    # A breach no longer counts against the courier.
    BREACH_EXCUSED = "breach.excused"
    # A breach that was excused counts again.
    BREACH_EXCUSE_LIFTED = "breach.excuse_lifted"
    # An excuse reached a state: claimed or withdrawn by the courier, decided by ops, or no longer needed.
    EXCUSE_CLAIMED = "excuse.claimed"
    EXCUSE_WITHDRAWN = "excuse.withdrawn"
    EXCUSE_GRANTED = "excuse.granted"
    EXCUSE_DECLINED = "excuse.declined"
    EXCUSE_REVOKED = "excuse.revoked"
    EXCUSE_LAPSED = "excuse.lapsed"
    # An entry was added to the credit ledger.
    CREDIT_WRITTEN = "credit.written"
    # A month's statement of an organisation became final.
    STATEMENT_CLOSED = "statement.closed"
    # A courier got another grade from its scorecards.
    COURIER_GRADED = "courier.graded"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to record. The merchant and courier named here may read it."""

    topic: Topic
    merchant_id: int | None = None
    courier_id: int | None = None
    # 0 or less: about no parcel.
    parcel_id: int = 0
    payload: dict[str, Any] = field(default_factory=dict)


# On a cluster: the greatest number up to 0 for each worker, whose rows it would hold.
_NUMBERS_OF_NO_PARCEL: Final = """
    SELECT max(number) FROM generate_series(-1000, 0) AS number
    JOIN pg_dist_placement ON shardid = get_shard_id_for_distribution_column('alliance_event', number)
    GROUP BY groupid ORDER BY 1 DESC
"""


_INSERT_ROWS: Final = (
    "INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)"
    " SELECT t, %s, m, c, p, j::jsonb"
    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])"
    " AS x(t, m, c, p, j) RETURNING 1"
)
_INSERT_ROW: Final = (
    "INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)"
    " VALUES (%s, %s, %s, %s, %s, %s::jsonb) RETURNING 1"
)


def record(events: Iterable[NewEvent], *, at: datetime | None = None) -> None:
    """Append events in the current transaction: those about parcels in one statement."""
    moment, rows = at or timezone.now(), list(events)
    if is_distributed():
        for event in (row for row in rows if not row.parcel_id):
            _record_anywhere(event, moment)
        rows = [row for row in rows if row.parcel_id]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_ROWS,
            [
                moment,
                [row.topic for row in rows],
                [row.merchant_id for row in rows],
                [row.courier_id for row in rows],
                [row.parcel_id for row in rows],
                [_json(row) for row in rows],
            ],
        )


def _record_anywhere(event: NewEvent, moment: datetime) -> None:
    """Append an event about no parcel on a worker that answers: an approval waits for none that is down.

    By VALUES: after a failed INSERT ... SELECT, Citus lets the transaction commit no more.
    """

    def insert(number: int) -> None:
        values = [event.topic, moment, event.merchant_id, event.courier_id, number, _json(event)]
        with transaction.atomic():
            raw_rows(_INSERT_ROW, values)

    try:
        insert(0)
    except OperationalError:
        _first, *others = [number for (number,) in raw_rows(_NUMBERS_OF_NO_PARCEL)]
        for number in others:
            with suppress(OperationalError):
                return insert(number)
        raise


def _json(event: NewEvent) -> str:
    return json.dumps(event.payload, default=str, ensure_ascii=False)


def forget_old_events(*, now: datetime) -> int:
    """Delete events older than the setting, one slice per transaction; return how many.

    By time and row: what commits late, with an earlier time, goes with the next run. May run twice,
    concurrently, or be killed.
    """
    before, count = now - timedelta(days=settings.EVENTS_KEPT_DAYS), 0
    while True:
        with scope(Scope.everything()):
            # The newest of a slice of the oldest. Events of one batch have the same time.
            last = raw_rows(
                "SELECT at FROM alliance_event WHERE at < %s ORDER BY at OFFSET %s LIMIT 1",
                [before, SLICE - 1],
            )
            until = last[0][0] if last else before
            rows = raw_rows(
                "DELETE FROM alliance_event WHERE at < %s AND at <= %s RETURNING 1", [before, until]
            )
        count += len(rows)
        if not last:
            return count
