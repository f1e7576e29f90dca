"""A merchant's parcels that wait for their courier."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.manifests.queries import Pickup
from parcels.manifests.services.making import Made, make_manifest_of_day
from parcels.models import Parcel, PickupAddress
from tests.parcels.helpers.parcel_views import some_parcels

DAY = timezone.localdate


@pytest.fixture
def address(merchant_organisation: Organisation, hangzhou: City) -> PickupAddress:
    with scope(Scope.everything()):
        return PickupAddress.objects.create(
            merchant_id=merchant_organisation.pk, name="西溪仓库", city=hangzhou, address="文一西路 998 号",
            contact_name="Chen", contact_phone="0571 8502 2088",
        )  # fmt: skip


@pytest.fixture
def waiting(
    merchant_organisation: Organisation, courier_organisation: Organisation, address: PickupAddress
) -> list[Parcel]:
    """Three parcels of one pickup today."""
    return waiting_parcels(merchant_organisation, courier_organisation, address, count=3)


def waiting_parcels(
    merchant: Organisation, courier: Organisation, address: PickupAddress | None, **extra: Any
) -> list[Parcel]:
    values = {"pickup_date": DAY(), "pickup_address_id": address.pk if address else None, **extra}
    return some_parcels(merchant, courier, **values)


@pytest.fixture
def pickup(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    hangzhou: City,
) -> Pickup:
    return Pickup(merchant_organisation.pk, courier_organisation.pk, hangzhou.pk, address.pk, DAY())


@pytest.fixture
def made(merchant: Actor, waiting: list[Parcel], pickup: Pickup) -> Made:
    """A manifest of the three, made an hour ago."""
    return made_of_day(merchant, pickup)


def made_of_day(merchant: Actor, pickup: Pickup, **extra: Any) -> Made:
    with scope(Scope.of(merchant)):
        at = timezone.now() - timedelta(hours=1)
        return make_manifest_of_day(actor=merchant, pickup=pickup, at=at, **extra)


def parcel_of(pk: int) -> Parcel:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=pk)


def other_day() -> date:
    return DAY() + timedelta(days=1)


def another_address(address: PickupAddress) -> PickupAddress:
    """Another one of the same merchant in the same city."""
    with scope(Scope.everything()):
        return PickupAddress.objects.create(
            merchant_id=address.merchant_id, city_id=address.city_id, name="Annex", address="文三路91号",
            contact_name="Chen", contact_phone="0571 8502 2089",
        )  # fmt: skip
