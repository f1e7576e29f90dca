"""Contradictory scans are on the watch list of everybody concerned, also of parcels that are over."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.models import Parcel
from slas.choices import WatchReason
from tests.parcels.helpers.parcel_views import scan, text_of
from tests.parcels.helpers.watch_list import due_in, refresh, watched

pytestmark = pytest.mark.django_db
CONTRADICTION = {WatchReason.CONTRADICTION}


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    return due_in(merchant_organisation, courier_organisation, 5)[0]


@pytest.fixture
def moving(parcel: Parcel, merchant: Actor) -> Parcel:
    """A parcel that moves though it was cancelled."""
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=parcel.booked_at + timedelta(hours=1))
    refresh(now=parcel.booked_at + timedelta(hours=2))
    assert watched(parcel) == {}
    scan(parcel, "departed", 3)
    return parcel


def test_cancelled_parcel_that_moves_is_listed_for_a_week(moving: Parcel) -> None:
    now = moving.booked_at + timedelta(hours=4)
    refresh(now=now)
    assert set(watched(moving)) == CONTRADICTION
    refresh(now=now + timedelta(days=6))
    assert set(watched(moving)) == CONTRADICTION
    refresh(now=now + timedelta(days=7))
    assert watched(moving) == {}


def test_contradiction_is_off_the_list_when_it_is_corrected(parcel: Parcel) -> None:
    scan(parcel, "delivered", 10, event_id="a")
    scan(parcel, "delivered", 12, event_id="b")
    refresh()
    assert set(watched(parcel)) == CONTRADICTION
    scan(parcel, "correction", 13, corrects="b")
    refresh()
    assert watched(parcel) == {}


def test_all_parties_see_it_on_their_lists(
    moving: Parcel,
    merchant_client: Client,
    courier_client: Client,
    ops_client: Client,
    merchant_api: APIClient,
    courier_api: APIClient,
) -> None:
    refresh()
    for client in (merchant_client, courier_client, ops_client):
        page = text_of(client.get("/watch/?reason=contradiction"))
        row = page[page.index(moving.number) :]
        assert "Contradictory scans Moving though cancelled" in row
        assert "Contradictory scans 1" in text_of(client.get("/watch/"))
    for api in (merchant_api, courier_api):
        [row] = api.get("/api/v1/watch", {"reason": "contradiction"}).json()["results"]
        assert (row["reasons"], row["contradiction"]) == (["contradiction"], "moving_though_cancelled")
        assert api.get(f"/api/v1/parcels/{moving.number}").json()["contradiction"] == row["contradiction"]
    for client in (merchant_client, courier_client):
        page = text_of(client.get(reverse("parcels:parcel_detail", args=[moving.number])))
        assert "Scans contradict each other: Moving though cancelled." in page
    listed = text_of(ops_client.get(reverse("admin:slas_watchitem_changelist")))
    assert "Scans contradict each other" in listed
    assert "Moving though cancelled" in text_of(
        ops_client.get(reverse("admin:parcels_parcel_change", args=[moving.pk]))
    )


def test_public_page_tells_nothing_of_it(moving: Parcel, client: Client) -> None:
    page = text_of(client.get(f"/track/{moving.number}/"))
    assert "contradict" not in page.lower()
    assert "contradiction" not in client.get(f"/api/v1/tracking/{moving.number}").json()


def test_it_is_named_in_chinese(moving: Parcel, courier_client: Client) -> None:
    refresh(now=timezone.now())
    page = text_of(courier_client.get("/watch/", headers={"Accept-Language": "zh-hans"}))
    assert "扫描记录矛盾 已取消仍在流转" in page
