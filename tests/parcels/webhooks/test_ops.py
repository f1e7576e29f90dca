"""What ops see of webhooks, and what they may do: stop one that does harm."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, NotPermitted
from alliance.models import AuditEntry, Heartbeat, OutgoingMail
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import WebhookState
from parcels.models import Parcel, WebhookEndpoint, WebhookHour
from parcels.webhooks import health
from parcels.webhooks.rules import BINS
from parcels.webhooks.services import endpoints
from parcels.webhooks.services.fanning_out import HEARTBEAT
from tests.parcels.webhooks.helpers import endpoint, fanned_out, happen, reread

pytestmark = pytest.mark.django_db
LIST = "/admin/parcels/webhookendpoint/"


def test_the_list_shows_what_arrives_and_hides_what_may_be_secret(
    ops_client: Client, merchant: Actor
) -> None:
    hook, _secret = endpoint(merchant, "https://hooks.example.com/in?token=abc")
    other, _secret = endpoint(merchant, "https://other.example.com/")
    now = timezone.now()
    with scope(Scope.everything()):
        for ago, delivered in ((0, 30), (1, 12), (25, 500)):
            WebhookHour.objects.create(
                organisation_id=hook.organisation_id,
                endpoint=hook,
                hour=now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago),
                attempts=delivered + 1,
                delivered=delivered,
                bins=[0] * BINS,
            )
        WebhookEndpoint.objects.filter(pk=other.pk).update(failing_since=now)
    text = ops_client.get(LIST).content.decode()
    assert "42 of 44 attempts" in text
    assert "hooks.example.com" in text
    assert "token=abc" not in text
    failing = ops_client.get(f"{LIST}?failing=1").content.decode()
    assert other.code in failing
    assert hook.code not in failing
    page = ops_client.get(f"{LIST}{hook.pk}/change/").content.decode()
    assert "42 of 44 attempts" in page
    assert "parcel.status_changed" in page


def test_a_stopped_one_is_resumed_by_ops_alone(
    ops_client: Client, merchant: Actor, merchant_client: Client
) -> None:
    hook, _secret = endpoint(merchant)
    stop = f"{LIST}{hook.pk}/stop/"
    assert ops_client.post(stop, {"reason": " "}).status_code == 422
    assert ops_client.post(stop, {"reason": "It floods a hospital."}).status_code == 302
    hook = reread(hook)
    assert (hook.state, hook.cause) == (WebhookState.DISABLED, "stopped")
    with scope(Scope.everything()):
        mails = list(OutgoingMail.objects.all())
        entry = AuditEntry.objects.get(verb="webhook.switched_off")
    assert mails
    assert all("It floods a hospital." in mail.text for mail in mails)
    assert (entry.actor_kind, entry.detail["reason"]) == ("user", "It floods a hospital.")
    own = merchant_client.get(f"/webhooks/{hook.code}/").content.decode()
    assert "The alliance stopped it." in own
    assert f"/webhooks/{hook.code}/resume/" not in own
    with scope(Scope.of(merchant)), pytest.raises(Conflict):
        endpoints.resume_endpoint(actor=merchant, code=hook.code)
    assert ops_client.post(f"/webhooks/{hook.code}/resume/").status_code == 302
    assert reread(hook).state == WebhookState.ACTIVE


def lag(now: datetime) -> health.Lag:
    with scope(Scope.everything()):
        return health.lag(now)


def test_no_member_stops_one(merchant: Actor) -> None:
    hook, _secret = endpoint(merchant)
    with scope(Scope.of(merchant)), pytest.raises(NotPermitted):
        endpoints.stop_endpoint(actor=merchant, code=hook.code, reason="No")


def test_lag_tells_of_the_outbox_and_of_what_no_worker_takes(
    merchant: Actor, parcel: Parcel, ops_client: Client
) -> None:
    assert lag(timezone.now()) == health.Lag(None, timedelta())
    hook, _secret = endpoint(merchant)
    happen(parcel, "picked_up")
    now = timezone.now()
    fanned_out(now)
    minute = timedelta(minutes=1)
    assert lag(now + minute) == health.Lag(minute, minute)
    with scope(Scope.everything()):
        Heartbeat.objects.filter(name=HEARTBEAT).update(at=now + 10 * minute)
        # Taken by a worker that was killed.
        WebhookEndpoint.objects.update(next_due_at=None, leased_until=now + minute, lease=1)
    found = lag(now + 10 * minute)
    assert (found.read, found.due, found.is_late) == (timedelta(), 10 * minute, True)
    with scope(Scope.everything()):
        # Its own fault: it is held back.
        WebhookEndpoint.objects.update(held_until=now + 20 * minute)
    assert not lag(now + 10 * minute).is_late
    assert "keeps up" in ops_client.get("/admin/").content.decode()
    with scope(Scope.everything()):
        WebhookEndpoint.objects.filter(pk=hook.pk).update(listens_from=now - 10 * minute)
        Heartbeat.objects.filter(name=HEARTBEAT).update(at=timezone.now() - 5 * minute)
    assert "Webhooks: 5" in ops_client.get("/admin/").content.decode()
    check = health.check()
    assert check["ok"] is True
    assert "warning" in check
    health.measure(is_known=True)
    assert 299 <= health.READ_BEHIND._value.get() < 360  # type: ignore[attr-defined]
