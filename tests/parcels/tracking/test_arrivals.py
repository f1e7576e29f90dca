"""The expected arrival: the same on the parcel's page, the tracking page and in the API."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.tracking.arrivals import Precision, in_delivery_hours, precision_of
from slas.choices import Stage
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.rules import Position
from tests.parcels.helpers.parcel_views import scan, text_of
from tests.parcels.helpers.watch_list import due_in, history

pytestmark = pytest.mark.django_db
Company = Organisation
# The queries of one forecast alone.
DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
POSITION = Position(tier_id=2, courier_id=9, origin_id=1, destination_id=5, stage=Stage.PICKED_UP, due_at=DUE)


def test_arrival_is_the_same_on_both_pages_and_in_the_api(
    merchant_client: Client, merchant_api: APIClient, client: Client, merchant_organisation: Company,
    courier_organisation: Company, rival_courier: Company,
) -> None:  # fmt: skip
    [parcel] = due_in(merchant_organisation, courier_organisation, 20)
    history(courier_organisation, [-180] * 20, like=parcel)
    history(rival_courier, [-180] * 60 + [300] * 40, like=parcel)
    scan(parcel, "picked_up", 3)
    tracked = client.get(f"/api/v1/tracking/{parcel.number}").json()["expected"]
    detail = merchant_api.get(f"/api/v1/parcels/{parcel.number}").json()["expected"]
    assert tracked == detail
    # The courier has too few parcels, so all couriers' parcels on the lane are used.
    assert detail["basis"] == "lane"
    # How many parcels that are would tell the couriers' volumes.
    assert "n" not in detail
    assert detail["chance_late"] == pytest.approx(1 / 3, abs=1e-4)
    # At night both may be moved to the morning, when delivery begins.
    assert detail["p50_at"] <= detail["p90_at"]
    page = text_of(merchant_client.get(f"/parcels/{parcel.number}/"))
    assert "all couriers' parcels on this lane and service in the last 28 days" in page
    assert "33 %" in page
    public = text_of(client.get(f"/track/{parcel.number}/"))
    # In the evening half of them arrive tomorrow, and nine in ten the day after.
    assert re.search(r"Expected (today|tomorrow|\w+ \d)", public)
    assert "Promised by" in public


def test_forecast_does_not_reveal_other_couriers_data(
    courier: Actor, courier_api: APIClient, merchant_organisation: Company, courier_organisation: Company,
    rival_courier: Company,
) -> None:  # fmt: skip
    from slas.models import Progress  # noqa: PLC0415 -- read in the courier's own scope

    [parcel] = due_in(merchant_organisation, courier_organisation, 20)
    history(rival_courier, [-180] * 60, like=parcel)
    assert courier_api.get(f"/api/v1/parcels/{parcel.number}").json()["expected"]["basis"] == "lane"
    with scope(Scope.of(courier)):
        assert Progress.objects.count() == 0


def test_without_data_the_promise_is_the_forecast(
    client: Client, merchant_client: Client, merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 20)
    expected = client.get(f"/api/v1/tracking/{parcel.number}").json()["expected"]
    assert (expected["basis"], expected["chance_late"]) == ("promise", None)
    assert expected["p50_at"] == expected["p90_at"]
    assert "Expected" not in text_of(client.get(f"/track/{parcel.number}/"))
    assert "Not enough data yet" in text_of(merchant_client.get(f"/parcels/{parcel.number}/"))


@pytest.mark.parametrize("ending", ["delivered", "lost", "return_started", "cancelled"])
def test_parcel_without_further_attempts_is_not_expected(
    client: Client, merchant_organisation: Company, courier_organisation: Company, ending: str
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    history(courier_organisation, [60] * 90, like=parcel)
    if ending == "cancelled":
        with scope(Scope.everything()):
            Parcel.objects.filter(pk=parcel.pk).update(status="cancelled", cancelled_at=timezone.now())
    else:
        scan(parcel, ending, 27)
    assert client.get(f"/api/v1/tracking/{parcel.number}").json()["expected"] is None
    assert "Expected" not in text_of(client.get(f"/track/{parcel.number}/"))


def test_overdue_parcel_is_still_expected(
    client: Client, merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, -1)
    history(courier_organisation, [-60] * 60 + [180] * 40, like=parcel)
    sweep_overdue(now=timezone.now())
    expected = client.get(f"/api/v1/tracking/{parcel.number}").json()["expected"]
    assert expected["chance_late"] == 1.0
    assert expected["p50_at"] > timezone.now().isoformat()


def test_forecast_needs_one_query_and_then_none(
    merchant: Actor, merchant_organisation: Company, courier_organisation: Company,
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    from slas.forecasts.curves import forecast_for  # noqa: PLC0415 -- counted alone

    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    history(courier_organisation, [60] * 90, like=parcel)
    now = POSITION.due_at - timedelta(hours=4)
    with scope(Scope.of(merchant)):
        # The query, and its scope: savepoint, set, reset, release.
        with django_assert_num_queries(5):
            forecast_for(POSITION, now=now)
        with django_assert_num_queries(0):
            forecast_for(POSITION, now=now)


def test_a_lane_read_for_one_courier_tells_of_the_others(
    merchant_organisation: Company, courier_organisation: Company, rival_courier: Company
) -> None:
    from slas.forecasts.curves import forecast_for, forget_near  # noqa: PLC0415 -- apart from the pages

    [parcel] = due_in(merchant_organisation, courier_organisation, 20)
    history(courier_organisation, [-180] * 40, like=parcel)
    history(rival_courier, [-30] * 50, like=parcel)
    now = timezone.now()
    positions = [
        Position(
            parcel.tier_id,
            courier_id,
            parcel.origin_id,
            parcel.destination_id,
            Stage.BOOKED,
            parcel.deliver_by,
        )
        # The last one has no parcels there: all couriers' tell.
        for courier_id in (courier_organisation.pk, rival_courier.pk, 10**9)
    ]

    def read_afresh(position: Position) -> Any:
        forget_near()
        cache.clear()
        return forecast_for(position, now=now)

    afresh = [read_afresh(position) for position in positions]
    assert [(told.basis, told.n) for told in afresh] == [
        ("courier_lane", 40),
        ("courier_lane", 50),
        ("lane", 90),
    ]
    forget_near()
    cache.clear()
    assert [forecast_for(position, now=now) for position in positions] == afresh


# --- how exactly it is told ------------------------------------------------------------------

# Monday 12:00 in Chengdu.
MONDAY_NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ahead", "spread", "precision"),
    [(3, 2, "half_hour"), (3, 3, "hour"), (13, 1, "hour"), (25, 1, "day"), (3, 7, "day")],
)
def test_the_farther_and_wider_the_less_exact(ahead: int, spread: int, precision: str) -> None:
    p50_at = MONDAY_NOON + ahead * HOUR
    assert precision_of(p50_at, p50_at + spread * HOUR, now=MONDAY_NOON) == precision


@pytest.mark.parametrize(
    ("at", "precision", "told"),
    [
        ("2026-11-30 14:02", Precision.HALF_HOUR, "2026-11-30 14:30"),
        ("2026-11-30 14:30", Precision.HALF_HOUR, "2026-11-30 14:30"),
        ("2026-11-30 14:02", Precision.HOUR, "2026-11-30 15:00"),
        # Nobody delivers at night; on the day it is due, until the promise.
        ("2026-11-30 02:35", Precision.HOUR, "2026-11-30 08:00"),
        ("2026-11-30 21:20", Precision.HALF_HOUR, "2026-11-30 21:30"),
        ("2026-11-30 22:20", Precision.HALF_HOUR, "2026-12-01 08:00"),
        ("2026-12-01 21:20", Precision.HALF_HOUR, "2026-12-02 08:00"),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kathmandu", "America/New_York"])
def test_times_are_rounded_by_the_local_clock_into_delivery_hours(
    at: str, precision: Precision, told: str, zone: str
) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))

    due_at = moment("2026-11-30 22:00")
    assert in_delivery_hours(moment(at), precision, zone, due_at) == moment(told)
