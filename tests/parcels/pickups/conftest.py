"""A day at a merchant's: parcels booked at nine, promised to be picked up by three."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, Pickup, PickupAddress
from parcels.pickups.services.answering import accept_pickup
from parcels.pickups.services.requesting import Asked, Requested, request_pickup
from tests.parcels.helpers.bookings import tomorrow
from tests.parcels.helpers.parcels import booked_parcels


@pytest.fixture
def nine() -> datetime:
    return tomorrow()


@pytest.fixture
def address(merchant_organisation: Organisation, hangzhou: City) -> PickupAddress:
    return address_of(merchant_organisation, hangzhou)


@pytest.fixture
def booked(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    nine: datetime,
) -> list[Parcel]:
    parcels = booked_parcels(
        merchant_organisation,
        courier_organisation,
        booked_at=nine,
        count=3,
        pickup_address_id=address.pk,
        weight_g=800,
    )
    return sorted(parcels, key=lambda parcel: parcel.pk)


def address_of(merchant: Organisation, city: City, **texts: Any) -> PickupAddress:
    values = {
        "name": "Warehouse",
        "address": "文三路90号",
        "contact_name": "Chen",
        "contact_phone": "0571 8502 2088",
        **texts,
    }
    with scope(Scope.everything()):
        return PickupAddress.objects.create(merchant_id=merchant.pk, city=city, **values)


def request(
    merchant: Actor,
    parcels: list[Parcel],
    nine: datetime,
    *,
    hours: tuple[float, float] = (1, 3),
    **more: Any,
) -> Requested:
    """Request a pickup at nine, from ten to twelve."""
    start, end = (nine + timedelta(hours=hour) for hour in hours)
    asked = Asked([parcel.pk for parcel in parcels], start, end, **more)
    with scope(Scope.of(merchant)):
        return request_pickup(actor=merchant, asked=asked, now=nine)


def accept(courier: Actor, pickup: Pickup, now: datetime) -> Pickup:
    with scope(Scope.of(courier)):
        return accept_pickup(actor=courier, pickup_id=pickup.pk, now=now)


def seen(actor: Actor, parcel: Parcel) -> Parcel:
    with scope(Scope.of(actor)):
        return Parcel.objects.get(pk=parcel.pk)
