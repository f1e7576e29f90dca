"""Each event becomes one delivery for each endpoint that asked for it, however often the outbox is read."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alliance.events import Topic
from alliance.models import Heartbeat, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import DeliveryState
from parcels.models import Parcel, WebhookDelivery
from parcels.webhooks.rules import message_id, parse_message_id
from parcels.webhooks.services.fanning_out import HEARTBEAT, LONG, MIDDLE, SHORT, fan_out
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.webhooks.helpers import MOVED, deliveries, endpoint, fanned_out, happen, reread


@pytest.mark.django_db
def test_reading_again_adds_nothing(merchant: Actor, courier: Actor, parcel: Parcel) -> None:
    own, _secret = endpoint(merchant)
    theirs, _secret = endpoint(courier)
    happen(parcel, "picked_up", "in_transit")
    happen(parcel, topic=Topic.PARCEL_BOOKED)
    now = timezone.now()
    assert fanned_out(now) == 4
    assert [fanned_out(now + timedelta(seconds=seconds)) for seconds in (0, 1, 500)] == [0, 0, 0]
    for hook in (own, theirs):
        assert [each.payload["status"] for each in deliveries(hook)] == ["picked_up", "in_transit"]
        assert [each.due_at is None for each in deliveries(hook)] == [False, True]
        assert reread(hook).next_due_at == now


@pytest.mark.django_db
def test_ids_are_the_same_for_ever_and_another_for_each_endpoint(merchant: Actor, parcel: Parcel) -> None:
    first, _secret = endpoint(merchant)
    second, _secret = endpoint(merchant)
    happen(parcel, "picked_up")
    fanned_out()
    ids = {each.message_id for hook in (first, second) for each in deliveries(hook)}
    assert len(ids) == 2
    with scope(Scope.everything()):
        WebhookDelivery.objects.all().delete()
        Heartbeat.objects.filter(name=HEARTBEAT).delete()
    fanned_out()
    assert {each.message_id for hook in (first, second) for each in deliveries(hook)} == ids


@pytest.mark.parametrize("parcel_id", [0, -1, -1000, 1, 2**63 - 1])
@pytest.mark.parametrize("delivery_id", [0, 1, 2**63 - 1])
def test_an_id_is_read_as_it_was_written(parcel_id: int, delivery_id: int) -> None:
    text = message_id(parcel_id, delivery_id)
    assert len(text) == 30
    assert parse_message_id(text) == parse_message_id(text.upper()) == (parcel_id, delivery_id)


@pytest.mark.parametrize("text", ["", "msg_", "msg_1", "msg_" + "z" * 26, "msg_" + "u" * 26, "0" * 27])
def test_other_texts_are_no_ids(text: str) -> None:
    assert parse_message_id(text) is None


@pytest.mark.django_db
def test_events_of_before_an_endpoint_are_not_for_it(merchant: Actor, parcel: Parcel) -> None:
    happen(parcel, "picked_up", at=timezone.now() - timedelta(seconds=5))
    hook, _secret = endpoint(merchant)
    happen(parcel, "in_transit")
    assert fanned_out() == 1
    assert [each.payload["status"] for each in deliveries(hook)] == ["in_transit"]


@pytest.mark.django_db
def test_a_sequence_goes_on_growing_after_old_deliveries_were_deleted(
    merchant: Actor, parcel: Parcel
) -> None:
    hook, _secret = endpoint(merchant)
    happen(parcel, "picked_up", "in_transit")
    fanned_out()
    last = deliveries(hook)[-1].sequence
    with scope(Scope.everything()):
        WebhookDelivery.objects.all().delete()
    happen(parcel, "delivered", at=timezone.now() + timedelta(seconds=1))
    fanned_out(timezone.now() + timedelta(seconds=2))
    assert [each.sequence for each in deliveries(hook)][-1] > last


@pytest.mark.django_db
def test_an_event_committed_minutes_after_its_time_is_found(merchant: Actor, parcel: Parcel) -> None:
    hook, _secret = endpoint(merchant)
    begun = timezone.now()
    assert fan_out(now=begun) == 0
    later = begun + LONG.overlap - timedelta(seconds=70)
    # A transaction that began before the first pass, and ends now.
    happen(parcel, "picked_up", at=begun + timedelta(seconds=1))
    assert fan_out(now=later) == 1
    quick = later + timedelta(seconds=30)
    happen(parcel, "in_transit", at=later - timedelta(minutes=5))
    assert fan_out(now=quick) == 0
    assert fan_out(now=later + LONG.every) == 1
    assert [each.payload["status"] for each in deliveries(hook)] == ["picked_up", "in_transit"]


@pytest.mark.django_db
def test_a_pass_reads_what_the_one_before_was_too_early_for(merchant: Actor, parcel: Parcel) -> None:
    hook, _secret = endpoint(merchant)
    begun, seconds = timezone.now() + timedelta(minutes=1), timedelta(seconds=1)
    fan_out(now=begun)
    happen(parcel, "picked_up", at=begun + seconds)
    # Committed a moment later than the second pass looked.
    assert fan_out(now=begun + 2 * seconds) == 1
    happen(parcel, "in_transit", at=begun + 2 * seconds - SHORT.overlap / 2)
    assert fan_out(now=begun + 3 * seconds) == 1
    happen(parcel, "out_for_delivery", at=begun + 3 * seconds - MIDDLE.overlap / 2)
    assert fan_out(now=begun + 4 * seconds) == 0
    assert fan_out(now=begun + MIDDLE.every) == 1
    assert len(deliveries(hook)) == 3


@pytest.mark.django_db
def test_passes_go_on_after_the_clock_was_set_back(merchant: Actor, parcel: Parcel) -> None:
    endpoint(merchant)
    begun = timezone.now()
    fan_out(now=begun + timedelta(hours=2))
    happen(parcel, "picked_up", at=begun + timedelta(seconds=1))
    assert fan_out(now=begun + timedelta(seconds=2)) == 1


@pytest.mark.django_db
def test_of_several_workers_one_reads_at_a_time(merchant: Actor, parcel: Parcel) -> None:
    endpoint(merchant)
    begun, lately = timezone.now(), timedelta(seconds=1)
    fan_out(now=begun, unless_within=lately)
    happen(parcel, "picked_up", at=begun + timedelta(milliseconds=100))
    assert fan_out(now=begun + timedelta(milliseconds=500), unless_within=lately) == 0
    assert fan_out(now=begun + lately, unless_within=lately) == 1


@pytest.mark.one_server("threads of one database")
@pytest.mark.django_db(transaction=True)
def test_what_an_open_transaction_writes_is_read_by_the_next_pass_and_in_order(
    merchant: Actor, parcel: Parcel
) -> None:
    """Its event is older than the pass before: the parcel's next one must not come first."""
    hook, _secret = endpoint(merchant)
    begun = timezone.now()
    opened, ended = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with scope(Scope.everything()):
                happen(parcel, "picked_up", at=timezone.now())
                opened.set()
                ended.wait(10)
        finally:
            connection.close()

    writing = threading.Thread(target=write)
    writing.start()
    assert opened.wait(10)
    assert fan_out(now=begun + timedelta(seconds=1)) == 0
    assert fan_out(now=begun + timedelta(seconds=9)) == 0
    ended.set()
    writing.join(10)
    happen(parcel, "in_transit", at=begun + timedelta(seconds=9.5))
    # The middle kind is not due yet.
    assert fan_out(now=begun + timedelta(seconds=10)) == 2
    assert [each.payload["status"] for each in deliveries(hook)] == ["picked_up", "in_transit"]


@pytest.mark.django_db
def test_what_happened_while_nobody_read_is_read_in_stretches(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant: Actor
) -> None:
    hook, _secret = endpoint(merchant)
    begun = timezone.now()
    fan_out(now=begun)
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=begun, count=3)
    for hours, each in enumerate(several):
        happen(each, "picked_up", at=begun + timedelta(hours=hours, minutes=30))
    assert fan_out(now=begun + timedelta(hours=5)) == 3
    assert len(deliveries(hook)) == 3


@pytest.mark.one_server("threads of one database")
@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_ends_while_the_next_is_added_leaves_it_due(merchant: Actor, parcel: Parcel) -> None:
    """Whoever comes second sees the other: the next one never waits for one that has ended."""
    hook, _secret = endpoint(merchant)
    happen(parcel, "picked_up")
    fanned_out()
    happen(parcel, "in_transit")
    [first] = deliveries(hook)
    ended, added = threading.Event(), threading.Event()

    def add() -> None:
        try:
            with scope(Scope.everything()):
                ended.wait(5)
                added.set()
                fan_out(now=timezone.now())
        finally:
            connection.close()

    adding = threading.Thread(target=add)
    adding.start()
    with scope(Scope.everything()):
        # As a worker stores it, and then looks for the next: which is not there yet.
        WebhookDelivery.objects.filter(pk=first.pk).update(state=DeliveryState.DELIVERED, due_at=None)
        ended.set()
        added.wait(5)
        # The other one waits for our row by now.
        adding.join(0.3)
        assert adding.is_alive()
    adding.join(10)
    assert [each.due_at is not None for each in deliveries(hook)] == [False, True]


@pytest.mark.one_server("threads of one database")
@pytest.mark.django_db(transaction=True)
def test_two_at_once_give_each_event_one_place(
    merchant_organisation: Organisation, courier_organisation: Organisation, merchant: Actor
) -> None:
    hook, _secret = endpoint(merchant)
    several = booked_parcels(merchant_organisation, courier_organisation, booked_at=timezone.now(), count=4)
    for each in several:
        happen(each, "picked_up", "in_transit", "delivered")
    counts: list[int] = []

    def add() -> None:
        try:
            counts.append(fan_out(now=timezone.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(counts) == 12
    rows = deliveries(hook)
    assert len({(each.parcel_id, each.sequence) for each in rows}) == 12
    assert sum(each.due_at is not None for each in rows) == 4
    assert {each.topic for each in rows} == {MOVED}
