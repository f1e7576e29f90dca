"""Capacity: reserved by a guarded update, released once, and never oversold by concurrent bookings."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from alliance.models import City, Organisation
from alliance.tenancy import Scope, raw_rows, scope
from slas.models import CapacityDay
from slas.offers.market import Lane, Market
from slas.offers.services.capacity import (
    Slot,
    Taken,
    follow_offers,
    places_left,
    release,
    reserve,
    reserving_first,
)
from slas.offers.services.placement import Group, Placement, Want, allocate
from tests.slas.helpers.offers import fill, in_threads, offer, reserved, today_at

NOON = today_at(12)
TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)
DAYS = 8


@pytest.fixture
def group_of(hangzhou: City, chengdu: City, merchant_organisation: Organisation) -> Callable[[], Group]:
    """Open the market of the lane, as the merchant sees it, in the scope that is open."""

    def made() -> Group:
        market = Market([(hangzhou, chengdu)], at=NOON)
        lane, tier = Lane(hangzhou.pk, chengdu.pk), market.tier("next_day")
        return Group(market, lane, tier, NOON, market.offers(lane, tier))

    return made


def test_reserve_takes_places_up_to_the_limit_and_not_one_more(
    courier_organisation: Organisation, hangzhou: City, chengdu: City, everything: None
) -> None:
    slot = Slot(offer(courier_organisation, hangzhou, chengdu, daily_capacity=3).pk, TODAY)
    reserve({slot: 2})
    with pytest.raises(Taken):
        reserve({slot: 2})
    assert places_left([slot]) == {slot: 1}
    reserve({slot: 1})
    assert places_left([slot]) == {slot: 0}


def test_reserve_takes_all_slots_or_none(
    courier_organisation: Organisation, hangzhou: City, chengdu: City, everything: None
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, TOMORROW)
    with pytest.raises(Taken):
        reserve({Slot(sold.pk, TODAY): 1, Slot(sold.pk, TOMORROW): 1})
    assert reserved(sold, TODAY) == 0


def test_reserving_in_front_of_a_statement_does_both_or_neither(
    courier_organisation: Organisation, hangzhou: City, chengdu: City, everything: None
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu, daily_capacity=3)
    slot, note = Slot(sold.pk, TODAY), "INSERT INTO notes VALUES (1) RETURNING at"
    raw_rows("CREATE TEMPORARY TABLE notes (at int) ON COMMIT DROP")
    with reserving_first({slot: 2}):
        assert raw_rows(note) == [(1,)]
    with pytest.raises(Taken), reserving_first({slot: 2}):
        raw_rows(note)
    # The transaction goes on.
    assert places_left([slot]) == {slot: 1}
    with reserving_first({}):
        raw_rows(note)
    with pytest.raises(DatabaseError, match="other"), transaction.atomic(), reserving_first({slot: 1}):
        raw_rows("SELECT other")
    assert reserved(sold, TODAY) == 2
    assert raw_rows("SELECT at FROM notes") == [(1,), (1,)]


def test_release_gives_back_and_never_below_zero(
    courier_organisation: Organisation, hangzhou: City, chengdu: City, everything: None
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, TODAY, reserved=2)
    release({Slot(sold.pk, TODAY): 1})
    assert reserved(sold, TODAY) == 1
    release({Slot(sold.pk, TODAY): 5})
    assert reserved(sold, TODAY) == 0


def test_lower_capacity_keeps_bookings_and_accepts_no_more(
    courier_organisation: Organisation, hangzhou: City, chengdu: City, everything: None
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, TODAY, reserved=15)
    sold.daily_capacity = 10
    sold.save()
    follow_offers([sold.pk], first_day=TODAY)
    assert places_left([Slot(sold.pk, TODAY)]) == {Slot(sold.pk, TODAY): 0}
    assert reserved(sold, TODAY) == 15


def test_merchants_reserve_in_their_own_scope_and_see_no_offer_off_sale(
    merchant_organisation: Organisation, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    on_sale = Slot(offer(courier_organisation, hangzhou, chengdu).pk, TODAY)
    gone = Slot(offer(courier_organisation, chengdu, hangzhou, active=False).pk, TODAY)
    with scope(Scope.merchant(merchant_organisation.pk)):
        reserve({on_sale: 1})
        assert places_left([on_sale, gone]) == {on_sale: 19}


def test_allocation_fills_the_best_then_the_next_courier_then_the_next_day(
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
    group_of: Callable[[], Group],
    everything: None,
) -> None:
    best = offer(courier_organisation, hangzhou, chengdu, price_fen=900, daily_capacity=3)
    other = offer(rival_courier, hangzhou, chengdu, price_fen=950, daily_capacity=2)
    group = group_of()
    placed = allocate([Want(group, DAYS)] * 7)
    got = [(p.offer.offer_id, p.promise.effective_date) for p in placed if p]
    assert got == [(best.pk, TODAY)] * 3 + [(other.pk, TODAY)] * 2 + [(best.pk, TOMORROW)] * 2
    assert placed[-1] is not None
    assert placed[-1].full_on == (TODAY,)
    assert (reserved(best, TODAY), reserved(other, TODAY), reserved(best, TOMORROW)) == (3, 2, 2)


def test_allocation_pinned_to_a_full_day_is_none(
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    group_of: Callable[[], Group],
    everything: None,
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu, daily_capacity=2)
    placed = allocate([Want(group_of(), 1)] * 3)
    assert [place is not None for place in placed] == [True, True, False]
    assert CapacityDay.objects.filter(offer=sold).count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_batches_neither_oversell_nor_lose_places(
    merchant_organisation: Organisation, hangzhou: City, chengdu: City, group_of: Callable[[], Group]
) -> None:
    """Twelve batches over three couriers: every place of the first days is sold once, none is left."""
    from tests import factories  # noqa: PLC0415

    offers = [
        offer(factories.courier_organisation(name=f"Courier {n}"), hangzhou, chengdu, daily_capacity=17 + n)
        for n in range(3)
    ]
    # Half of the days exist before, half are created by the first booking.
    fill(offers[0], TODAY, reserved=0)

    def batch(number: int) -> list[Placement | None]:
        with scope(Scope.merchant(merchant_organisation.pk)):
            group = group_of()
            shuffled = replace(group, offers=random.Random(number).sample(group.offers, 3))
            return allocate([Want(shuffled, DAYS)] * 10)

    results = in_threads(batch, 12)
    assert [result for result in results if isinstance(result, Exception)] == []
    placed = [place for result in results for place in result if place]  # type: ignore[attr-defined]
    assert len(placed) == 120
    a_day = 17 + 18 + 19
    with scope(Scope.everything()):
        days = CapacityDay.objects.order_by("date").values_list("date", "reserved", "limit")
        assert all(taken <= limit for _day, taken, limit in days)
        by_day: dict[object, int] = {}
        for day, taken, _limit in days:
            by_day[day] = by_day.get(day, 0) + taken
    assert list(by_day.values()) == [a_day, a_day, 120 - 2 * a_day]
