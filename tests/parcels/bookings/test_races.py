"""Concurrent bookings and cancellations: nothing oversold, nothing lost, every call answered."""

import pytest

from alliance.errors import CapacityFull, Conflict
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import BookingRequest, IfFull
from parcels.bookings.services.booking import book_parcel, book_parcels
from parcels.bookings.services.cancelling import Cancelled, cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel
from slas.models import CapacityDay, Commitment
from tests import factories
from tests.factories import SWIFT
from tests.parcels.helpers.bookings import booked, request_for
from tests.slas.helpers.offers import fill, in_threads, offer, reserved, today_at

NOON = today_at(12)
TODAY = NOON.date()


def book(merchant: Actor, request: BookingRequest) -> Booked:
    with scope(Scope.of(merchant)):
        return book_parcel(actor=merchant, request=request, at=NOON)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pinned", [{"courier": SWIFT}, {"expected_deliver_by": today_at(20, days=1)}])
def test_50_bookings_for_20_places_book_20_and_refuse_30(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City, pinned: dict
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu, daily_capacity=20)
    request = request_for(hangzhou, chengdu, NOON, **pinned)
    results = in_threads(lambda _number: book(merchant, request), 50)
    bookings = [item for item in results if isinstance(item, Booked)]
    full = [item for item in results if isinstance(item, CapacityFull)]
    assert (len(bookings), len(full)) == (20, 30)
    assert all("is full for pickup on Tue 24 Nov 2026" in item.detail for item in full)
    assert reserved(sold, TODAY) == 20
    with scope(Scope.everything()):
        assert Parcel.objects.count() == 20
        assert Commitment.objects.count() == 40


@pytest.mark.django_db(transaction=True)
def test_50_bookings_without_a_courier_use_all_couriers_and_days(
    merchant: Actor,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    best = offer(courier_organisation, hangzhou, chengdu, price_fen=900, daily_capacity=20)
    other = offer(rival_courier, hangzhou, chengdu, price_fen=1000, daily_capacity=10)
    request = request_for(hangzhou, chengdu, NOON, if_full=IfFull.NEXT)
    results = in_threads(lambda _number: book(merchant, request), 50)
    assert [item for item in results if not isinstance(item, Booked)] == []
    tomorrow = today_at(0, days=1).date()
    assert (reserved(best, TODAY), reserved(other, TODAY), reserved(best, tomorrow)) == (20, 10, 20)


@pytest.mark.django_db(transaction=True)
def test_concurrent_batches_of_merchants_and_lanes_book_each_place_once(
    hangzhou: City, chengdu: City
) -> None:
    couriers = [factories.courier_organisation(name=f"Courier {number}") for number in range(3)]
    for one in couriers:
        offer(one, hangzhou, chengdu, daily_capacity=15)
        offer(one, chengdu, hangzhou, daily_capacity=15)
    merchants = [factories.merchant_organisation(name=f"Merchant {number}") for number in range(6)]
    there = request_for(hangzhou, chengdu, NOON, if_full=IfFull.NEXT)
    back = request_for(chengdu, hangzhou, NOON, if_full=IfFull.NEXT)

    def batch(number: int) -> list[object]:
        from alliance.members.services.actors import actor_of_organisation  # noqa: PLC0415

        actor = actor_of_organisation(merchants[number], kind="user")
        # Each starts with another lane: locks taken in the order of items would deadlock.
        requests = [there, back] * 10 if number % 2 else [back, there] * 10
        with scope(Scope.of(actor)):
            return list(book_parcels(actor=actor, requests=requests, at=NOON))

    results = in_threads(batch, 6)
    assert [result for result in results if isinstance(result, Exception)] == []
    items = [item for result in results for item in result]  # type: ignore[attr-defined]
    assert [item for item in items if not isinstance(item, Booked)] == []
    with scope(Scope.everything()):
        days = list(CapacityDay.objects.all())
        assert all(day.reserved <= day.limit for day in days)
        assert sum(day.reserved for day in days) == Parcel.objects.count() == 120
        for day in days:
            assert Parcel.objects.filter(offer_id=day.offer_id, pickup_date=day.date).count() == day.reserved
        # All places of the first day are used before any of the second.
        assert sum(day.reserved for day in days if day.date == TODAY) == 90


@pytest.mark.django_db(transaction=True)
def test_concurrent_cancelling_and_booking_lose_no_capacity(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu, daily_capacity=20)
    standing = [booked(merchant, hangzhou, chengdu, at=NOON) for _number in range(10)]
    request = request_for(hangzhou, chengdu, NOON, courier=SWIFT)

    def work(number: int) -> object:
        if number % 2:
            return book(merchant, request)
        with scope(Scope.of(merchant)):
            return cancel_parcel(actor=merchant, parcel_id=standing[number // 2].parcel_id, at=NOON)

    results = in_threads(work, 20)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert reserved(sold, TODAY) == 10
    with scope(Scope.everything()):
        assert Parcel.objects.filter(status="booked").count() == 10


@pytest.mark.django_db(transaction=True)
def test_concurrent_cancelling_of_one_parcel_releases_one_place(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    parcel = booked(merchant, hangzhou, chengdu, at=NOON)
    booked(merchant, hangzhou, chengdu, at=NOON)

    def cancel(_number: int) -> Cancelled:
        with scope(Scope.of(merchant)):
            return cancel_parcel(actor=merchant, parcel_id=parcel.parcel_id, at=NOON)

    assert in_threads(cancel, 10) == [Cancelled(parcel.parcel_id, NOON)] * 10
    assert reserved(sold, TODAY) == 1


@pytest.mark.django_db(transaction=True)
def test_full_day_stays_full_during_concurrent_batches(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, TODAY, reserved=13)
    request = request_for(hangzhou, chengdu, NOON, courier=SWIFT)

    def batch(_number: int) -> list[object]:
        with scope(Scope.of(merchant)):
            return list(book_parcels(actor=merchant, requests=[request] * 4, at=NOON))

    items = [item for result in in_threads(batch, 8) for item in result]  # type: ignore[attr-defined]
    assert sum(isinstance(item, Booked) for item in items) == 7
    assert all(isinstance(item, Booked | Conflict) for item in items)
    assert reserved(sold, TODAY) == 20
