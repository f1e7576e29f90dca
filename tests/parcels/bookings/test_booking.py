"""Booking: stored rows, allocation of capacity, and refusals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alliance.database.cluster import is_distributed
from alliance.errors import AllianceError, CapacityFull, Conflict, InvalidInput, NotPermitted
from alliance.identifiers import new_parcel_id, parse_tracking_number
from alliance.models import AuditEntry, City, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.models import CourierHome
from parcels.bookings.rules import BookingRequest, IfFull
from parcels.bookings.services import writing
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel, PickupAddress
from slas.models import Commitment, Offer, Tally
from tests.factories import RIVAL, SWIFT
from tests.parcels.helpers.bookings import RECIPIENT, booked, parcels_of, request_for
from tests.slas.helpers.offers import fill, offer, reserved, today_at

NOON = today_at(12)
TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def rival(rival_courier: Organisation, hangzhou: City, chengdu: City) -> Offer:
    """The same for 15 yuan, 5 per day: ranked after `sold`."""
    return offer(rival_courier, hangzhou, chengdu, price_fen=1500, daily_capacity=5)


def book_all(
    merchant: Actor, requests: list[BookingRequest], at: datetime = NOON
) -> list[Booked | AllianceError]:
    with scope(Scope.of(merchant)):
        return book_parcels(actor=merchant, requests=requests, at=at)


# --- stored rows ------------------------------------------------------------------------------


def test_booking_freezes_the_promise_on_the_parcel(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    booking = booked(merchant, hangzhou, chengdu, at=NOON, reference="SO-1", weight_g=1_500)
    [parcel] = parcels_of(merchant)
    assert (parcel.number, parse_tracking_number(booking.number)) == (booking.number, parcel.id)
    assert (parcel.courier_id, parcel.offer_id, parcel.fee_fen) == (sold.courier_id, sold.pk, 1550)
    assert (parcel.status, parcel.reference, parcel.recipient_name) == ("booked", "SO-1", RECIPIENT.name)
    assert (parcel.booked_at, parcel.pickup_date) == (NOON, TODAY)
    assert (parcel.pickup_by, parcel.deliver_by) == (today_at(20), today_at(20, days=1))
    assert parcel.version_id is not None
    assert reserved(sold, TODAY) == 1


def test_booking_opens_two_commitments_with_local_due_dates(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, everything: None
) -> None:
    tokyo = City.objects.get(code="JP-TYO")
    offer(courier_organisation, hangzhou, tokyo, tier="standard")
    booking = booked(merchant, hangzhou, tokyo, at=NOON, tier="standard")
    rows = Commitment.objects.filter(parcel_id=booking.parcel_id).order_by("kind")
    assert list(rows.values_list("kind", "outcome", "due_at", "due_date")) == [
        ("delivery", "pending", datetime(2026, 11, 27, 11, tzinfo=UTC), today_at(0, days=3).date()),
        ("pickup", "pending", today_at(20), TODAY),
    ]
    assert Tally.objects.filter(kind="delivery").get().pending == 1


def test_booking_records_one_event_per_parcel_and_one_audit_entry_per_call(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, everything: None
) -> None:
    results = book_all(merchant, [request_for(hangzhou, chengdu, NOON)] * 3)
    events = Event.objects.filter(topic="parcel.booked")
    assert {event.parcel_id for event in events} == {item.parcel_id for item in results}
    assert {(event.merchant_id, event.courier_id) for event in events} == {
        (merchant.organisation_id, sold.courier_id)
    }
    [entry] = AuditEntry.objects.filter(verb="parcels.booked")
    assert entry.detail["count"] == 3


def test_booking_draws_a_new_id_on_a_collision(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = booked(merchant, hangzhou, chengdu, at=NOON)
    bits = iter([first.parcel_id & (2**22 - 1), 7, 99])
    monkeypatch.setattr(
        writing,
        "draw_parcel_ids",
        lambda at, count, **_where: [new_parcel_id(at, random_bits=next(bits)) for _ in range(count)],
    )
    results = book_all(merchant, [request_for(hangzhou, chengdu, NOON, reference=name) for name in "ab"])
    numbers = {first.number, *(item.number for item in results)}
    assert len(numbers) == 3
    assert [parcel.reference for parcel in parcels_of(merchant) if parcel.id != first.parcel_id] == ["b", "a"]


def test_booking_is_visible_only_to_its_merchant_and_courier(
    merchant: Actor, sold: Offer, rival: Offer, hangzhou: City, chengdu: City, rival_merchant: Organisation
) -> None:
    booked(merchant, hangzhou, chengdu, at=NOON)
    row_counts = {}
    for to in (
        Scope.of(merchant), Scope.courier(sold.courier_id), Scope.courier(rival.courier_id),
        Scope.merchant(rival_merchant.pk), Scope.nothing(),
    ):  # fmt: skip
        with scope(to):
            row_counts[to.value] = Parcel.objects.count() + Commitment.objects.count()
    assert list(row_counts.values()) == [3, 3, 0, 0, 0]


@pytest.mark.parametrize("count", [1, 50])
def test_batch_query_count_does_not_depend_on_its_size(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City, count: int,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    offer(courier_organisation, hangzhou, chengdu, daily_capacity=100)
    with scope(Scope.everything()):
        CourierHome.objects.create(courier_id=courier_organisation.pk, home=0, since=NOON - timedelta(days=1))
    # On a cluster with those that wait for the next one: a savepoint, and what has it commit in two phases.
    most = 15 if is_distributed() else 12
    with scope(Scope.of(merchant)), django_assert_max_num_queries(most):
        book_parcels(actor=merchant, requests=[request_for(hangzhou, chengdu, NOON)] * count, at=NOON)


# --- choice of courier and day ----------------------------------------------------------------


def test_batch_fills_recommended_courier_then_next_courier_then_next_day(
    merchant: Actor, sold: Offer, rival: Offer, hangzhou: City, chengdu: City
) -> None:
    results = book_all(merchant, [request_for(hangzhou, chengdu, NOON, if_full=IfFull.NEXT)] * 30)
    got = [(item.offer.offer_id, item.promise.effective_date) for item in results]
    assert got == [(sold.pk, TODAY)] * 20 + [(rival.pk, TODAY)] * 5 + [(sold.pk, TOMORROW)] * 5
    last = results[-1]
    assert (last.full_on, last.promise.rolled_days) == ((TODAY,), 1)
    assert last.promise.deliver_by == today_at(20, days=2)
    assert [parcel.pickup_date for parcel in parcels_of(merchant)].count(TOMORROW) == 5


def test_requested_courier_is_booked_or_refused_but_never_replaced(
    merchant: Actor, sold: Offer, rival: Offer, hangzhou: City, chengdu: City
) -> None:
    results = book_all(merchant, [request_for(hangzhou, chengdu, NOON, courier=RIVAL)] * 7)
    assert [getattr(item, "fee_fen", None) for item in results] == [1500] * 5 + [None] * 2
    refused = results[-1]
    assert isinstance(refused, CapacityFull)
    assert refused.errors[0].pointer == "/courier"
    assert "Rival Logistics is full for pickup on Tue 24 Nov 2026." in refused.detail
    assert "Next: Swift Express on Tue 24 Nov 2026" in refused.detail
    assert reserved(sold, TODAY) == 0


def test_if_full_refuse_books_another_courier_but_no_other_day(
    merchant: Actor, sold: Offer, rival: Offer, hangzhou: City, chengdu: City
) -> None:
    fill(sold, TODAY)
    fill(rival, TODAY, reserved=4)
    request = request_for(hangzhou, chengdu, NOON, if_full=IfFull.REFUSE)
    first, second = book_all(merchant, [request, request])
    assert first.offer.offer_id == rival.pk
    assert isinstance(second, CapacityFull)
    assert "Next: Swift Express on Wed 25 Nov 2026, delivered by Thu 26 Nov 2026 20:00." in second.detail
    assert second.members["available"]["promise"]["current"] == today_at(20, days=2).isoformat()


def test_parcel_ready_earlier_today_is_ready_now(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    """A day without a time begins at midnight; yesterday is refused all the same."""
    today, yesterday = book_all(
        merchant,
        [request_for(hangzhou, chengdu, today_at(0)), request_for(hangzhou, chengdu, today_at(23, days=-1))],
    )
    assert today.promise.effective_date == TODAY
    assert parcels_of(merchant)[0].ready_at == NOON
    assert [error.code for error in yesterday.errors] == ["past"]


def test_current_expected_promise_is_booked(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    request = request_for(hangzhou, chengdu, NOON, expected_deliver_by=today_at(20, days=1))
    [booking] = book_all(merchant, [request])
    assert booking.promise.deliver_by == today_at(20, days=1)


def test_expected_promise_of_a_later_day_is_booked_for_that_day(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    """The next day that a quote shows for a full courier can be booked."""
    fill(sold, TODAY)
    request = request_for(hangzhou, chengdu, NOON, courier=SWIFT, expected_deliver_by=today_at(20, days=2))
    [booking] = book_all(merchant, [request])
    assert booking.promise.effective_date == TOMORROW
    assert reserved(sold, TOMORROW) == 1


def test_promise_that_no_quote_says_is_refused_while_there_is_room(
    merchant: Actor, sold: Offer, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    """A later day's promise exists, but a quote would not offer it: not for the courier, not for any."""
    offer(rival_courier, hangzhou, chengdu, price_fen=900)
    later = {"expected_deliver_by": today_at(20, days=5)}
    requests = [
        request_for(hangzhou, chengdu, NOON, **later, **choice)
        for choice in ({}, {"courier": SWIFT}, {"if_full": IfFull.NEXT})
    ]
    for refused in book_all(merchant, requests):
        assert (type(refused), refused.reason) == (Conflict, "promise_changed")
        assert refused.members["available"]["promise"]["current"] == today_at(20, days=1).isoformat()
    assert parcels_of(merchant) == []


def test_pickup_that_moved_is_refused_though_the_delivery_did_not(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    request = request_for(
        hangzhou,
        chengdu,
        NOON,
        expected_deliver_by=today_at(20, days=1),
        expected_pickup_by=today_at(19),
    )
    [refused] = book_all(merchant, [request])
    assert [error.pointer for error in refused.errors] == ["/expected_pickup_by"]
    assert refused.members["available"]["promise"]["pickup_by"] == today_at(20).isoformat()


@pytest.mark.parametrize("change", [{}, {"courier": SWIFT}, {"if_full": IfFull.NEXT}])
def test_price_that_changed_is_refused_with_the_new_one(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, change: dict
) -> None:
    """The price includes the surcharge of the weight."""
    fits = request_for(hangzhou, chengdu, NOON, weight_g=1500, expected_price_fen=1550, **change)
    changed = request_for(hangzhou, chengdu, NOON, weight_g=1500, expected_price_fen=1549, **change)
    booked_one, refused = book_all(merchant, [fits, changed])
    assert booked_one.fee_fen == 1550
    assert (type(refused), refused.reason) == (Conflict, "price_changed")
    assert refused.detail == "The price has changed: it is now CNY 15.50."
    assert refused.members["available"]["price"] == "15.50"
    assert reserved(sold, TODAY) == 1


def test_expected_price_of_a_full_courier_is_refused_with_the_next_courier(
    merchant: Actor, sold: Offer, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    """Without a courier the recommended one is booked; when it is full, another one's price is not agreed."""
    offer(rival_courier, hangzhou, chengdu, price_fen=5800)
    fill(sold, TODAY)
    fill(sold, TOMORROW)
    requests = [
        request_for(hangzhou, chengdu, NOON, expected_price_fen=1250, if_full=if_full) for if_full in IfFull
    ]
    for refused in book_all(merchant, requests):
        available = refused.members["available"]
        assert (refused.reason, available["courier"], available["price"]) == (
            "price_changed",
            RIVAL,
            "58.00",
        )


def test_outdated_expected_promise_is_refused_with_the_current_one(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    late = today_at(18, 1)
    request = request_for(hangzhou, chengdu, late, expected_deliver_by=today_at(20, days=1))
    [refused] = book_all(merchant, [request], at=late)
    assert isinstance(refused, Conflict)
    assert refused.reason == "promise_changed"
    assert refused.detail == "The promise has changed: it is now delivered by Thu 26 Nov 2026 20:00."
    assert refused.members["available"]["promise"]["current"] == today_at(20, days=2).isoformat()
    assert parcels_of(merchant) == []


def test_expected_promise_of_a_full_day_is_capacity_full(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    fill(sold, TODAY)
    request = request_for(hangzhou, chengdu, NOON, expected_deliver_by=today_at(20, days=1))
    [refused] = book_all(merchant, [request])
    assert isinstance(refused, CapacityFull)


def test_all_days_full_is_reported(merchant: Actor, sold: Offer, hangzhou: City, chengdu: City) -> None:
    for days in range(8):
        fill(sold, TODAY + timedelta(days=days))
    [refused] = book_all(merchant, [request_for(hangzhou, chengdu, NOON)])
    assert isinstance(refused, CapacityFull)
    assert "The following days are full as well." in refused.detail


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"weight_g": 0}, "/weight_g", "min_value"),
        ({"weight_g": 30_001}, "/weight_g", "too_heavy"),
        ({"weight_g": 2_000_000_000}, "/weight_g", "too_heavy"),
        ({"tier": "overnight"}, "/tier", "unknown"),
        ({"tier": "same_day"}, "/destination", "not_offered"),
        ({"courier": "nobody"}, "/courier", "not_offered"),
        ({"ready_at": NOON.replace(tzinfo=None)}, "/ready_at", "naive"),
        ({"ready_at": NOON - timedelta(days=1)}, "/ready_at", "past"),
        ({"ready_at": NOON + timedelta(days=30, seconds=1)}, "/ready_at", "too_far_ahead"),
        ({"expected_deliver_by": NOON.replace(tzinfo=None)}, "/expected_deliver_by", "naive"),
        ({"reference": "x" * 65}, "/reference", "max_length"),
        ({"reference": "a\x00b"}, "/reference", "unprintable"),
        ({"recipient": replace(RECIPIENT, name="")}, "/recipient/name", "required"),
        ({"recipient": replace(RECIPIENT, name="王" * 121)}, "/recipient/name", "max_length"),
        ({"recipient": replace(RECIPIENT, phone="call me")}, "/recipient/phone", "invalid"),
        ({"recipient": replace(RECIPIENT, phone="1" * 41)}, "/recipient/phone", "max_length"),
        ({"recipient": replace(RECIPIENT, address="x\ud800")}, "/recipient/address", "unprintable"),
        ({"recipient": replace(RECIPIENT, address="路" * 301)}, "/recipient/address", "max_length"),
        ({"pickup_address_id": 12345}, "/pickup_address", "unknown"),
    ],
)
def test_bad_item_is_rejected_with_a_pointer_and_the_others_are_booked(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, change: dict, pointer: str, code: str
) -> None:
    good = request_for(hangzhou, chengdu, NOON)
    first, bad, last = book_all(merchant, [good, replace(good, **change), good])
    assert isinstance(bad, InvalidInput)
    assert [(error.pointer, error.code) for error in bad.errors] == [(pointer, code)]
    assert {first.parcel_id, last.parcel_id} == {parcel.id for parcel in parcels_of(merchant)}
    assert reserved(sold, TODAY) == 2


def test_booking_reports_all_errors_at_once(merchant: Actor, hangzhou: City, chengdu: City) -> None:
    request = request_for(
        hangzhou, chengdu, NOON, weight_g=0, recipient=replace(RECIPIENT, name="", phone="")
    )
    [refused] = book_all(merchant, [request])
    pointers = [error.pointer for error in refused.errors]
    assert pointers == ["/recipient/name", "/recipient/phone", "/weight_g"]


def test_request_at_its_limits_is_booked(merchant: Actor, sold: Offer, hangzhou: City, chengdu: City) -> None:
    widest = replace(
        RECIPIENT, name="王" * 120, phone="+86 138 1234 5678 / (0571) 8502 2088 #12", address="路" * 300
    )
    request = request_for(
        hangzhou, chengdu, NOON - timedelta(minutes=5), recipient=widest, reference="r" * 64, weight_g=30_000
    )
    [booking] = book_all(merchant, [request])
    assert booking.fee_fen == 1250 + 6_000


def test_pickup_address_of_another_merchant_or_city_is_refused(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, rival_merchant: Organisation
) -> None:
    def address(merchant_id: int, city: City) -> int:
        with scope(Scope.everything()):
            return PickupAddress.objects.create(
                merchant_id=merchant_id,
                name="Depot",
                city=city,
                address="Road 1",
                contact_name="Li",
                contact_phone="1",
            ).pk

    theirs = address(rival_merchant.pk, hangzhou)
    elsewhere = address(merchant.organisation_id, chengdu)
    mine = address(merchant.organisation_id, hangzhou)
    requests = [
        request_for(hangzhou, chengdu, NOON, pickup_address_id=pk) for pk in (theirs, elsewhere, mine)
    ]
    first, second, third = book_all(merchant, requests)
    assert first.errors[0].code == "unknown"
    assert second.errors[0].code == "other_city"
    assert parcels_of(merchant)[0].pickup_address_id == mine
    assert isinstance(third, Booked)


@pytest.mark.parametrize("who", ["courier", "system"])
def test_only_merchants_can_book(
    who: str, request: pytest.FixtureRequest, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    with pytest.raises(NotPermitted):
        book_all(request.getfixturevalue(who), [request_for(hangzhou, chengdu, NOON)])


def test_empty_batch_books_nothing(merchant: Actor) -> None:
    assert book_all(merchant, []) == []
