"""An endpoint that does not answer: held back, its people told twice, then switched off."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.models import Organisation, OutgoingMail
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import WebhookState
from parcels.models import WebhookEndpoint
from parcels.webhooks.rules import LONGEST_HOLD, WAITS, due_after, hold_after, quantile
from parcels.webhooks.sending import Answer, Message
from parcels.webhooks.services.failing import judge
from tests import factories
from tests.parcels.webhooks.helpers import endpoint, reread

MESSAGE = Message((0, 1), "msg_1", "{}")


def answered(at: datetime, status: int | None = None, **more: Any) -> Answer:
    return Answer(MESSAGE, at, 10, status=status, error="" if status else "timeout", **more)


def judged(hook: WebhookEndpoint, status: int | None, at: datetime, **more: Any) -> WebhookEndpoint:
    with scope(Scope.everything()):
        row = WebhookEndpoint.objects.get(pk=hook.pk)
        judge(row, [answered(at, status, **more)], now=at)
        row.save()
    return reread(hook)


def mails() -> list[str]:
    with scope(Scope.everything()):
        return [mail.subject for mail in OutgoingMail.objects.order_by("pk")]


@pytest.mark.django_db
def test_people_are_told_after_a_day_and_after_three_and_when_it_is_switched_off(
    merchant: Actor, merchant_organisation: Organisation, sent: list[Any]
) -> None:
    factories.member_user("owner@alliance.example", merchant_organisation)
    factories.member_user("viewer@alliance.example", merchant_organisation, "viewer")
    hook, _secret = endpoint(merchant)
    begun = timezone.now()
    for hours in (0, 5, 25, 30, 73, 80):
        hook = judged(hook, 500, begun + timedelta(hours=hours))
    assert hook.failing_since == begun
    assert mails() == ["Your webhook does not answer"] * 2
    hook = judged(hook, None, begun + timedelta(days=5))
    assert (hook.state, hook.cause) == (WebhookState.DISABLED, "failing")
    assert mails()[2:] == ["Your webhook was switched off"]
    with scope(Scope.everything()):
        assert {mail.to for mail in OutgoingMail.objects.all()} == {"owner@alliance.example"}
        assert hook.code in OutgoingMail.objects.latest("pk").text


@pytest.mark.django_db
def test_one_that_arrives_begins_the_count_anew(merchant: Actor, sent: list[Any]) -> None:
    hook, _secret = endpoint(merchant)
    begun = timezone.now()
    judged(hook, 500, begun)
    held = judged(hook, 500, begun + timedelta(days=4))
    assert (held.failures, held.held_until is not None) == (2, True)
    hook = judged(hook, 204, begun + timedelta(days=4, hours=1))
    assert (hook.failures, hook.failing_since, hook.held_until, hook.warned) == (0, None, None, 0)
    assert judged(hook, 500, begun + timedelta(days=6)).state == WebhookState.ACTIVE


@pytest.mark.django_db
def test_a_wait_that_is_asked_for_is_a_day_at_most(merchant: Actor) -> None:
    hook, _secret = endpoint(merchant)
    now = timezone.now()
    hook = judged(hook, 503, now, retry_after=timedelta(days=400))
    assert hook.held_until == now + timedelta(days=1)


def test_holds_double_up_to_five_minutes() -> None:
    assert [hold_after(failures).seconds for failures in (1, 2, 3, 7, 500)] == [5, 10, 20, 300, 300]
    assert hold_after(10_000) == LONGEST_HOLD


def test_waits_end_with_the_last_one() -> None:
    now = timezone.now()
    assert due_after(1, now, chance=0.0, retry_after=None) == now + timedelta(seconds=5)
    assert due_after(1, now, chance=1.0, retry_after=timedelta(minutes=1)) == now + timedelta(minutes=1)
    assert due_after(len(WAITS), now, chance=0.0, retry_after=None) is None


def test_quantiles_are_read_off_bins() -> None:
    assert quantile([0] * 41, 0.5) is None
    assert quantile([0, 9, 0, 1], 0.5) == 3
    assert quantile([0, 9, 0, 1], 0.95) == 5
