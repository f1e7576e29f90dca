import pytest

from alliance.models import City, Organisation
from parcels.models import Parcel, PickupAddress
from slas.models import Offer
from tests.parcels.helpers.returns import delivered_parcel, home_address
from tests.slas.helpers import offers


@pytest.fixture
def way_back(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    """Next day from Chengdu to Hangzhou, 12 yuan."""
    return offers.offer(courier_organisation, chengdu, hangzhou)


@pytest.fixture
def address(merchant_organisation: Organisation, hangzhou: City) -> PickupAddress:
    return home_address(merchant_organisation, hangzhou)


@pytest.fixture
def delivered(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    way_back: Offer,
    address: PickupAddress,
) -> Parcel:
    """A parcel that was delivered in time, with all that its return needs."""
    return delivered_parcel(merchant_organisation, courier_organisation)
