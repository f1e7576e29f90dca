"""Cancelling: before pickup, once, and releasing the capacity."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from alliance.errors import Conflict, NotFound, NotPermitted
from alliance.members.services.actors import actor_of_organisation
from alliance.models import AuditEntry, City, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import IfFull
from parcels.bookings.services.cancelling import Cancelled, cancel_parcel, cancel_parcels
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelStatus
from parcels.models import Parcel
from slas.models import Commitment, Offer
from tests.factories import SWIFT
from tests.parcels.helpers.bookings import booked, request_for
from tests.slas.helpers.offers import offer, reserved, today_at

NOON = today_at(12)
TODAY = NOON.date()


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu)


@pytest.fixture
def parcel(merchant: Actor, sold: Offer, hangzhou: City, chengdu: City) -> Booked:
    booked(merchant, hangzhou, chengdu, at=NOON)
    return booked(merchant, hangzhou, chengdu, at=NOON, reference="SO-2")


def cancel(actor: Actor, parcel: Booked, *, minutes: int = 10) -> Cancelled:
    with scope(Scope.of(actor)):
        return cancel_parcel(actor=actor, parcel_id=parcel.parcel_id, at=NOON + timedelta(minutes=minutes))


def outcomes(parcel: Booked) -> dict[str, str]:
    with scope(Scope.everything()):
        return dict(Commitment.objects.filter(parcel_id=parcel.parcel_id).values_list("kind", "outcome"))


def test_cancelling_releases_capacity_and_voids_commitments(
    merchant: Actor, sold: Offer, parcel: Booked
) -> None:
    assert reserved(sold, TODAY) == 2
    assert cancel(merchant, parcel).cancelled_at == NOON + timedelta(minutes=10)
    with scope(Scope.everything()):
        stored = Parcel.objects.get(pk=parcel.parcel_id)
    assert (stored.status, stored.status_at) == ("cancelled", NOON + timedelta(minutes=10))
    assert stored.cancelled_at == NOON + timedelta(minutes=10)
    assert reserved(sold, TODAY) == 1
    assert outcomes(parcel) == {"pickup": "void", "delivery": "void"}


def test_cancelling_again_returns_the_same_and_changes_nothing(
    merchant: Actor, sold: Offer, parcel: Booked, everything: None
) -> None:
    first, again = cancel(merchant, parcel), cancel(merchant, parcel, minutes=20)
    assert again == first
    assert reserved(sold, TODAY) == 1
    assert Event.objects.filter(topic="parcel.cancelled").count() == 1
    assert AuditEntry.objects.filter(verb="parcel.cancelled").count() == 1


@pytest.mark.parametrize("status", [s for s in ParcelStatus if s not in ("booked", "cancelled")])
def test_cancelling_after_pickup_is_refused_with_the_status(
    merchant: Actor, sold: Offer, parcel: Booked, status: ParcelStatus
) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.parcel_id).update(status=status)
    with pytest.raises(Conflict) as refused:
        cancel(merchant, parcel)
    assert refused.value.reason == "already_moving"
    assert str(status.label) in refused.value.detail
    assert reserved(sold, TODAY) == 2
    assert outcomes(parcel) == {"pickup": "pending", "delivery": "pending"}


def test_cancelling_after_a_missed_pickup_keeps_the_pickup_commitment(
    merchant: Actor, parcel: Booked
) -> None:
    cancel(merchant, parcel, minutes=9 * 60)
    assert outcomes(parcel) == {"pickup": "pending", "delivery": "void"}


def test_capacity_of_a_cancelled_parcel_can_be_booked_again(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    only = offer(courier_organisation, chengdu, hangzhou, daily_capacity=1)
    first = booked(merchant, chengdu, hangzhou, at=NOON, courier=SWIFT)
    cancel(merchant, first)
    booked(merchant, chengdu, hangzhou, at=NOON, courier=SWIFT)
    assert reserved(only, TODAY) == 1


def test_only_the_parcels_merchant_can_cancel(
    courier: Actor, rival_merchant: Organisation, parcel: Booked
) -> None:
    with pytest.raises(NotFound):
        cancel(actor_of_organisation(rival_merchant, kind="user"), parcel)
    with pytest.raises(NotPermitted):
        cancel(courier, parcel)


def test_cancelling_by_api(merchant_api: APIClient, courier_api: APIClient, parcel: Booked) -> None:
    url = f"/api/v1/parcels/{parcel.number}/cancel"
    assert courier_api.post(url).status_code == 403
    first, again = merchant_api.post(url), merchant_api.post(url)
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert again.json() == first.json()
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.parcel_id).update(status="delivered")
    refused = merchant_api.post(url)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:alliance:problem:already_moving")
    assert merchant_api.post("/api/v1/parcels/CA0000000000000/cancel").status_code == 404


def test_cancelling_many_answers_each_in_order(
    merchant: Actor,
    sold: Offer,
    parcel: Booked,
    rival_merchant: Organisation,
    hangzhou: City,
    chengdu: City,
    everything: None,
) -> None:
    moving, twice = (booked(merchant, hangzhou, chengdu, at=NOON) for _number in range(2))
    rival = actor_of_organisation(rival_merchant, kind="user")
    foreign = booked(rival, hangzhou, chengdu, at=NOON)
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=moving.parcel_id).update(status="picked_up")
    before = reserved(sold, TODAY)
    ids = [each.parcel_id for each in (twice, moving, foreign, parcel, twice)]
    with scope(Scope.of(merchant)):
        results = cancel_parcels(actor=merchant, parcel_ids=ids, at=NOON)
    kinds = [Cancelled, Conflict, NotFound, Cancelled, Cancelled]
    assert [type(result) for result in results] == kinds
    assert results[0] == results[4] == Cancelled(twice.parcel_id, NOON)
    assert reserved(sold, TODAY) == before - 2
    assert outcomes(twice) == outcomes(parcel) == {"pickup": "void", "delivery": "void"}
    assert outcomes(moving) == outcomes(foreign) == {"pickup": "pending", "delivery": "pending"}
    events = Event.objects.filter(topic="parcel.cancelled")
    assert {event.parcel_id for event in events} == {twice.parcel_id, parcel.parcel_id}
    [entry] = AuditEntry.objects.filter(verb="parcels.cancelled")
    assert entry.detail == {"count": 2, "numbers": sorted([twice.number, parcel.number])}


def test_cancelling_many_by_api(merchant_api: APIClient, courier_api: APIClient, parcel: Booked) -> None:
    url = "/api/v1/parcels/cancel"
    mistyped = parcel.number[:-1] + ("0" if parcel.number[-1] != "0" else "1")
    sent = [parcel.number.lower(), mistyped, 7, "CA0000000000000"]
    assert courier_api.post(url, sent, format="json").status_code == 403
    answer = merchant_api.post(url, {"tracking_numbers": sent}, format="json").json()
    assert (answer["cancelled"], answer["rejected"]) == (1, 3)
    first, *refused = answer["results"]
    assert (first["tracking_number"], first["status"]) == (parcel.number, "cancelled")
    assert [item["errors"][0]["pointer"] for item in refused] == [
        f"/tracking_numbers/{index}" for index in (1, 2, 3)
    ]
    assert [item["errors"][0]["code"] for item in refused] == ["check", "invalid", "length"]
    assert refused[0]["type"] == "urn:alliance:problem:unknown_tracking_number"
    assert merchant_api.post(url, {"tracking_numbers": sent}, format="json").json() == answer


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 422),
        ({}, 422),
        ({"tracking_numbers": "CA"}, 422),
        ({"numbers": ["CA"]}, 422),
        (["CA"] * 1001, 413),
    ],
)
def test_body_of_cancelling_many_is_a_list(merchant_api: APIClient, body: object, status: int) -> None:
    assert merchant_api.post("/api/v1/parcels/cancel", body, format="json").status_code == status


def test_request_is_pinned_by_courier_and_if_full(hangzhou: City, chengdu: City) -> None:
    assert request_for(hangzhou, chengdu, NOON).is_pinned
    assert not request_for(hangzhou, chengdu, NOON, if_full=IfFull.NEXT).is_pinned
    assert request_for(hangzhou, chengdu, NOON, courier="x").is_pinned
