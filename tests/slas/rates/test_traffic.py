"""What couriers carry is read from the cells, and gives them homes."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from alliance.homes import HOMES
from alliance.models import City, Heartbeat, Organisation
from alliance.tenancy import Scope, scope
from couriers.homes.rules import DAYS, LEAST_A_DAY
from couriers.models import CourierHome
from slas.choices import CommitmentKind
from slas.models import Offer
from slas.rates.models import OnTimeRate
from slas.rates.services.traffic import PREPARATIONS, parcels_by_courier
from slas.tasks import spread_homes
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu)


def carried(by: Offer, day: date, count: int, kind: str = CommitmentKind.PICKUP) -> None:
    with scope(Scope.everything()):
        OnTimeRate.objects.create(
            organisation_id=by.courier_id,
            kind=kind,
            tier_id=by.tier_id,
            origin_id=by.origin_id,
            destination_id=by.destination_id,
            due_date=day,
            met=count - 1,
            pending=1,
        )


def test_a_parcel_counts_once_by_the_day_of_its_pickup(sold: Offer) -> None:
    today = date(2026, 11, 20)
    for due, count in (
        (today - timedelta(days=DAYS), 1_000),
        (today - timedelta(days=DAYS - 1), 20),
        (today, 3),
    ):
        carried(sold, due, count)
    # Booked ahead.
    carried(sold, today + timedelta(days=2), 5)
    carried(sold, today, 50, CommitmentKind.DELIVERY)
    # The same parcels by merchant.
    with scope(Scope.everything()):
        cells = OnTimeRate.objects.filter(due_date=today, kind=CommitmentKind.PICKUP)
        assert cells.update(counterpart_id=sold.courier_id) == 1
    carried(sold, today, 3)
    assert parcels_by_courier(today=today) == {sold.courier_id: 28}


def test_the_task_gives_homes_by_traffic_and_may_run_twice(sold: Offer, rival_courier: Organisation) -> None:
    carried(sold, timezone.localdate(), 5 * DAYS * LEAST_A_DAY)
    assert spread_homes() == 2
    assert spread_homes() == 0
    with scope(Scope.everything()):
        homes = CourierHome.objects.lasting()
        assert homes.filter(courier_id=sold.courier_id).count() == 5
        assert homes.filter(courier_id=rival_courier.pk).count() == 1
        # All of the traffic is its own, a fifth in each of its homes.
        shares = homes.filter(courier_id=sold.courier_id).values_list("share_ppm", flat=True)
        assert {*shares} == {200_000}
        assert all(0 <= home.home < HOMES for home in homes)
        assert Heartbeat.objects.get(name="spread-homes").detail == {"changed": 0, "forgotten": 0}


def test_distributing_gives_homes_first(sold: Offer, rival_courier: Organisation) -> None:
    carried(sold, timezone.localdate(), 3 * DAYS * LEAST_A_DAY)
    [prepare] = PREPARATIONS.values()
    assert prepare() == "2 couriers got other homes"
    assert prepare() == "0 couriers got other homes"
    with scope(Scope.everything()):
        assert CourierHome.objects.lasting().filter(courier_id=sold.courier_id).count() == 3
