"""Sent again: one message, what was missed, or all of a time, with the same ids and in order."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import DeliveryState, ReplayKind, ReplayState, WebhookState
from parcels.models import Parcel, WebhookDelivery, WebhookEndpoint, WebhookReplay
from parcels.webhooks.rules import KEPT
from parcels.webhooks.services import endpoints, replaying
from parcels.webhooks.services.retention import forget_old_webhooks
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.webhooks.helpers import (
    data,
    delivered,
    deliveries,
    endpoint,
    fanned_out,
    happen,
    make_due,
)
from tests.parcels.webhooks.receiver import Receiver, status

pytestmark = pytest.mark.django_db


def replayed(merchant: Actor, hook: WebhookEndpoint, kind: ReplayKind, hours: float = 2) -> WebhookReplay:
    with scope(Scope.of(merchant)):
        replay = replaying.start_replay(
            actor=merchant, code=hook.code, kind=kind, starts_at=timezone.now() - timedelta(hours=hours)
        )
    assert replaying.prepare_replay(replay_id=replay.pk)
    assert replaying.prepare_replay(replay_id=replay.pk)
    with scope(Scope.everything()):
        return WebhookReplay.objects.get(pk=replay.pk)


def give_up(hook: WebhookEndpoint, *states: str) -> None:
    with scope(Scope.everything()):
        rows = WebhookDelivery.objects.filter(endpoint_id=hook.pk)
        rows.update(state=DeliveryState.FAILED, due_at=None)


def test_one_message_is_sent_again_with_the_same_id_and_logged(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")
    delivered()
    [message] = receiver.ids
    with scope(Scope.of(merchant)):
        replaying.replay_delivery(actor=merchant, code=hook.code, message=message)
    assert delivered() == 1
    assert receiver.ids == [message, message]
    assert receiver.received[0].body == receiver.received[1].body
    [delivery] = deliveries(hook)
    assert (delivery.state, delivery.attempts, delivery.tries) == (DeliveryState.DELIVERED, 2, 1)
    assert [entry["number"] for entry in delivery.log] == [1, 2]


def test_one_that_waits_is_tried_at_once(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(500)
    happen(parcel, "picked_up")
    delivered()
    [message] = receiver.ids
    assert delivered() == 0
    receiver.answer = status(200)
    with scope(Scope.of(merchant)):
        replaying.replay_delivery(actor=merchant, code=hook.code, message=message)
    assert delivered() == 1


def test_what_was_given_up_is_sent_in_the_order_of_each_parcel(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    merchant: Actor,
    receiver: Receiver,
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=timezone.now(), count=3)
    for each in several:
        happen(each, "picked_up", "in_transit")
    fanned_out()
    give_up(hook)
    # The last one of each parcel waits already when what is before it comes back.
    for each in several:
        happen(each, "delivered")
    fanned_out()
    replay = replayed(merchant, hook, ReplayKind.MISSING)
    assert (replay.state, replay.done, replay.percent) == (ReplayState.DONE, 6, 100)
    assert sum(each.due_at is not None for each in deliveries(hook)) == 3
    assert delivered() == 9
    for each in several:
        own = [data(message.body)["status"] for message in receiver.received if each.number in message.body]
        assert own == ["picked_up", "in_transit", "delivered"]


def test_missing_brings_what_happened_while_it_was_off_and_not_what_arrived(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")
    delivered()
    with scope(Scope.everything()):
        WebhookEndpoint.objects.update(state=WebhookState.DISABLED, cause="gone")
    happen(parcel, "in_transit")
    assert fanned_out() == 0
    with scope(Scope.of(merchant)):
        with pytest.raises(Conflict):
            replaying.start_replay(
                actor=merchant,
                code=hook.code,
                kind=ReplayKind.MISSING,
                starts_at=timezone.now() - timedelta(hours=1),
            )
        endpoints.resume_endpoint(actor=merchant, code=hook.code)
    assert fanned_out() == 0
    assert replayed(merchant, hook, ReplayKind.MISSING).done == 1
    delivered()
    assert [data(message.body)["status"] for message in receiver.received] == ["picked_up", "in_transit"]


def test_all_sends_what_arrived_as_well(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up", "in_transit")
    delivered()
    assert replayed(merchant, hook, ReplayKind.ALL).done == 2
    delivered()
    assert receiver.ids == receiver.ids[:2] * 2


def test_wrong_times_and_two_at_once_are_refused(merchant: Actor, rival_merchant: Organisation) -> None:
    hook, _secret = endpoint(merchant)
    now = timezone.now()
    begin: Any = {"actor": merchant, "code": hook.code, "kind": ReplayKind.ALL}
    with scope(Scope.of(merchant)):
        for starts_at, ends_at in ((now - KEPT - timedelta(hours=1), None), (now, None), (now, now)):
            with pytest.raises(InvalidInput):
                replaying.start_replay(**begin, starts_at=starts_at, ends_at=ends_at, now=now)
        replaying.start_replay(**begin, starts_at=now - timedelta(hours=1))
        with pytest.raises(Conflict):
            replaying.start_replay(**begin, starts_at=now - timedelta(hours=1))
        with pytest.raises(NotFound):
            replaying.replay_delivery(actor=merchant, code=hook.code, message="msg_nothing")


def test_a_log_is_kept_for_thirty_days(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")
    delivered()
    happen(parcel, "in_transit")
    fanned_out()
    now = timezone.now()
    assert forget_old_webhooks(now=now + KEPT - timedelta(hours=1)) == 0
    with scope(Scope.everything()):
        # Attempted lately, though of an old event.
        WebhookDelivery.objects.filter(state=DeliveryState.DELIVERED).update(attempted_at=now + KEPT)
    assert forget_old_webhooks(now=now + KEPT + timedelta(hours=1)) == 1
    assert [each.state for each in deliveries(hook)] == [DeliveryState.DELIVERED]


def test_an_attempt_is_due_again_after_the_wait_of_its_endpoint(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(500)
    happen(parcel, "picked_up")
    delivered()
    make_due(hook)
    receiver.answer = status(200)
    assert delivered() == 1
