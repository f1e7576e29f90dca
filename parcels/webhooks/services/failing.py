"""What the answers of an endpoint say of the endpoint: it works, it is held back, it is switched off."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.urls import reverse

from alliance import audit, mails
from alliance.capabilities import ROLE_CAPABILITIES
from alliance.choices import Capability
from alliance.models import Member
from alliance.sandboxes import live_of
from alliance.tenancy import Actor
from parcels.choices import WebhookCause, WebhookState
from parcels.webhooks.models import WebhookEndpoint
from parcels.webhooks.rules import DISABLE_AFTER, LONGEST_RETRY_AFTER, hold_after, warning_due
from parcels.webhooks.sending import Answer

_GONE: Final = 410
_ROLES: Final = [role for role, may in ROLE_CAPABILITIES.items() if Capability.MANAGE_WEBHOOKS in may]


def judge(endpoint: WebhookEndpoint, answers: Sequence[Answer], *, now: datetime) -> None:
    """Change an endpoint by what a batch was answered; the caller has locked its row, and saves it."""
    if not answers:
        return
    if any(answer.is_delivered for answer in answers):
        endpoint.failures, endpoint.warned = 0, 0
        endpoint.failing_since = endpoint.held_until = None
    else:
        endpoint.failures += 1
        endpoint.failing_since = endpoint.failing_since or min(answer.at for answer in answers)
        endpoint.held_until = now + hold_after(endpoint.failures)
    waits = [answer.retry_after for answer in answers if answer.retry_after is not None]
    if waits:
        asked = now + min(max(waits), LONGEST_RETRY_AFTER)
        endpoint.held_until = max(asked, endpoint.held_until or asked)
    if endpoint.state == WebhookState.DISABLED:
        return
    if any(answer.status == _GONE for answer in answers):
        switch_off(endpoint, WebhookCause.GONE, now)
    elif endpoint.failing_since is not None:
        failing_for = now - endpoint.failing_since
        if failing_for >= DISABLE_AFTER:
            switch_off(endpoint, WebhookCause.FAILING, now)
        elif warning_due(failing_for, endpoint.warned):
            endpoint.warned += 1
            _tell(endpoint, "failing", ends_at=endpoint.failing_since + DISABLE_AFTER)


def switch_off(
    endpoint: WebhookEndpoint,
    cause: WebhookCause,
    now: datetime,
    *,
    actor: Actor | None = None,
    reason: str = "",
) -> None:
    """Switch an endpoint off and tell its people; the caller has locked its row, and saves it."""
    endpoint.state, endpoint.cause, endpoint.stopped_at = WebhookState.DISABLED, cause, now
    audit.record(
        actor=actor or Actor.system("webhooks"),
        verb="webhook.switched_off",
        object_type="webhook",
        object_id=endpoint.code,
        organisation_id=endpoint.organisation_id,
        detail={"cause": cause.value} | ({"reason": reason} if reason else {}),
    )
    _tell(endpoint, "switched_off", reason=reason)


def _tell(endpoint: WebhookEndpoint, what: str, **more: Any) -> None:
    """Write to the people who may do something about it."""
    live_id = live_of(endpoint.organisation_id)
    people = Member.objects.filter(organisation_id=live_id, role__in=_ROLES).active()
    mails.write_mails(
        to=people.values_list("user__email", "user__language"),
        template=f"parcels/mail/webhook_{what}",
        context={"endpoint": endpoint, "cause": endpoint.get_cause_display(), **more},
        path=reverse("parcels:webhook_detail", args=[endpoint.code]),
    )
