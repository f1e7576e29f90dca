"""Endpoints: made, changed, stopped and deleted by the organisation whose events they get."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require
from alliance.texts import one_line
from parcels.choices import WebhookCause, WebhookState
from parcels.webhooks.addresses import problem_of
from parcels.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSecret
from parcels.webhooks.rules import (
    DESCRIPTION_LENGTH,
    MOST_ENDPOINTS,
    MOST_SECRETS,
    OVERLAP,
    PREFIX_LENGTH,
)
from parcels.webhooks.services.failing import switch_off
from parcels.webhooks.services.fanning_out import wake
from parcels.webhooks.signing import new_secret, sealed
from parcels.webhooks.topics import TEST, is_about_a_parcel, topics_for

_MOST_ID: Final = 2**63


@dataclass(frozen=True, slots=True)
class Draft:
    """What people say of an endpoint; None leaves it as it is."""

    url: str | None = None
    topics: Sequence[str] | None = None
    description: str | None = None
    reference_prefix: str | None = None


def endpoint_of(actor: Actor, code: str, *, locked: bool = False) -> WebhookEndpoint:
    """Return an endpoint of the actor's organisation. Raises NotFound for any other."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    rows = WebhookEndpoint.objects.visible_to(actor)
    if locked:
        rows = rows.select_for_update(no_key=True)
    endpoint: WebhookEndpoint | None = rows.filter(code=code).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def create_endpoint(*, actor: Actor, draft: Draft) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; return it with its secret, which is shown only now.

    Raises InvalidInput, and Conflict if the organisation has enough of them.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    asked = Draft(draft.url or "", draft.topics or (), draft.description or "", draft.reference_prefix or "")
    values = _checked(actor, asked)
    with transaction.atomic():
        wait_for(Lock.CHANGE_WEBHOOKS, of=actor.tenant_id)
        own = WebhookEndpoint.objects.visible_to(actor).filter(organisation_id=actor.tenant_id)
        if own.count() >= MOST_ENDPOINTS:
            detail = _("An organisation has at most %(most)d webhooks. Delete one of them first.")
            raise Conflict(detail % {"most": MOST_ENDPOINTS}, code="too_many_webhooks")
        endpoint = WebhookEndpoint.objects.create(
            organisation_id=actor.tenant_id, created_by_id=actor.user_id, **values
        )
        secret = _add_secret(actor, endpoint)
        _record(actor, endpoint, "webhook.added", **values)
    return endpoint, secret


def change_endpoint(*, actor: Actor, code: str, draft: Draft) -> WebhookEndpoint:
    """Change an endpoint. What waits already is sent to the new address.

    Raises InvalidInput, and NotPermitted for a new address for events that the actor may not read.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        values = _checked(actor, draft, endpoint)
        changed = {name: value for name, value in values.items() if getattr(endpoint, name) != value}
        if "url" in changed and not set(endpoint.topics) <= {*topics_for(actor)}:
            raise NotPermitted(_("This webhook sends events that you may not read: leave its address."))
        if changed:
            for name, value in changed.items():
                setattr(endpoint, name, value)
            endpoint.save(update_fields=[*changed])
            _record(actor, endpoint, "webhook.changed", **changed)
    return endpoint


def pause_endpoint(*, actor: Actor, code: str, now: datetime | None = None) -> WebhookEndpoint:
    """Send nothing until it is resumed; what happens meanwhile waits. Pausing again changes nothing.

    Raises Conflict if it was switched off.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        if endpoint.state == WebhookState.DISABLED:
            raise Conflict(_("This webhook is switched off already."), code="webhook_off")
        if endpoint.state == WebhookState.ACTIVE:
            endpoint.state, endpoint.stopped_at = WebhookState.PAUSED, now or timezone.now()
            endpoint.save(update_fields=["state", "stopped_at"])
            _record(actor, endpoint, "webhook.paused")
    return endpoint


def resume_endpoint(*, actor: Actor, code: str, now: datetime | None = None) -> WebhookEndpoint:
    """Send again, beginning with what waits. Resuming an active endpoint changes nothing.

    Raises Conflict if ops stopped it, and the actor is none of them.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    moment = now or timezone.now()
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        if endpoint.is_active:
            return endpoint
        if endpoint.is_stopped_by_ops and not actor.is_ops:
            detail = _("The alliance stopped this webhook. Ask its staff to let you resume it.")
            raise Conflict(detail, code="webhook_stopped_by_alliance")
        if endpoint.state == WebhookState.DISABLED:
            # What happened meanwhile is brought by a replay.
            endpoint.listens_from = moment
        endpoint.state, endpoint.cause, endpoint.stopped_at = WebhookState.ACTIVE, "", None
        endpoint.failures, endpoint.warned = 0, 0
        endpoint.failing_since = endpoint.held_until = None
        endpoint.next_due_at = moment
        endpoint.save()
        _record(actor, endpoint, "webhook.resumed")
    return endpoint


def stop_endpoint(*, actor: Actor, code: str, reason: str, now: datetime | None = None) -> WebhookEndpoint:
    """Switch off an endpoint that does harm, and tell its people why. Stopping it again changes nothing.

    Raises InvalidInput without a reason. What happens meanwhile is not kept for it.
    """
    require(actor, Capability.OPERATE)
    if not (reason := one_line(reason)):
        raise InvalidInput(errors=[FieldError("/reason", _("Say why: its people read it."), "required")])
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        if not endpoint.is_stopped_by_ops:
            switch_off(endpoint, WebhookCause.STOPPED, now or timezone.now(), actor=actor, reason=reason)
            endpoint.save(update_fields=["state", "cause", "stopped_at"])
    return endpoint


def delete_endpoint(*, actor: Actor, code: str) -> None:
    """Delete an endpoint with its secrets. What waits is never sent, and its log ends with its 30 days."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        _record(actor, endpoint, "webhook.deleted", url=endpoint.url)
        endpoint.delete()


def rotate_secret(*, actor: Actor, code: str, now: datetime | None = None) -> tuple[WebhookEndpoint, str]:
    """Add a secret; return it. Those before it go on signing beside it for a day.

    Raises Conflict if too many are valid.
    """
    require(actor, Capability.MANAGE_WEBHOOKS)
    moment = now or timezone.now()
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        own = WebhookSecret.objects.filter(endpoint=endpoint)
        own.filter(ends_at__lte=moment).delete()
        if own.count() >= MOST_SECRETS:
            detail = _("%(most)d secrets are valid now. Wait until one of them has ended.")
            raise Conflict(detail % {"most": MOST_SECRETS}, code="too_many_secrets")
        own.filter(ends_at=None).update(ends_at=moment + OVERLAP)
        secret = _add_secret(actor, endpoint)
        _record(actor, endpoint, "webhook.secret_rotated")
    return endpoint, secret


def end_old_secrets(*, actor: Actor, code: str, now: datetime | None = None) -> WebhookEndpoint:
    """Have only the newest secret sign from now on: for one that others may have read."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    with transaction.atomic():
        endpoint = endpoint_of(actor, code, locked=True)
        ending = WebhookSecret.objects.filter(endpoint=endpoint, ends_at__gt=now or timezone.now())
        if ending.delete()[0]:
            _record(actor, endpoint, "webhook.secrets_ended")
    return endpoint


def send_test(*, actor: Actor, code: str, now: datetime | None = None) -> WebhookDelivery:
    """Have a message of no event sent, so that a program can be tried. Raises Conflict unless active."""
    require(actor, Capability.MANAGE_WEBHOOKS)
    moment = now or timezone.now()
    with transaction.atomic():
        endpoint = endpoint_of(actor, code)
        if not endpoint.is_active:
            raise Conflict(_("Resume the webhook first."), code="webhook_stopped")
        delivery = WebhookDelivery.objects.create(
            id=secrets.randbelow(_MOST_ID),
            parcel_id=0,
            endpoint_id=endpoint.pk,
            organisation_id=endpoint.organisation_id,
            topic=TEST,
            at=moment,
            sequence=int(moment.timestamp() * 1000),
            due_at=moment,
        )
        wake([endpoint.pk], at=moment)
        # Somebody waits for the answer.
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(held_until=None)
    return delivery


def _checked(actor: Actor, draft: Draft, endpoint: WebhookEndpoint | None = None) -> dict[str, Any]:
    errors, values = [], dict[str, Any]()
    kept: Collection[str] = endpoint.topics if endpoint else ()
    if draft.url is not None:
        values["url"] = draft.url.strip()
        if problem := problem_of(values["url"]):
            errors.append(FieldError("/url", problem, "url"))
    if draft.description is not None:
        values["description"] = one_line(draft.description)
        if len(values["description"]) > DESCRIPTION_LENGTH:
            message = _("Use at most %d characters.") % DESCRIPTION_LENGTH
            errors.append(FieldError("/description", message, "max_length"))
    if draft.topics is not None:
        known = topics_for(actor)
        asked = set(draft.topics)
        values["topics"] = [topic for topic in known if topic in asked]
        if not asked:
            errors.append(FieldError("/topics", _("Choose at least one event."), "required"))
        elif unknown := sorted(asked - set(known) - set(kept)):
            message = _("No event of yours: %(topics)s.") % {"topics": ", ".join(unknown)[:200]}
            errors.append(FieldError("/topics", message, "choice"))
        else:
            # A key with fewer permissions leaves those that it may not ask for as they are.
            values["topics"] += [topic for topic in kept if topic in asked and topic not in known]
    if draft.reference_prefix is not None:
        values["reference_prefix"] = one_line(draft.reference_prefix)
        if len(values["reference_prefix"]) > PREFIX_LENGTH:
            message = _("Use at most %d characters.") % PREFIX_LENGTH
            errors.append(FieldError("/reference_prefix", message, "max_length"))
    narrowed = values.get("reference_prefix", endpoint.reference_prefix if endpoint else "")
    topics = values.get("topics", endpoint.topics if endpoint else ())
    if narrowed and (others := [topic for topic in topics if not is_about_a_parcel(topic)]):
        message = _("These events are about no parcel, so no reference begins with it: %(topics)s.")
        errors.append(FieldError("/topics", message % {"topics": ", ".join(others)}, "about_no_parcel"))
    if errors:
        raise InvalidInput(errors=errors)
    return values


def _add_secret(actor: Actor, endpoint: WebhookEndpoint) -> str:
    secret = new_secret()
    WebhookSecret.objects.create(
        organisation_id=endpoint.organisation_id,
        endpoint=endpoint,
        sealed=sealed(secret),
        ending=secret[-5:-1],
        created_by_id=actor.user_id,
    )
    return secret


def _record(actor: Actor, endpoint: WebhookEndpoint, verb: str, **detail: Any) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="webhook",
        object_id=endpoint.code,
        organisation_id=endpoint.organisation_id,
        detail=detail,
    )
