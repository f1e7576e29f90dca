"""Make deliveries of what happened: one of each event for each endpoint that asked for it.

The outbox is read by time, again and again: an event may be committed long after its time, and ids are not
in the order of commits. What was read before is found by its key, and nothing is added. So nothing is missed,
and no booking or scan has to wait for anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models.functions import Coalesce, Least

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import shard_keys
from alliance.database.literals import moments, numbers, texts
from alliance.database.work_shares import Outages
from alliance.locks import Lock, try_to_take, wait_for
from alliance.models import Heartbeat
from alliance.tenancy import Scope, raw_rows, scope
from parcels.webhooks.models import WebhookEndpoint
from parcels.webhooks.sql import FAN_OUT

# The time up to which the outbox has been read. Its detail: when each further kind of pass last was.
HEARTBEAT: Final = "fan-out-webhooks"


@dataclass(frozen=True, slots=True)
class Kind:
    """How often a pass of this kind is due, and how far behind the one before it begins to read."""

    name: str
    every: timedelta
    overlap: timedelta


# Each finds what the ones before it were too early for. Read about ten times in all, an event costs little.
# The first: besides what transactions that were open then have written. For clocks that differ, and for the
# moment between an event's time and its transaction's.
SHORT: Final = Kind("short", timedelta(0), timedelta(seconds=2))
# For what had to wait for a connection.
MIDDLE: Final = Kind("middle", timedelta(seconds=10), timedelta(seconds=30))
# Longer than any transaction: a task is killed after CELERY_TASK_TIME_LIMIT, a request after a minute.
LONG: Final = Kind("long", timedelta(minutes=5), timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 60))
KINDS: Final = (SHORT, MIDDLE, LONG)
# One transaction that stays open does not have each pass read more than this again.
MOST_OPEN: Final = timedelta(seconds=60)
# Read in one transaction.
STRETCH: Final = timedelta(minutes=2)
# Clocks of other machines may be ahead.
_AHEAD: Final = timedelta(hours=1)
# When the oldest transaction began that may still write an event of before.
_OPEN: Final = """
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def fan_out(*, now: datetime, unless_within: timedelta | None = None) -> int:
    """Add the deliveries of events since the last pass; return how many.

    Does nothing if another worker has begun a pass within some time. May run twice, side by side, or be
    killed anywhere: the next pass reads the same again. If a node of the cluster is down, the shards of the
    others are read before OperationalError is raised.
    """
    with scope(Scope.everything()):
        endpoints = list(WebhookEndpoint.objects.listening())
        if not endpoints:
            return 0
        marks = _begin(now, unless_within)
        if marks is None:
            return 0
        [(opened_at,)] = raw_rows(_OPEN)
    kinds = _due(marks, now)
    # Nobody asked for what was before.
    listens_from = min(endpoint.listens_from for endpoint in endpoints)
    since = max(_since(kinds[-1], marks, now), listens_from)
    count, outages = 0, Outages()
    for begin, end in stretches(since, now):
        added, is_whole = _add(endpoints, begin, end, outages, now=now)
        count += added
        if not is_whole:
            # Somebody else reads a part: what was read up to now is noted, the rest is read by the next pass.
            break
        _end(min(end, now), kinds, opened_at)
    outages.raise_first()
    return count


def add_deliveries(endpoint: WebhookEndpoint, since: datetime, until: datetime, *, now: datetime) -> int:
    """Add what an endpoint lacks of a stretch, also of before it listened; return how many."""
    endpoint.listens_from = since
    outages = Outages()
    count, _is_whole = _add([endpoint], since, until, outages, now=now, waits=True)
    outages.raise_first()
    return count


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


def _add(
    endpoints: Sequence[WebhookEndpoint],
    since: datetime,
    until: datetime,
    outages: Outages,
    *,
    now: datetime,
    waits: bool = False,
) -> tuple[int, bool]:
    """Return how many deliveries were added, and whether all shards were read."""
    told: dict[str, Any] = {
        "endpoint_id": numbers(each.pk for each in endpoints),
        "organisation_id": numbers(each.organisation_id for each in endpoints),
        "topics": texts(f" {' '.join(each.topics)} " for each in endpoints),
        "reference_prefix": texts(each.reference_prefix for each in endpoints),
        "listens_from": moments(each.listens_from for each in endpoints),
        "since": since,
        "until": until,
        "now": now,
    }
    count, read, homes = 0, 0, shard_keys()
    for place, home in enumerate(homes):
        with outages.noted(), scope(Scope.everything()):
            # One after the other: of two at once neither would see the other's places of a parcel. A worker
            # that sends does not wait for one that reads.
            if waits:
                wait_for(Lock.FAN_OUT_WEBHOOKS, of=place)
            elif not try_to_take(Lock.FAN_OUT_WEBHOOKS, of=place):
                continue
            added = dict(rows_at_home(FAN_OUT, {"home": home, **told}))
            if added:
                wake([*added], at=now)
            count += sum(added.values())
            read += 1
    return count, read == len(homes)


def _begin(now: datetime, unless_within: timedelta | None) -> dict[str, datetime] | None:
    """Return when passes last were, by kind; None if another worker's began a moment ago."""
    Heartbeat.objects.get_or_create(name=HEARTBEAT, defaults={"at": now})
    row = Heartbeat.objects.select_for_update().get(name=HEARTBEAT)
    noted = {name: datetime.fromisoformat(text) for name, text in row.detail.items()}
    begun = noted.get("begun")
    if unless_within is not None and begun is not None and timedelta(0) <= now - begun < unless_within:
        return None
    row.detail["begun"] = now.isoformat()
    row.save(update_fields=["detail"])
    return {"at": row.at, **noted}


def _end(now: datetime, kinds: Sequence[Kind], opened_at: datetime | None) -> None:
    """Note that all is read up to a moment."""
    told = {kind.name: now for kind in kinds} | {"open": min(opened_at or now, now)}
    with scope(Scope.everything()):
        # Written anew by somebody who began later and ended sooner, it is earlier: more is read again.
        row = Heartbeat.objects.select_for_update().get(name=HEARTBEAT)
        row.at, row.detail = now, row.detail | {name: at.isoformat() for name, at in told.items()}
        row.save(update_fields=["at", "detail"])


def _due(marks: dict[str, datetime], now: datetime) -> list[Kind]:
    """Return the kinds of pass that are due: the last of them reads what the others would."""
    last = max(
        place
        for place, kind in enumerate(KINDS)
        if kind is SHORT or kind.name not in marks or now - marks[kind.name] >= kind.every
    )
    return [*KINDS[: last + 1]]


def _since(kind: Kind, marks: dict[str, datetime], now: datetime) -> datetime:
    # Of the future: the clock was set back.
    last = min(marks.get(kind.name, marks["at"]), now)
    if kind is SHORT:
        last = max(min(last, marks.get("open", last)), last - MOST_OPEN)
    return last - kind.overlap
