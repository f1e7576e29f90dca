"""Fixtures of the parcel tests: a lane on sale, a parcel, booking files, an old month."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alliance.models import City, Organisation
from alliance.tenancy import Actor
from parcels.models import Parcel
from slas.models import Offer
from tests.parcels.helpers.bookings import tomorrow
from tests.parcels.helpers.parcel_views import some_parcels
from tests.parcels.helpers.retired_months import old_parcels, settle_all, take_back
from tests.slas.helpers import offers


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    """Next day from Hangzhou to Chengdu, 12.50 yuan, 20 a day."""
    return offers.offer(courier_organisation, hangzhou, chengdu, price_fen=1250)


@pytest.fixture
def ready() -> str:
    """Tomorrow morning, before every cut-off whenever the tests run."""
    return tomorrow().isoformat()


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    """A parcel booked two hours ago and due tomorrow."""
    [parcel] = some_parcels(merchant_organisation, courier_organisation)
    return parcel


# --- files of bookings ---


@pytest.fixture
def lane_on_sale(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offers.offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000)


@pytest.fixture
def filing(settings: Any, tmp_path: Path, sent: list[Any], lane_on_sale: Offer) -> None:
    """The set-up of booking file tests: an upload folder, no worker, and a lane on sale."""
    settings.MEDIA_ROOT = tmp_path


# --- a month long past ---


@pytest.fixture
def archive(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A folder for archived months; the test's months are removed at the end."""
    settings.ARCHIVE_ROOT = tmp_path / "archive"
    yield settings.ARCHIVE_ROOT
    take_back()


@pytest.fixture
def settled(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> list[Parcel]:
    """Parcels of an old month without blockers, ready to retire."""
    parcels = old_parcels(merchant_organisation, courier_organisation, courier)
    settle_all()
    return parcels
