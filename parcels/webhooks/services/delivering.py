"""Deliver what is due.

A worker takes an endpoint for a while, alone, so that no message needs a claim of its own: if the worker is
killed, the endpoint is free again after a minute, and what was sent and not stored is sent once more, with
the same id. Endpoints are worked on side by side: one that does not answer keeps only itself waiting.
"""

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

import structlog
from django.db import DatabaseError
from django.db.models import F, Min
from django.utils import timezone

from alliance.database.at_home import rows_by_shard
from alliance.database.literals import moments, numbers, texts
from alliance.sandboxes import is_sandbox
from alliance.tenancy import Scope, raw_rows, scope
from parcels.bookings.models import Parcel
from parcels.choices import DeliveryState
from parcels.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSecret
from parcels.webhooks.payloads import body_of
from parcels.webhooks.rules import BINS, LOGGED, LONGEST_HOLD, bin_of, due_after
from parcels.webhooks.sending import Answer, Message, Sender
from parcels.webhooks.services.failing import judge
from parcels.webhooks.services.fanning_out import fan_out
from parcels.webhooks.signing import signers_of
from parcels.webhooks.sql import STORE

# Longer than a batch and its last answer take.
LEASE: Final = timedelta(seconds=60)
# Of one endpoint, at most so many messages, begun within so many seconds.
BATCH, BATCH_SECONDS = 200, 5.0
# Endpoints worked on at once by one worker.
MOST_ENDPOINTS: Final = 200
# How often a worker looks for endpoints that are due, and for events.
LOOK_EVERY, FAN_OUT_EVERY = 0.25, 1.0
_READ_LATELY: Final = timedelta(seconds=FAN_OUT_EVERY * 0.9)
log = structlog.get_logger(__name__)

_COUNT: Final = """
    INSERT INTO parcels_webhookhour AS h (organisation_id, endpoint_id, hour, attempts, delivered, bins)
    VALUES (%(organisation)s, %(endpoint)s, date_trunc('hour', %(now)s::timestamptz), %(attempts)s,
        %(delivered)s, %(bins)s::int[])
    ON CONFLICT (endpoint_id, hour) DO UPDATE SET attempts = h.attempts + excluded.attempts,
        delivered = h.delivered + excluded.delivered,
        bins = (SELECT array_agg(a + b ORDER BY n) FROM unnest(h.bins, excluded.bins) WITH ORDINALITY
            AS t (a, b, n))
    RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class _Turn:
    """An endpoint that this worker has taken, and what it sends to it now."""

    endpoint: WebhookEndpoint
    deliveries: dict[tuple[int, int], WebhookDelivery]


def deliver(*, seconds: float, until_idle: bool = False, fanning_out: bool = True) -> int:
    """Deliver what is due for so many seconds, or until nothing is; return how many attempts were made.

    May run twice, side by side, or be killed anywhere.
    """
    with Sender() as sender:
        return _Worker(sender).run(seconds, until_idle=until_idle, fanning_out=fanning_out)


class _Worker:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._ended: SimpleQueue[tuple[_Turn, Future[list[Answer]]]] = SimpleQueue()
        self._under_way = self._attempts = 0
        self._until = 0.0

    def run(self, seconds: float, *, until_idle: bool, fanning_out: bool) -> int:
        self._until = time.monotonic() + seconds
        looked = fanned = -1_000.0
        while (is_time := time.monotonic() < self._until) or self._under_way:
            if is_time and fanning_out and time.monotonic() - fanned >= FAN_OUT_EVERY:
                # Of several workers one reads the outbox, and the others send.
                fan_out(now=timezone.now(), unless_within=None if until_idle else _READ_LATELY)
                fanned = time.monotonic()
            if is_time and time.monotonic() - looked >= LOOK_EVERY:
                self._take()
                looked = time.monotonic()
            if until_idle and not self._under_way:
                break
            self._wait()
        return self._attempts

    def _take(self) -> None:
        """Take endpoints that are due, and begin to send to each."""
        now = timezone.now()
        with scope(Scope.everything()):
            due = WebhookEndpoint.objects.due(now).order_by("next_due_at")
            free = max(MOST_ENDPOINTS - self._under_way, 0)
            taken = list(due.select_for_update(skip_locked=True, no_key=True)[:free])
            WebhookEndpoint.objects.filter(pk__in=[endpoint.pk for endpoint in taken]).update(
                leased_until=now + LEASE, lease=F("lease") + 1, next_due_at=None
            )
        for endpoint in taken:
            endpoint.lease += 1
            self._begin(endpoint)

    def _begin(self, endpoint: WebhookEndpoint) -> None:
        try:
            with scope(Scope.everything()):
                deliveries = _due_of(endpoint)
                if not deliveries:
                    _give_back(endpoint)
                    return
                messages, signers = _messages_of(deliveries), _signers_of(endpoint)
        except DatabaseError:
            raise
        except Exception:
            # A fault of ours with one endpoint keeps no other waiting.
            log.exception("webhook_not_sent", endpoint=endpoint.code)
            with scope(Scope.everything()):
                _give_back(endpoint, held_until=timezone.now() + LONGEST_HOLD)
            return
        turn = _Turn(endpoint, {(each.parcel_id, each.id): each for each in deliveries})
        future = self._sender.send(endpoint.pk, endpoint.url, messages, signers, seconds=BATCH_SECONDS)
        self._under_way += 1
        future.add_done_callback(lambda done: self._ended.put((turn, done)))

    def _wait(self) -> None:
        """Store what has been answered until now, or wait a moment for an answer."""
        try:
            turn, future = self._ended.get(timeout=LOOK_EVERY)
        except Empty:
            return
        self._under_way -= 1
        answers = future.result()
        self._attempts += len(answers)
        endpoint = store(turn.endpoint, turn.deliveries, answers, now=timezone.now())
        if endpoint is None:
            self._sender.forget(turn.endpoint.pk)
        elif answers and _may_go_on(endpoint) and time.monotonic() < self._until:
            self._begin(endpoint)
        else:
            with scope(Scope.everything()):
                _give_back(endpoint)


def store(
    endpoint: WebhookEndpoint,
    deliveries: dict[tuple[int, int], WebhookDelivery],
    answers: Sequence[Answer],
    *,
    now: datetime,
) -> WebhookEndpoint | None:
    """Store what a batch was answered; return the endpoint as it is now, None if another worker has it.

    Deliveries first, then the endpoint: in the order in which fan-outs lock them.
    """
    with scope(Scope.everything()):
        if answers:
            _store_answers(endpoint, [(deliveries[each.message.key], each) for each in answers], now)
        row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
        if row is None or row.lease != endpoint.lease:
            return None
        judge(row, answers, now=now)
        row.leased_until = now + LEASE
        row.save()
        if answers:
            _count(row, answers, now)
    return row


def _may_go_on(endpoint: WebhookEndpoint) -> bool:
    held = endpoint.held_until
    return endpoint.is_active and (held is None or held <= timezone.now())


def _due_of(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    due = WebhookDelivery.objects.filter(endpoint_id=endpoint.pk).due(timezone.now())
    return list(due.order_by("due_at").defer("log")[:BATCH])


def _messages_of(deliveries: Sequence[WebhookDelivery]) -> list[Message]:
    references = _references(deliveries)
    return [
        Message(
            (each.parcel_id, each.id),
            each.message_id,
            body_of(each, reference=references.get(each.parcel_id, "")),
        )
        for each in deliveries
    ]


def _references(deliveries: Sequence[WebhookDelivery]) -> dict[int, str]:
    parcels = {each.parcel_id for each in deliveries if each.parcel_id > 0}
    # Test parcels are seen by their sandbox alone; one endpoint's deliveries are of one organisation.
    owner = next((each.organisation_id for each in deliveries), None)
    reading = scope(Scope.merchant(owner)) if owner and is_sandbox(owner) else nullcontext()
    with reading:
        rows = Parcel.objects.filter(pk__in=parcels) if parcels else Parcel.objects.none()
        return dict(rows.values_list("pk", "reference"))


def _signers_of(endpoint: WebhookEndpoint) -> list[Any]:
    valid = WebhookSecret.objects.filter(endpoint_id=endpoint.pk).valid(timezone.now())
    return signers_of(valid.values_list("sealed", flat=True))


def _give_back(endpoint: WebhookEndpoint, *, held_until: datetime | None = None) -> None:
    """Let others have an endpoint, from when its next delivery is due on."""
    row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is None or row.lease != endpoint.lease:
        return
    waiting = WebhookDelivery.objects.filter(endpoint_id=endpoint.pk, due_at__isnull=False)
    next_due_at = waiting.aggregate(at=Min("due_at"))["at"]
    # What a fan-out has written there since: it may have come after the look.
    known = [at for at in (row.next_due_at, next_due_at) if at is not None]
    row.next_due_at, row.leased_until = min(known, default=None), None
    row.held_until = held_until or row.held_until
    row.save(update_fields=["next_due_at", "leased_until", "held_until"])


def _store_answers(
    endpoint: WebhookEndpoint, answers: Sequence[tuple[WebhookDelivery, Answer]], now: datetime
) -> None:
    states, due_at = list[str](), list[datetime | None]()
    for delivery, answer in answers:
        again = None
        if not answer.is_delivered:
            again = due_after(
                delivery.tries + 1,
                now,
                chance=random.random(),  # noqa: S311 -- spreads attempts
                retry_after=answer.retry_after,
            )
        due_at.append(again)
        ended = DeliveryState.DELIVERED if answer.is_delivered else DeliveryState.FAILED
        states.append((DeliveryState.PENDING if again else ended).value)
    rows_by_shard(
        STORE,
        [delivery.parcel_id for delivery, _answer in answers],
        {
            "id": ([delivery.id for delivery, _answer in answers], numbers),
            "endpoint_id": ([endpoint.pk] * len(answers), numbers),
            "attempts": ([delivery.attempts + 1 for delivery, _answer in answers], numbers),
            "state": (states, texts),
            "due_at": (due_at, moments),
            "attempted_at": ([answer.at for _delivery, answer in answers], moments),
            "entry": ([_entry(*each) for each in answers], texts),
        },
        logged=LOGGED,
        now=now,
    )


def _entry(delivery: WebhookDelivery, answer: Answer) -> str:
    entry = {
        "number": delivery.attempts + 1,
        "at": answer.at.isoformat(timespec="milliseconds"),
        "status": answer.status,
        "error": answer.error,
        "ms": answer.milliseconds,
        # The database takes no NUL.
        "answer": answer.body.decode("utf-8", "replace").replace("\0", "\ufffd"),
    }
    return json.dumps(entry, ensure_ascii=False)


def _count(endpoint: WebhookEndpoint, answers: Sequence[Answer], now: datetime) -> None:
    bins = [0] * BINS
    for answer in answers:
        bins[bin_of(answer.milliseconds)] += 1
    raw_rows(
        _COUNT,
        {
            "organisation": endpoint.organisation_id,
            "endpoint": endpoint.pk,
            "now": now,
            "attempts": len(answers),
            "delivered": sum(answer.is_delivered for answer in answers),
            "bins": numbers(bins),
        },
    )
