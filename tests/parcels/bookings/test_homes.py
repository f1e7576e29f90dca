"""Bookings draw ids in the homes of the courier that gets the parcel."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from alliance.homes import home_of
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.homes.services import give_first_home
from couriers.models import CourierHome
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked, draw_ids
from slas.models import Offer
from tests.parcels.helpers.bookings import parcels_of, request_for
from tests.slas.helpers.offers import offer, today_at

NOON = today_at(12)


def give(courier: Organisation, *homes: int) -> None:
    with scope(Scope.everything()):
        CourierHome.objects.bulk_create(
            CourierHome(courier_id=courier.pk, home=home, since=NOON.replace(year=2020)) for home in homes
        )


def book(merchant: Actor, count: int, hangzhou: City, chengdu: City) -> list[Booked]:
    requests = [request_for(hangzhou, chengdu, NOON, reference=f"SO-{number}") for number in range(count)]
    with scope(Scope.of(merchant)):
        results = book_parcels(actor=merchant, requests=requests, at=NOON)
    assert all(isinstance(result, Booked) for result in results)
    return [result for result in results if isinstance(result, Booked)]


def test_each_parcel_is_in_the_home_of_the_courier_it_was_given_to(
    merchant: Actor, courier_organisation: Organisation, rival_courier: Organisation, hangzhou: City,
    chengdu: City,
) -> None:  # fmt: skip
    # The best has room for three, the rest goes to the second: which is known only once places are taken.
    for courier, price, places, home in ((courier_organisation, 1200, 3, 7), (rival_courier, 1500, 100, 44)):
        offer(courier, hangzhou, chengdu, price_fen=price, daily_capacity=places)
        give(courier, home)
    booked = book(merchant, 10, hangzhou, chengdu)
    assert [home_of(item.parcel_id) for item in booked] == [7] * 3 + [44] * 7
    assert [item.request.reference for item in booked] == [f"SO-{number}" for number in range(10)]
    stored = {parcel.pk: (parcel.courier_id, parcel.reference) for parcel in parcels_of(merchant)}
    assert stored == {item.parcel_id: (item.offer.courier_id, item.request.reference) for item in booked}


def test_what_is_booked_together_is_in_one_home_and_batches_take_turns(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, hangzhou, chengdu, daily_capacity=100)
    give(courier_organisation, 7, 8, 60)
    homes = [
        {home_of(item.parcel_id) for item in book(merchant, 3, hangzhou, chengdu)} for _batch in range(12)
    ]
    assert all(len(each) == 1 for each in homes)
    # Twelve in one home: once in 177,000 runs.
    assert len(set().union(*homes)) > 1
    assert set().union(*homes) <= {7, 8, 60}


def test_ids_of_a_batch_differ_also_between_couriers_of_one_home(
    courier_organisation: Organisation, rival_courier: Organisation
) -> None:
    for courier in (courier_organisation, rival_courier):
        give(courier, 12)
    couriers = [courier_organisation.pk, rival_courier.pk] * 500
    ids = draw_ids(couriers, NOON)
    assert len({*ids}) == 1_000
    again = draw_ids(couriers, NOON, used={*ids})
    assert not {*again} & {*ids}
    assert {home_of(parcel_id) for parcel_id in ids + again} == {12}


def test_homes_are_read_once_for_many_bookings(
    merchant: Actor, courier_organisation: Organisation, sold: Offer, hangzhou: City, chengdu: City,
    django_assert_num_queries: Callable[..., Any],
) -> None:  # fmt: skip
    with scope(Scope.everything()):
        give_first_home(courier_id=courier_organisation.pk, now=timezone.now())
    book(merchant, 1, hangzhou, chengdu)
    with django_assert_num_queries(0):
        draw_ids([courier_organisation.pk] * 100, NOON)
