"""The naive versions in benchmarks write the same data as ours, or they would be no valid comparison."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from alliance.tenancy import Scope, raw_rows, scope
from benchmarks import floor_paths
from parcels.choices import ParcelStatus
from parcels.models import Parcel, Scan
from slas.choices import Outcome
from slas.models import Commitment, Offer, ServiceTier, Tally
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _floors(settings: Any) -> None:
    settings.ROOT_URLCONF = "benchmarks.urls"


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    [parcel] = booked_parcels(
        merchant_organisation, courier_organisation, booked_at=NOW - timedelta(hours=27), count=1
    )
    return parcel


def _day(parcel: Parcel) -> list[dict[str, str]]:
    return [
        {
            "tracking_number": parcel.number,
            "code": code,
            "occurred_at": (parcel.booked_at + timedelta(hours=hours)).isoformat(),
            "facility": "HGH-01",
        }
        for code, hours in (("picked_up", 2), ("departed", 4), ("delivered", 26))
    ]


@pytest.mark.parametrize("path", ["/api/v1/scans", floor_paths.NAIVE_SCANS])
def test_a_days_scans_settle_both_promises(courier_api: APIClient, parcel: Parcel, path: str) -> None:
    assert courier_api.post(path, _day(parcel), format="json").json()["accepted"] == 3
    with scope(Scope.everything()):
        parcel.refresh_from_db()
        assert (parcel.status, parcel.picked_up_at) == (
            ParcelStatus.DELIVERED, parcel.booked_at + timedelta(hours=2)
        )  # fmt: skip
        assert Scan.objects.filter(parcel_id=parcel.pk).count() == 3
        assert set(Commitment.objects.values_list("outcome", flat=True)) == {Outcome.MET}
        [(pending, met)] = raw_rows("SELECT sum(pending), sum(met) FROM slas_tally")
        assert (pending, met) == (0, 2)


def test_single_scans_are_accepted(courier_api: APIClient, parcel: Parcel) -> None:
    for line in _day(parcel):
        assert courier_api.post(floor_paths.NAIVE_SCANS, line, format="json").status_code == 200
    with scope(Scope.everything()):
        assert Scan.objects.filter(parcel_id=parcel.pk).count() == 3


def test_the_empty_view_asks_for_a_key(courier_api: APIClient) -> None:
    assert courier_api.post(floor_paths.AUTHENTICATED, [], format="json").status_code == 200
    assert APIClient().post(floor_paths.AUTHENTICATED, [], format="json").status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/parcels/batch", floor_paths.NAIVE_PARCELS])
def test_bookings_leave_a_parcel_its_promises_tallies_and_a_place(
    merchant_api: APIClient, courier_organisation: Organisation, hangzhou: City, chengdu: City, path: str
) -> None:
    with scope(Scope.everything()):
        Offer.objects.create(
            courier_id=courier_organisation.pk,
            tier=ServiceTier.objects.get(code="next_day"),
            origin=hangzhou,
            destination=chengdu,
            price_fen=1200,
            daily_capacity=10,
        )
    booking = {
        "tier": "next_day",
        "origin": hangzhou.code,
        "destination": chengdu.code,
        "weight_g": 800,
        "reference": "SO-1",
        "recipient": {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号"},
    }
    assert merchant_api.post(path, [booking], format="json").json()["booked"] == 1
    with scope(Scope.everything()):
        assert Parcel.objects.get().reference == "SO-1"
        assert Commitment.objects.count() == 2
        assert sum(Tally.objects.values_list("pending", flat=True)) == 2
        assert raw_rows("SELECT sum(reserved) FROM slas_capacityday") == [(1,)]
