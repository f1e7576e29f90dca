"""Messages arrive: signed, once each, in the order of each parcel; and again if they did not arrive."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from alliance.choices import Role
from alliance.events import Topic
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import DeliveryState, WebhookState
from parcels.models import Parcel, WebhookDelivery, WebhookEndpoint, WebhookHour
from parcels.webhooks.rules import WAITS
from parcels.webhooks.services import delivering, endpoints
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.webhooks.helpers import (
    MOVED,
    data,
    delivered,
    deliveries,
    endpoint,
    fanned_out,
    happen,
    make_due,
    reread,
)
from tests.parcels.webhooks.receiver import Receiver, status

pytestmark = pytest.mark.django_db


def test_a_message_has_the_words_of_the_api_and_a_signature_of_standard_webhooks(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    _endpoint, secret = endpoint(merchant, receiver.url)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(reference="SO-1")
    happen(parcel, "picked_up")
    assert delivered() == 1
    [message] = receiver.received
    verified = Webhook(secret).verify(message.body, message.headers)
    assert verified["type"] == "parcel.status_changed"
    assert verified["timestamp"].endswith("+08:00")
    assert verified["data"] == {
        "tracking_number": parcel.number,
        "reference": "SO-1",
        "status": "picked_up",
        "previous_status": "",
        "occurred_at": verified["data"]["occurred_at"],
    }
    assert verified["data"]["occurred_at"][10] == "T"
    assert message.headers["accept-encoding"] == "identity"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(message.body + " ", message.headers)


def test_after_a_rotation_both_secrets_sign_for_a_day_and_then_the_new_one_alone(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, old = endpoint(merchant, receiver.url)
    with scope(Scope.of(merchant)):
        _hook, new = endpoints.rotate_secret(actor=merchant, code=hook.code)
    happen(parcel, "picked_up")
    delivered()
    for secret in (old, new):
        assert Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    with scope(Scope.of(merchant)):
        hook.secrets.filter(ends_at__isnull=False).update(ends_at=timezone.now())
    happen(parcel, "in_transit")
    delivered()
    assert Webhook(new).verify(receiver.received[1].body, receiver.received[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.received[1].body, receiver.received[1].headers)


def test_events_of_a_parcel_arrive_in_their_order_one_after_the_other(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    merchant: Actor,
    receiver: Receiver,
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=timezone.now(), count=5)
    story = ["picked_up", "in_transit", "out_for_delivery", "delivered"]
    for each in several:
        happen(each, *story)
    assert delivered() == 20
    for each in several:
        own = [json.loads(message.body) for message in receiver.received if each.number in message.body]
        assert [message["data"]["status"] for message in own] == story
        places = [message["sequence"] for message in own]
        assert places == sorted(set(places))
    assert receiver.most_at_once <= 2
    assert {each.state for each in deliveries(hook)} == {DeliveryState.DELIVERED}


def test_a_later_event_waits_until_the_earlier_one_has_arrived(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(500, b"out of order")
    happen(parcel, "picked_up")
    assert delivered() == 1
    happen(parcel, "in_transit")
    make_due(hook)
    assert delivered() == 1
    first, second = deliveries(hook)
    assert (first.attempts, second.attempts, second.due_at) == (2, 0, None)
    assert second.is_waiting
    receiver.answer = status(204, b"")
    make_due(hook)
    assert delivered() == 2
    assert receiver.ids == [first.message_id] * 3 + [second.message_id]
    statuses = [data(message.body)["status"] for message in receiver.received]
    assert statuses == ["picked_up"] * 3 + ["in_transit"]
    [entry, *_rest] = deliveries(hook)[0].log
    assert (entry["status"], entry["answer"], entry["number"]) == (500, "out of order", 1)


def test_attempts_follow_the_table_and_the_next_event_follows_the_one_given_up(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(503)
    happen(parcel, "picked_up", "in_transit")
    for number in range(1, len(WAITS) + 1):
        assert delivered() == 1
        first, second = deliveries(hook)
        assert first.attempts == number
        if number < len(WAITS):
            wait = first.due_at - timezone.now()
            assert WAITS[number] - timedelta(seconds=2) < wait < WAITS[number] * 1.1
            assert second.due_at is None
            make_due(hook)
    assert (first.state, first.due_at) == (DeliveryState.FAILED, None)
    assert second.due_at is not None
    assert sum(WAITS, timedelta()) > timedelta(days=3)


def test_retry_after_is_waited_for_by_the_whole_endpoint(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(429, Retry_After="3600")
    happen(parcel, "picked_up")
    delivered()
    [delivery] = deliveries(hook)
    hour = timedelta(hours=1)
    assert timedelta(0) <= delivery.due_at - delivery.attempted_at - hour < timedelta(seconds=5)
    assert reread(hook).held_until - timezone.now() > hour - timedelta(seconds=10)
    happen(None, topic=Topic.STATEMENT_CLOSED, merchant_id=merchant.organisation_id)
    assert delivered() == 0


def test_410_switches_the_endpoint_off_at_once(
    merchant: Actor, parcel: Parcel, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = status(410)
    happen(parcel, "picked_up")
    delivered()
    hook = reread(hook)
    assert (hook.state, hook.cause) == (WebhookState.DISABLED, "gone")
    happen(parcel, "in_transit")
    assert (delivered(), fanned_out(), len(receiver.received)) == (0, 0, 1)


def test_what_happens_while_it_is_paused_is_sent_once_it_is_resumed(
    merchant: Actor, parcel: Parcel, receiver: Receiver
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    with scope(Scope.of(merchant)):
        endpoints.pause_endpoint(actor=merchant, code=hook.code)
    happen(parcel, "picked_up", "in_transit")
    assert delivered() == 0
    with scope(Scope.of(merchant)):
        endpoints.resume_endpoint(actor=merchant, code=hook.code)
    assert delivered() == 2


def test_a_receiver_that_was_down_for_three_days_gets_all_in_order(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    merchant: Actor,
    receiver: Receiver,
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=timezone.now(), count=30)
    receiver.answer = status(502)
    story = ["picked_up", "in_transit", "delivered"]
    for day, step in enumerate(story):
        for each in several:
            happen(each, step, day=day)
        # Of a day, three attempts at what is first.
        for _attempt in range(3):
            make_due(hook)
            delivered()
    receiver.answer = status(200)
    receiver.received.clear()
    make_due(hook)
    delivered()
    assert len(receiver.received) == 90
    for each in several:
        own = [data(message.body)["status"] for message in receiver.received if each.number in message.body]
        assert own == story


def test_a_worker_killed_between_sending_and_storing_sends_again_with_the_same_id(
    merchant: Actor, parcel: Parcel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")

    class Killed(BaseException):
        pass

    def killed(*_arguments: Any, **_named: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(delivering, "store", killed)
        with pytest.raises(Killed):
            delivered()
    assert len(receiver.received) == 1
    # Its endpoint is taken until the lease ends.
    assert delivered() == 0
    with scope(Scope.everything()):
        WebhookEndpoint.objects.update(leased_until=timezone.now())
    assert delivered() == 1
    assert len(set(receiver.ids)) == 1
    assert receiver.received[0].body == receiver.received[1].body
    [delivery] = deliveries(hook)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)


def test_a_worker_that_lost_its_endpoint_stores_what_it_knows_and_gives_nothing_back(
    merchant: Actor, parcel: Parcel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")
    genuine = delivering.store

    def overtaken(*arguments: Any, **named: Any) -> Any:
        with scope(Scope.everything()):
            WebhookEndpoint.objects.filter(pk=hook.pk).update(lease=99)
        return genuine(*arguments, **named)

    monkeypatch.setattr(delivering, "store", overtaken)
    assert delivered() == 1
    assert deliveries(hook)[0].state == DeliveryState.DELIVERED
    assert reread(hook).leased_until is not None


def test_figures_count_attempts_by_hour(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    receiver.answer = lambda handler, number: status(500 if number == 1 else 200)(handler, number)
    happen(parcel, "picked_up")
    delivered()
    make_due(hook)
    delivered()
    with scope(Scope.everything()):
        hours = list(WebhookHour.objects.filter(endpoint=hook))
    assert (sum(each.attempts for each in hours), sum(each.delivered for each in hours)) == (2, 1)
    assert sum(sum(each.bins) for each in hours) == 2


def test_a_courier_gets_its_own_topics_and_nothing_of_others(
    merchant: Actor, courier: Actor, rival_courier: Organisation, parcel: Parcel, receiver: Receiver
) -> None:
    endpoint(courier, receiver.url, [MOVED, Topic.COURIER_GRADED])
    rival = actor_of_organisation(rival_courier, kind="user", role=Role.OWNER, label="rival")
    endpoint(rival, receiver.url, [MOVED])
    happen(parcel, "picked_up")
    happen(None, topic=Topic.COURIER_GRADED, courier_id=courier.organisation_id, **{"from": "B", "to": "A"})
    happen(None, topic=Topic.COURIER_GRADED, courier_id=merchant.organisation_id)
    happen(parcel, topic=Topic.RETURN_REQUESTED)
    assert delivered() == 2
    types = sorted(json.loads(message.body)["type"] for message in receiver.received)
    assert types == ["courier.graded", "parcel.status_changed"]


def test_a_test_message_arrives_though_nothing_happened(merchant: Actor, receiver: Receiver) -> None:
    hook, secret = endpoint(merchant, receiver.url)
    with scope(Scope.of(merchant)):
        delivery = endpoints.send_test(actor=merchant, code=hook.code)
    assert delivered() == 1
    [message] = receiver.received
    assert message.headers["webhook-id"] == delivery.message_id
    assert Webhook(secret).verify(message.body, message.headers)["type"] == "webhook.test"


# The one that builds the pages' assets, with the packages of package.json.
_NODE: Final = Path(sys.executable).parent / "node"


def test_the_javascript_library_verifies_it(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    _endpoint, secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up", reason="包裹已揽收")
    delivered()
    [message] = receiver.received
    script = (
        "const { Webhook } = require('standardwebhooks');"
        "const { secret, body, headers } = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));"
    )
    told = json.dumps({"secret": secret, "body": message.body, "headers": message.headers})
    done = subprocess.run(  # noqa: S603 -- a script of ours
        [str(_NODE), "-e", script],
        input=told,
        capture_output=True,
        text=True,
        check=True,
        cwd=settings.BASE_DIR,
    )
    assert json.loads(done.stdout) == json.loads(message.body)


def test_nothing_is_sent_of_a_deleted_endpoint(merchant: Actor, parcel: Parcel, receiver: Receiver) -> None:
    hook, _secret = endpoint(merchant, receiver.url)
    happen(parcel, "picked_up")
    fanned_out()
    with scope(Scope.of(merchant)):
        endpoints.delete_endpoint(actor=merchant, code=hook.code)
    assert delivered() == 0
    with scope(Scope.everything()):
        assert WebhookDelivery.objects.filter(endpoint_id=hook.pk).count() == 1
