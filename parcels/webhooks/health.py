"""Whether webhooks are sent: how far behind the outbox they are, and how long what is due has waited.

Only for whoever runs the alliance: an endpoint that does not answer is its owner's affair, and held back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Min
from django.utils import timezone
from prometheus_client import Gauge

from alliance.models import Heartbeat
from alliance.tenancy import Scope, scope
from parcels.webhooks.models import WebhookEndpoint
from parcels.webhooks.services.delivering import LEASE
from parcels.webhooks.services.fanning_out import HEARTBEAT

# A killed worker's endpoints are free after a lease.
LATE_AFTER: Final = LEASE + timedelta(seconds=60)
# The most recent value of any process: all ask the same database.
READ_BEHIND: Final = Gauge(
    "alliance_webhooks_read_behind_seconds",
    "Seconds since webhooks last read the outbox, while there are any",
    multiprocess_mode="mostrecent",
)
DUE_BEHIND: Final = Gauge(
    "alliance_webhooks_due_behind_seconds",
    "Seconds for which the oldest due delivery has waited for a worker",
    multiprocess_mode="mostrecent",
)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind the workers of webhooks are. `read` is None while nobody has a webhook."""

    read: timedelta | None
    due: timedelta

    @property
    def is_late(self) -> bool:
        return max(self.read or timedelta(), self.due) > LATE_AFTER


def lag(now: datetime) -> Lag:
    """Asks no table of deliveries: each endpoint says when its next one is due, or who has it."""
    first = WebhookEndpoint.objects.listening().aggregate(at=Min("listens_from"))["at"]
    if first is None:
        return Lag(None, timedelta())
    waiting = WebhookEndpoint.objects.due(now).aggregate(due=Min("next_due_at"), taken=Min("leased_until"))
    since = [at for at in (waiting["due"], waiting["taken"] and waiting["taken"] - LEASE) if at]
    last = Heartbeat.objects.filter(name=HEARTBEAT).first()
    # Nobody has read anything before there was a webhook.
    read_at = max(last.at, first) if last else first
    return Lag(max(now - read_at, timedelta()), max(now - min(since, default=now), timedelta()))


def check() -> dict[str, Any]:
    """Return the check of readiness. Lateness fails none: pages and the API need no webhook."""
    with scope(Scope.everything()):
        found = lag(timezone.now())
    told: dict[str, Any] = {"ok": True, "due_behind_seconds": round(found.due.total_seconds())}
    if found.read is not None:
        told["read_behind_seconds"] = round(found.read.total_seconds())
    if found.is_late:
        told["warning"] = "Webhooks wait: is there a worker of the queue webhooks?"
    return told


def measure(*, is_known: bool) -> None:
    """Set the metrics; what is not known now, as without a database, is not a number."""
    found, unknown = None, float("nan")
    if is_known:
        with scope(Scope.everything()):
            found = lag(timezone.now())
    READ_BEHIND.set(found.read.total_seconds() if found and found.read is not None else unknown)
    DUE_BEHIND.set(found.due.total_seconds() if found else unknown)
