"""Fixtures of the tests of freight."""

import pytest
from django.conf import LazySettings
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.bookings.models import Parcel
from tests.parcels.helpers.freight import cancel
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.commitments import HOUR, NOON


@pytest.fixture(autouse=True)
def _sessions_outlive_the_month(settings: LazySettings) -> None:
    """Who logged in is there after the close, too, where the database has what the cache forgot."""
    settings.SESSION_COOKIE_AGE = 100 * 24 * 60 * 60


@pytest.fixture
def in_its_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the month of NOON be the current one: at night it may be over where months begin."""
    monkeypatch.setattr(timezone, "now", lambda: NOON + HOUR)


@pytest.fixture
def booked(merchant_organisation: Organisation, courier_organisation: Organisation) -> list[Parcel]:
    """Three parcels of 10 yuan each, the last cancelled; one from before the courier joined."""
    with scope(Scope.everything()):
        parcels = booked_parcels(
            merchant_organisation, courier_organisation, booked_at=NOON, count=3, fee_fen=1_000
        )
        booked_parcels(merchant_organisation, courier_organisation, booked_at=NOON)
    cancel(parcels[-1], NOON + HOUR)
    return parcels
