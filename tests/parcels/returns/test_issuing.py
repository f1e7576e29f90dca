"""A merchant issues a return: another parcel, linked both ways, which changes nothing about the first."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.identifiers import tracking_number
from alliance.members.services.actors import actor_of_organisation
from alliance.models import AuditEntry, City, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel, cancel_parcels
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel, PickupAddress, SavedRecipient
from parcels.recipients.rules import Entry
from parcels.recipients.services.saving import save_recipient
from parcels.retention.erasing import erase_early
from parcels.revisions.services import revise_parcel
from parcels.scans.lost_parcels import trace_lost_parcels
from slas.choices import RevisionParty
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Commitment, Offer
from slas.revisions.services import RevisionRequest
from tests.parcels.helpers.parcel_views import scan, some_parcels, text_of
from tests.parcels.helpers.returns import again, delivered_parcel, issued, parcel_of, refused_parcel
from tests.slas.helpers.offers import in_threads

pytestmark = pytest.mark.django_db


def saved_for(merchant: Actor, city: City, phone: str) -> int:
    entry = Entry.written(name="Somebody", phone=phone, city=city, address="文三路90号")
    with scope(Scope.of(merchant)):
        return save_recipient(actor=merchant, entry=entry, at=timezone.now()).recipient.pk


def delivery(parcel: Parcel) -> tuple[Any, ...]:
    """How the delivery of a parcel was judged."""
    with scope(Scope.everything()):
        held = Commitment.objects.get(parcel_id=parcel.pk, kind="delivery")
    return held.outcome, held.reached_at, held.delivered_at, held.due_at, held.lost_at


def test_return_is_a_parcel_of_its_own_linked_both_ways(merchant: Actor, delivered: Parcel) -> None:
    booked = issued(merchant, delivered)
    back, outward = parcel_of(booked.number), again(delivered)
    assert (back.return_of_id, outward.returned_by_id) == (outward.pk, back.pk)
    assert (back.origin_id, back.destination_id) == (outward.destination_id, outward.origin_id)
    # It goes to the merchant's address, and is collected from whom the first one went to.
    assert (back.recipient_name, back.recipient_phone) == ("Zhang Min", "13900001111")
    assert (back.sender_name, back.sender_phone) == (outward.recipient_name, outward.recipient_phone)
    assert back.sender_address == outward.recipient_address
    assert (back.weight_g, back.reference, back.pickup_address_id) == (800, "SO-7", None)
    with scope(Scope.everything()):
        promises = dict(Commitment.objects.filter(parcel_id=back.pk).values_list("kind", "outcome"))
        event = Event.objects.get(topic="return.issued")
        entry = AuditEntry.objects.get(verb="return.issued")
    assert promises == {"pickup": "pending", "delivery": "pending"}
    assert event.payload == {"tracking_number": back.number, "return_of": outward.number}
    assert entry.detail == {"number": outward.number, "returned_by": back.number}


def test_return_changes_no_outcome_of_the_first_parcel(merchant: Actor, delivered: Parcel) -> None:
    before = delivery(delivered)
    assert before[0] == "met"
    back = parcel_of(issued(merchant, delivered).number)
    scan(back, "picked_up", 3)
    scan(back, "delivered", 300)
    assert delivery(back)[0] == "late"
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now() + timedelta(days=40))
    assert delivery(delivered) == before
    assert (again(delivered).status, again(delivered).delivered_at) == ("delivered", delivered.delivered_at)


def test_return_in_time_does_not_make_a_late_delivery_good(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    delivered: Parcel,
) -> None:
    [late] = some_parcels(merchant_organisation, courier_organisation, hours_ago=60)
    scan(late, "picked_up", 2)
    scan(late, "delivered", 50)
    before = delivery(late)
    back = parcel_of(issued(merchant, late).number)
    scan(back, "picked_up", 1)
    scan(back, "delivered", 2)
    assert (before[0], delivery(back)[0]) == ("late", "met")
    assert delivery(late) == before
    with scope(Scope.everything()):
        assert Breach.objects.filter(parcel_id=late.pk, kind="delivery").count() == 1


@pytest.mark.parametrize("end", ["returned", "delivered"])
def test_parcel_turned_round_by_its_courier_is_not_on_time(
    merchant_organisation: Organisation, courier_organisation: Organisation, end: str
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=38)
    scan(parcel, "picked_up", 2)
    scan(parcel, "return_started", 3)
    # Back at the sender before the promised hour of the delivery.
    scan(parcel, end, 20)
    assert again(parcel).status == "returned"
    with scope(Scope.everything()):
        sweep_overdue(now=timezone.now())
    outcome, reached_at, delivered_at, *_rest = delivery(parcel)
    assert outcome != "met"
    assert (reached_at, delivered_at) == (None, None)


def test_refused_parcel_is_collected_from_the_courier_that_has_it(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    delivered: Parcel,
    client: Client,
) -> None:
    refused = refused_parcel(merchant_organisation, courier_organisation)
    before = delivery(refused)
    back = parcel_of(issued(merchant, refused).number)
    assert (back.held_by_id, back.sender_name, back.sender_phone) == (courier_organisation.pk, "", "")
    assert delivery(refused) == before
    # No delivery of it is to come: the tracking page offers no other day.
    page = text_of(client.get(f"/track/{refused.number}/"))
    assert "It goes back to the sender under another number." in page
    assert "If you want the parcel after all" not in page
    assert "Change delivery day" not in page
    asked = RevisionRequest(timezone.localdate() + timedelta(days=2), RevisionParty.MERCHANT, "later")
    with scope(Scope.of(merchant)), pytest.raises(Conflict) as late:
        revise_parcel(actor=merchant, parcel_id=refused.pk, asked=asked, now=timezone.now())
    assert late.value.reason == "settled"


def test_refused_parcel_with_a_return_does_not_count_as_lost(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    delivered: Parcel,
) -> None:
    refused, other = (refused_parcel(merchant_organisation, courier_organisation) for _parcel in range(2))
    back = issued(merchant, refused)
    trace_lost_parcels(now=timezone.now() + timedelta(days=8))
    # Its scans come under the other number; without a return, silence means a loss.
    assert delivery(refused)[-1] is None
    assert delivery(other)[-1] is not None
    cancelled_at = timezone.now() + timedelta(days=8)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=back.parcel_id, at=cancelled_at)
    # Its courier has it again, for as many days.
    trace_lost_parcels(now=cancelled_at + timedelta(days=6))
    assert delivery(refused)[-1] is None
    trace_lost_parcels(now=cancelled_at + timedelta(days=7, minutes=1))
    assert delivery(refused)[-1] == cancelled_at + timedelta(days=7)


@pytest.mark.parametrize(
    ("scans", "reason"),
    [
        ([], "not_returnable"),
        ([("picked_up", {})], "not_returnable"),
        ([("attempt_failed", {"reason": "consignee_absent"})], "not_returnable"),
        ([("attempt_failed", {"reason": "consignee_refused"}), ("return_started", {})], "already_returning"),
        ([("return_started", {}), ("returned", {})], "already_returning"),
        ([("lost", {})], "not_returnable"),
    ],
)
def test_what_has_no_way_back_is_refused(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    delivered: Parcel,
    scans: list[tuple[str, dict[str, str]]],
    reason: str,
) -> None:
    [parcel] = some_parcels(merchant_organisation, courier_organisation, hours_ago=38)
    for hour, (code, more) in enumerate(scans):
        scan(parcel, code, hour + 2, **more)
    with pytest.raises(Conflict) as refused:
        issued(merchant, parcel)
    assert refused.value.reason == reason
    assert again(parcel).returned_by_id is None


def test_one_return_is_open_until_it_is_cancelled(
    merchant: Actor, delivered: Parcel, way_back: Offer
) -> None:
    first = issued(merchant, delivered)
    with pytest.raises(Conflict) as refused:
        issued(merchant, delivered)
    assert (refused.value.reason, refused.value.members) == (
        "already_issued",
        {"returned_by": first.number},
    )
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=first.parcel_id, at=timezone.now())
    freed = again(delivered)
    assert (freed.has_return, freed.returned_by_id) == (False, first.parcel_id)
    second = issued(merchant, delivered)
    outward = again(delivered)
    assert (outward.has_return, outward.returned_by_id) == (True, second.parcel_id)
    # The first one is on its way no more: it needs to know nobody.
    assert parcel_of(first.number).sender_phone == ""
    assert parcel_of(second.number).sender_phone.endswith("5678")
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=first.parcel_id, at=timezone.now())
    assert again(delivered).has_return
    with pytest.raises(Conflict) as refused:
        issued(merchant, parcel_of(second.number))
    assert refused.value.reason == "is_return"


def test_only_the_merchant_issues_a_return(merchant: Actor, courier: Actor, rival_merchant: Organisation,
    system: Actor, delivered: Parcel) -> None:  # fmt: skip
    for actor in (courier, system):
        with pytest.raises(NotPermitted):
            issued(actor, delivered)
    with pytest.raises(NotFound):
        issued(actor_of_organisation(rival_merchant, kind="user", role="owner"), delivered)
    assert again(delivered).returned_by_id is None


def test_where_it_goes_is_an_own_address(
    merchant: Actor, delivered: Parcel, address: Any, chengdu: City
) -> None:
    with pytest.raises(InvalidInput) as refused:
        issued(merchant, delivered, address_id=address.pk + 99)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/pickup_address", "unknown")]
    with scope(Scope.everything()):
        address.delete()
    with pytest.raises(InvalidInput) as refused:
        issued(merchant, delivered)
    assert [error.code for error in refused.value.errors] == ["required"]


def test_refused_booking_leaves_no_link(merchant: Actor, delivered: Parcel, way_back: Offer) -> None:
    with pytest.raises(Conflict) as refused:
        issued(merchant, delivered, expected_price_fen=1)
    assert refused.value.reason == "price_changed"
    assert again(delivered).returned_by_id is None
    with scope(Scope.everything()):
        assert not Parcel.objects.filter(return_of_id=delivered.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_of_returns_issued_at_once_one_is_booked(merchant: Actor, delivered: Parcel) -> None:
    results = in_threads(lambda _number: issued(merchant, delivered), 4)
    [booked] = [result for result in results if isinstance(result, Booked)]
    refused = [result for result in results if isinstance(result, Conflict)]
    assert [error.members for error in refused] == [{"returned_by": booked.number}] * 3
    with scope(Scope.everything()):
        assert Parcel.objects.filter(return_of_id=delivered.pk).count() == 1


@pytest.mark.django_db(transaction=True)
def test_return_that_is_cancelled_while_another_is_issued(merchant: Actor, delivered: Parcel) -> None:
    first = issued(merchant, delivered)

    def work(number: int) -> Any:
        if number % 2:
            return issued(merchant, delivered)
        with scope(Scope.of(merchant)):
            return cancel_parcels(
                actor=merchant, parcel_ids=[first.parcel_id, delivered.pk], at=timezone.now()
            )

    results = in_threads(work, 4)
    made = [result for result in results if isinstance(result, Booked)]
    outward = again(delivered)
    assert len(made) < 2
    latest = made[0].parcel_id if made else first.parcel_id
    assert (outward.status, outward.returned_by_id, outward.has_return) == ("delivered", latest, bool(made))
    assert parcel_of(first.number).status == "cancelled"


@pytest.mark.parametrize("asks_for_return", [False, True])
def test_refused_parcel_that_came_back_may_be_erased_by_either_number(
    merchant: Actor, system: Actor, merchant_organisation: Organisation,
    courier_organisation: Organisation, delivered: Parcel, asks_for_return: bool,
) -> None:  # fmt: skip
    refused = refused_parcel(merchant_organisation, courier_organisation)
    back = parcel_of(issued(merchant, refused).number)
    named = back if asks_for_return else refused

    def erase() -> None:
        with scope(Scope.everything()):
            erase_early(actor=system, parcel_id=named.pk, reason="asked for", now=timezone.now())

    with pytest.raises(Conflict) as still:
        erase()
    assert still.value.reason == "under_way"
    scan(back, "picked_up", 1)
    scan(back, "delivered", 2)
    erase()
    assert [again(each).erased_at is not None for each in (refused, back)] == [True, True]


def test_erasing_by_a_returns_number_forgets_its_sender_and_not_the_merchant(
    merchant: Actor, system: Actor, delivered: Parcel, address: PickupAddress
) -> None:
    [person, merchants_own] = [
        saved_for(merchant, address.city, phone) for phone in ("+86 138 1234 5678", address.contact_phone)
    ]
    back = parcel_of(issued(merchant, delivered).number)
    scan(back, "picked_up", 1)
    scan(back, "delivered", 2)
    with scope(Scope.everything()):
        erase_early(actor=system, parcel_id=back.pk, reason="asked for", now=timezone.now())
        left = set(SavedRecipient.objects.values_list("pk", flat=True))
    assert left == {merchants_own}
    assert person not in left
    assert (again(delivered).recipient_phone, again(back).sender_phone) == ("", "")


def test_erased_recipient_is_nowhere_on_the_way_back(
    merchant: Actor, system: Actor, delivered: Parcel, merchant_organisation: Organisation,
    courier_organisation: Organisation,
) -> None:  # fmt: skip
    back = parcel_of(issued(merchant, delivered).number)

    def erase(parcel: Parcel) -> None:
        with scope(Scope.everything()):
            erase_early(actor=system, parcel_id=parcel.pk, reason="asked for", now=timezone.now())

    with pytest.raises(Conflict) as refused:
        erase(delivered)
    assert tracking_number(back.pk) in refused.value.detail
    scan(back, "picked_up", 1)
    scan(back, "delivered", 2)
    erase(delivered)
    for parcel in (again(delivered), again(back)):
        assert (parcel.sender_name, parcel.sender_phone, parcel.sender_address) == ("", "", "")
        assert parcel.recipient_name == ""
        assert parcel.erased_at
    other = delivered_parcel(merchant_organisation, courier_organisation)
    erase(other)
    with pytest.raises(Conflict) as refused:
        issued(merchant, again(other))
    assert refused.value.reason == "no_recipient"
