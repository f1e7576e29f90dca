"""Services that write a courier's offers."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from alliance.errors import Conflict, InvalidInput, NotFound, NotPermitted
from alliance.models import City
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.models import Application, ServiceCity
from slas.models import CapacityDay, Offer, ServiceTier
from slas.offers.services.offer_rows import OfferRow
from slas.offers.services.offers import OfferTerms, change_offer, create_offer
from slas.offers.services.row_results import OfferBook

pytestmark = pytest.mark.django_db


@pytest.fixture
def terms(hangzhou: City, chengdu: City) -> OfferTerms:
    return OfferTerms(ServiceTier.objects.get(code="next_day"), hangzhou, chengdu, 1250, 100)


def _create(actor: Actor, terms: OfferTerms) -> Offer:
    with scope(Scope.of(actor)):
        return create_offer(actor=actor, terms=terms)


def test_a_lane_is_sold_once_a_tier(courier: Actor, terms: OfferTerms) -> None:
    _create(courier, terms)
    with pytest.raises(Conflict) as error:
        _create(courier, terms)
    assert error.value.reason == "offer_exists"


def test_two_couriers_sell_the_same_lane(courier: Actor, rival_courier: Any, terms: OfferTerms) -> None:
    from_rival = Actor(
        kind="user",
        organisation_id=rival_courier.pk,
        organisation_kind="courier",
        capabilities=courier.capabilities,
    )
    assert _create(courier, terms).pk != _create(from_rival, terms).pk


def test_merchants_cannot_create_offers(merchant: Actor, terms: OfferTerms) -> None:
    with pytest.raises(NotPermitted):
        _create(merchant, terms)


@pytest.mark.parametrize(("price", "capacity", "field"), [(0, 10, "price"), (10, -1, "daily_capacity")])
def test_senseless_terms_are_refused(
    courier: Actor, terms: OfferTerms, price: int, capacity: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        _create(courier, OfferTerms(terms.tier, terms.origin, terms.destination, price, capacity))
    assert [error.field for error in raised.value.errors] == [field]


def test_new_capacity_holds_for_days_already_begun(courier: Actor, terms: OfferTerms) -> None:
    offer = _create(courier, terms)
    with scope(Scope.everything()):
        [(today,)] = raw_rows("SELECT current_date")
        CapacityDay.objects.create(
            offer=offer, courier_id=offer.courier_id, date=today, limit=100, reserved=40
        )
    with scope(Scope.of(courier)):
        change_offer(actor=courier, offer_id=offer.pk, price_fen=1250, daily_capacity=30, active=True)
        day = CapacityDay.objects.get(offer=offer)
    # Bookings stay; no more are accepted.
    assert (day.limit, day.reserved) == (30, 40)


def test_offers_of_others_are_not_there(courier: Actor, rival_courier: Any, terms: OfferTerms) -> None:
    offer = _create(courier, terms)
    outsider = Actor(
        kind="user",
        organisation_id=rival_courier.pk,
        organisation_kind="courier",
        capabilities=courier.capabilities,
    )
    with pytest.raises(NotFound), scope(Scope.of(outsider)):
        change_offer(actor=outsider, offer_id=offer.pk, price_fen=1, daily_capacity=1, active=True)


# --- only in approved cities ---


@pytest.fixture
def approved(courier: Actor, hangzhou: City, chengdu: City, system: Actor) -> Actor:
    """The courier was approved for Hangzhou and Chengdu."""
    with scope(Scope.everything()):
        application = Application.objects.create(organisation_id=courier.tenant_id)
        for city in (hangzhou, chengdu):
            ServiceCity.objects.create(organisation_id=courier.tenant_id, application=application, city=city)
        values = {"legal_name": "A", "credit_code": "B", "permit_number": "C", "contact_name": "D"}
        filled = {
            **values,
            "contact_phone": "E",
            "contact_email": "f@x.example",
            "founded_on": date(2012, 5, 8),
        }
        fields = {**filled, "fleet_size": 1, "daily_capacity": 1, "submitted_at": timezone.now()}
        applications = Application.objects.filter(pk=application.pk)
        applications.update(state="submitted", **fields)
        applications.update(state="approved", decided_at=timezone.now())
    return courier


def test_offers_are_refused_outside_the_approved_cities(approved: Actor, terms: OfferTerms) -> None:
    abroad = City.objects.get(code="JP-TYO")
    with scope(Scope.of(approved)):
        for field in ("origin", "destination"):
            with pytest.raises(InvalidInput) as refusal:
                create_offer(actor=approved, terms=replace(terms, **{field: abroad}))
            assert [(error.pointer, error.code) for error in refusal.value.errors] == [
                (f"/{field}", "not_served")
            ]
        assert create_offer(actor=approved, terms=terms).pk


def test_rows_outside_the_approved_cities_are_rejected(approved: Actor) -> None:
    cells = {"tier": "next_day", "origin": "CN-HGH", "price": "18.00", "daily_capacity": "30"}
    with scope(Scope.of(approved)):
        rows = [
            OfferRow(line, cells | {"destination": code}) for line, code in ((2, "CN-CTU"), (3, "JP-TYO"))
        ]
        within, outside = OfferBook(approved).judge(rows)
    assert (within.outcome, outside.outcome) == ("created", "rejected")
    assert outside.errors[0].code == "not_served"


def test_offer_in_a_city_no_longer_approved_can_be_taken_off_sale(approved: Actor, terms: OfferTerms) -> None:
    with scope(Scope.of(approved)):
        offer = create_offer(actor=approved, terms=terms)
    with scope(Scope.everything()):
        Offer.objects.filter(pk=offer.pk).update(destination=City.objects.get(code="JP-TYO"))
    change: dict[str, Any] = {"offer_id": offer.pk, "price_fen": 1, "daily_capacity": 1}
    with scope(Scope.of(approved)):
        with pytest.raises(InvalidInput):
            change_offer(actor=approved, **change, active=True)
        assert change_offer(actor=approved, **change, active=False).active is False
