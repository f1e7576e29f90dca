"""Send again: one message, or all of a time. Long stretches are prepared by workers, a part at a time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.database.at_home import rows_at_home
from alliance.database.cluster import shard_keys
from alliance.database.literals import texts
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.file_jobs import UNFINISHED, FileJobs, turn
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require
from parcels.choices import DeliveryState, ReplayKind, ReplayState
from parcels.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookReplay
from parcels.webhooks.queries import readable
from parcels.webhooks.rules import KEPT, parse_message_id
from parcels.webhooks.services.endpoints import endpoint_of
from parcels.webhooks.services.fanning_out import add_deliveries, wake
from parcels.webhooks.sql import REPLAY

JOBS: Final = FileJobs(
    WebhookReplay, lambda replay_id: after_commit("parcels.tasks.replay_webhooks", replay_id)
)
# Of events, in one transaction.
STRETCH: Final = timedelta(minutes=20)
# Older ones are deleted when another one is begun.
KEPT_REPLAYS: Final = 20
_STATES: Final = {
    ReplayKind.MISSING.value: [DeliveryState.FAILED.value],
    ReplayKind.ALL.value: [DeliveryState.FAILED.value, DeliveryState.DELIVERED.value],
}


def delivery_of(actor: Actor, endpoint: WebhookEndpoint, message: str) -> WebhookDelivery:
    """Return a delivery of an endpoint by its `webhook-id`. Raises NotFound."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    key = parse_message_id(message)
    if key is not None:
        parcel_id, delivery_id = key
        rows = readable(actor).filter(parcel_id=parcel_id, id=delivery_id)
        delivery: WebhookDelivery | None = rows.filter(endpoint_id=endpoint.pk).first()
        if delivery is not None:
            return delivery
    raise NotFound


def replay_delivery(*, actor: Actor, code: str, message: str, now: datetime | None = None) -> WebhookDelivery:
    """Send one message again, with the same id. One that waits is sent now, if it is the first of its parcel.

    Raises Conflict unless the endpoint is active.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    moment = now or timezone.now()
    endpoint = endpoint_of(actor, code)
    delivery = delivery_of(actor, endpoint, message)
    if not endpoint.is_active:
        raise Conflict(_("Resume the webhook first."), code="webhook_stopped")
    if delivery.state == DeliveryState.PENDING:
        same = WebhookDelivery.objects.filter(parcel_id=delivery.parcel_id, id=delivery.id)
        same.filter(due_at__gt=moment).update(due_at=moment)
    else:
        _begin_anew(endpoint, ReplayKind.ALL, delivery.at, delivery.at, moment, only=delivery)
    wake([endpoint.pk], at=moment)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(held_until=None)
    audit.record(
        actor=actor,
        verb="webhook.replayed",
        object_type="webhook",
        object_id=endpoint.code,
        organisation_id=endpoint.organisation_id,
        detail={"message": delivery.message_id},
    )
    return delivery_of(actor, endpoint, message)


def start_replay(
    *,
    actor: Actor,
    code: str,
    kind: ReplayKind,
    starts_at: datetime,
    ends_at: datetime | None = None,
    now: datetime | None = None,
) -> WebhookReplay:
    """Have a worker prepare what an endpoint lacks of a time, or all of it, to be sent again.

    Raises InvalidInput for a time that is not within the last 30 days, Conflict while one is at work.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    moment = now or timezone.now()
    endpoint = endpoint_of(actor, code)
    ends_at = min(ends_at or moment, moment)
    if starts_at < moment - KEPT:
        message = _("Events are sent again for %(days)d days.") % {"days": KEPT.days}
        raise InvalidInput(errors=[FieldError("/starts_at", message, "too_early")])
    if starts_at >= ends_at:
        message = _("Begin before the end, and in the past.")
        raise InvalidInput(errors=[FieldError("/starts_at", message, "order")])
    if not endpoint.is_active:
        raise Conflict(_("Resume the webhook first."), code="webhook_stopped")
    with transaction.atomic():
        wait_for(Lock.START_REPLAY, of=endpoint.organisation_id)
        replays = WebhookReplay.objects.filter(endpoint=endpoint)
        if replays.filter(state__in=UNFINISHED).exists():
            detail = _("A replay is at work already. Begin another one when it has ended.")
            raise Conflict(detail, code="replay_running", retry_after=30)
        old = list(replays.order_by("-pk").values_list("pk", flat=True)[KEPT_REPLAYS - 1 :])
        WebhookReplay.objects.filter(pk__in=old).delete()
        replay = WebhookReplay.objects.create(
            organisation_id=endpoint.organisation_id,
            endpoint=endpoint,
            requested_by_id=actor.user_id,
            kind=kind,
            starts_at=starts_at,
            ends_at=ends_at,
            position=starts_at,
            language=translation.get_language() or "en",
        )
        audit.record(
            actor=actor,
            verb="webhook.replay_started",
            object_type="webhook",
            object_id=endpoint.code,
            organisation_id=endpoint.organisation_id,
            detail={"kind": str(kind), "from": starts_at, "until": ends_at},
        )
        JOBS.hand_over(replay.pk)
    return replay


def prepare_replay(*, replay_id: int, stretch: timedelta | None = None) -> bool:
    """Prepare a replay from where it stopped, for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently.
    """
    return JOBS.run(replay_id, partial(_slices, actor=Actor.system("webhooks")), stretch)


def resume_replays(*, now: datetime) -> int:
    """Send replays whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


def _slices(replay: WebhookReplay, *, actor: Actor) -> Iterator[None]:
    place = replay.place
    while True:
        with turn(actor, replay, place) as row:
            _prepare(row)
        if row.is_finished:
            return
        place = row.place
        yield


def _prepare(replay: WebhookReplay) -> None:
    now, since = timezone.now(), replay.position
    until = min(since + STRETCH, replay.ends_at)
    endpoint = WebhookEndpoint.objects.get(pk=replay.endpoint_id)
    # First those that are there: what is added now is not sent twice.
    begun = _begin_anew(endpoint, ReplayKind(replay.kind), since, until, now)
    added = add_deliveries(endpoint, since, until, now=now)
    if begun:
        wake([endpoint.pk], at=now)
    replay.done += begun + added
    replay.position = until
    if until >= replay.ends_at:
        replay.finish(ReplayState.DONE)


def _begin_anew(
    endpoint: WebhookEndpoint,
    kind: ReplayKind,
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    only: WebhookDelivery | None = None,
) -> int:
    """Have deliveries of a stretch begun anew, or one of them; return how many."""
    homes = shard_keys() if only is None else (only.parcel_id,)
    told = {
        "endpoint": endpoint.pk,
        "states": texts(_STATES[kind.value]),
        "since": since,
        "until": until if only is None else until + timedelta(microseconds=1),
        "only": only and only.id,
        "now": now,
    }
    return sum(count for home in homes for (count,) in rows_at_home(REPLAY, {"home": home, **told}))
