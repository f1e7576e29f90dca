"""Make deliveries of what happened: one of each event for each endpoint that asked for it.

The outbox is read by time, again and again: an event may be committed long after its time, and ids are not
in the order of commits. What was read before is found by its key, and nothing is added. So nothing is missed,
and no booking or scan has to wait for anything.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models.functions import Coalesce, Least

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import shard_keys
from alliance.database.literals import moments, numbers, texts
from alliance.database.work_shares import Outages
from alliance.locks import Lock, wait_for
from alliance.models import Heartbeat
from alliance.tenancy import Scope, scope
from parcels.webhooks.models import WebhookEndpoint
from parcels.webhooks.sql import FAN_OUT

# The time up to which the outbox has been read, and up to which it was read once more.
HEARTBEAT: Final = "fan-out-webhooks"
# What most transactions take: read at each pass.
OVERLAP: Final = timedelta(seconds=20)
# Longer than any transaction: a task is killed after CELERY_TASK_TIME_LIMIT, a request after a minute.
LONG_OVERLAP: Final = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 60)
LONG_EVERY: Final = timedelta(minutes=2)
# Read in one transaction.
STRETCH: Final = timedelta(minutes=20)
# Clocks of other machines may be ahead.
_AHEAD: Final = timedelta(hours=1)


def fan_out(*, now: datetime) -> int:
    """Add the deliveries of events since the last pass; return how many.

    May run twice, side by side, or be killed anywhere: the next pass reads the same again. If a node of the
    cluster is down, the shards of the others are read before OperationalError is raised.
    """
    with scope(Scope.everything()):
        endpoints = list(WebhookEndpoint.objects.listening())
        last = Heartbeat.objects.filter(name=HEARTBEAT).first()
    if not endpoints:
        return 0
    read_long = _long_of(last)
    is_long = read_long is None or now - read_long >= LONG_EVERY
    since = (read_long or now) - LONG_OVERLAP if is_long else (last.at if last else now) - OVERLAP
    # Nobody asked for what was before.
    since = max(since, min(endpoint.listens_from for endpoint in endpoints))
    count = sum(_add(endpoints, *stretch, now=now) for stretch in stretches(since, now))
    marked = now if is_long or read_long is None else read_long
    with scope(Scope.everything()):
        Heartbeat.objects.update_or_create(
            name=HEARTBEAT, defaults={"at": now, "detail": {"long": marked.isoformat()}}
        )
    return count


def add_deliveries(endpoint: WebhookEndpoint, since: datetime, until: datetime, *, now: datetime) -> int:
    """Add what an endpoint lacks of a stretch, also of before it listened; return how many."""
    endpoint.listens_from = since
    return _add([endpoint], since, until, now=now)


def stretches(since: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Divide a time into parts of one transaction each; the last one is open."""
    while since + STRETCH < now:
        yield since, since + STRETCH
        since += STRETCH
    yield since, now + _AHEAD


def wake(endpoint_ids: Sequence[int], *, at: datetime) -> None:
    """Tell that endpoints have something to be sent.

    Always written: a worker that has just taken one, and has not seen the new rows, sees this when it gives
    the endpoint back.
    """
    rows = WebhookEndpoint.objects.filter(pk__in=endpoint_ids).order_by("pk")
    locked = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    WebhookEndpoint.objects.filter(pk__in=locked).update(next_due_at=Coalesce(Least("next_due_at", at), at))


def _add(endpoints: Sequence[WebhookEndpoint], since: datetime, until: datetime, *, now: datetime) -> int:
    told: dict[str, Any] = {
        "endpoint_id": numbers(each.pk for each in endpoints),
        "organisation_id": numbers(each.organisation_id for each in endpoints),
        "topics": texts(f" {' '.join(each.topics)} " for each in endpoints),
        "listens_from": moments(each.listens_from for each in endpoints),
        "since": since,
        "until": until,
        "now": now,
    }
    count, outages = 0, Outages()
    for place, home in enumerate(shard_keys()):
        with outages.noted(), scope(Scope.everything()):
            # One after the other: of two at once neither would see the other's places of a parcel.
            wait_for(Lock.FAN_OUT_WEBHOOKS, of=place)
            added = dict(rows_at_home(FAN_OUT, {"home": home, **told}))
            if added:
                wake([*added], at=now)
            count += sum(added.values())
    outages.raise_first()
    return count


def _long_of(last: Heartbeat | None) -> datetime | None:
    text = last.detail.get("long") if last else None
    return datetime.fromisoformat(text) if text else None
