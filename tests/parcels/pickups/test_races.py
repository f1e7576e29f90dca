"""Two at once: a parcel is in one open request, and a request has one answer."""

from datetime import datetime, timedelta

import pytest

from alliance.errors import Conflict
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import PickupState
from parcels.models import Parcel, Pickup
from parcels.pickups.services.answering import cancel_pickup
from parcels.pickups.services.proposing import propose_window
from parcels.pickups.services.requesting import Requested
from tests.parcels.pickups.conftest import accept, request
from tests.slas.helpers.offers import in_threads


@pytest.mark.django_db(transaction=True)
def test_of_requests_for_the_same_parcels_at_once_one_gets_them(
    merchant: Actor, booked: list[Parcel], nine: datetime
) -> None:
    results = in_threads(lambda number: request(merchant, booked[:: 1 if number % 2 else -1], nine), 6)
    made = [each for each in results if isinstance(each, Requested)]
    assert len(made) == 1
    assert all(isinstance(each, Conflict) for each in results if each is not made[0])
    with scope(Scope.everything()):
        assert Pickup.objects.count() == 1
        assert {each.pickup_id for each in Parcel.objects.all()} == {made[0].pickup.pk}


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_answered_and_cancelled_at_once_has_one_end(
    merchant: Actor, courier: Actor, booked: list[Parcel], nine: datetime
) -> None:
    pickup = request(merchant, booked, nine).pickup
    start = nine + timedelta(hours=2)

    def answer(number: int) -> Pickup:
        if number % 3 == 0:
            return accept(courier, pickup, nine)
        actor = merchant if number % 3 == 1 else courier
        with scope(Scope.of(actor)):
            if actor is merchant:
                return cancel_pickup(actor=merchant, pickup_id=pickup.pk, now=nine)
            return propose_window(
                actor=courier,
                pickup_id=pickup.pk,
                starts_at=start,
                ends_at=start + timedelta(hours=1),
                answer="",
                now=nine,
            )

    results = in_threads(answer, 6)
    assert any(isinstance(each, Pickup) for each in results)
    with scope(Scope.everything()):
        # Whatever came first, the merchant cancelled at last: each state before allows it.
        assert Pickup.objects.get().state == PickupState.CANCELLED
