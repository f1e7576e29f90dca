"""What stops a booking whatever is on sale: suspensions, and the limit of new merchants."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance.choices import OrganisationStatus
from alliance.errors import InvalidInput, NotPermitted, TooMany
from alliance.members.services.standing import suspend_organisation
from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from slas.models import Offer
from tests import factories
from tests.parcels.helpers.bookings import BATCH, PARCELS, body_for, booked, parcels_of, request_for, tomorrow
from tests.slas.helpers.offers import today_at

NOON = today_at(12)


@pytest.fixture
def new_merchant(merchant_organisation: Organisation, merchant: Actor, settings: LazySettings) -> Actor:
    """A merchant that signed up yesterday and may have two parcels waiting."""
    settings.NEW_MERCHANT_PARCELS = 2
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=merchant_organisation.pk).update(created_at=NOON - timedelta(days=1))
    return merchant


def suspend(organisation_id: int) -> None:
    with scope(Scope.everything()):
        suspend_organisation(actor=Actor.system("test"), organisation_id=organisation_id, reason="Because.")


def test_new_merchant_books_a_few_and_more_when_they_are_picked_up(
    new_merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    first, _second = (booked(new_merchant, hangzhou, chengdu, at=NOON) for _time in range(2))
    with pytest.raises(TooMany, match="at most 2 parcels waiting"):
        booked(new_merchant, hangzhou, chengdu, at=NOON)
    with scope(Scope.of(new_merchant)):
        cancel_parcel(actor=new_merchant, parcel_id=first.parcel_id, at=NOON)
    booked(new_merchant, hangzhou, chengdu, at=NOON)
    with pytest.raises(TooMany):
        booked(new_merchant, hangzhou, chengdu, at=NOON)


def test_batch_is_booked_up_to_the_limit(
    new_merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    requests = [request_for(hangzhou, chengdu, NOON)] * 4
    with scope(Scope.of(new_merchant)):
        results = book_parcels(actor=new_merchant, requests=requests, at=NOON)
    assert [isinstance(result, Booked) for result in results] == [True, True, False, False]
    assert {result.reason for result in results[2:]} == {"too_many_waiting"}
    assert len(parcels_of(new_merchant)) == 2


def test_ops_lift_the_limit_of_a_merchant_and_restore_it(
    new_merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, ops_client: Client
) -> None:
    page = reverse("admin:parcels_merchant_limit", args=[new_merchant.tenant_id])
    assert "at most 2 parcels waiting" in ops_client.get(page).content.decode()
    assert ops_client.post(page, {"lifted": "on"}).status_code == 422
    assert ops_client.post(page, {"lifted": "on", "reason": "A known shop."}).status_code == 302
    for _time in range(3):
        booked(new_merchant, hangzhou, chengdu, at=NOON)
    assert ops_client.post(page, {"reason": "Once only."}).status_code == 302
    with pytest.raises(TooMany):
        booked(new_merchant, hangzhou, chengdu, at=NOON)
    with scope(Scope.everything()):
        entries = AuditEntry.objects.filter(object_type="merchant").order_by("at")
        assert [(entry.verb, entry.detail["reason"]) for entry in entries] == [
            ("merchant.limit_lifted", "A known shop."),
            ("merchant.limit_restored", "Once only."),
        ]


def test_limit_ends_with_time(
    new_merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, settings: LazySettings
) -> None:
    settings.NEW_MERCHANT_DAYS = 1
    for _time in range(3):
        booked(new_merchant, hangzhou, chengdu, at=NOON)


def test_program_is_told_the_limit(
    new_merchant: Actor, sold: Offer, hangzhou: City, settings: LazySettings
) -> None:
    with scope(Scope.everything()):
        Organisation.objects.filter(pk=new_merchant.organisation_id).update(created_at=timezone.now())
    api = factories.api_client(new_merchant, {"parcels:book"})
    ready = {"ready_at": tomorrow().isoformat()}
    answers = [api.post(PARCELS, body_for(**ready)) for _time in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["type"] == "urn:alliance:problem:too_many_waiting"
    batch = api.post(BATCH, {"parcels": [body_for(**ready)]}).json()
    assert "too_many_waiting" in str(batch)


def test_suspended_merchant_books_nothing(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    # The actor was built before, as that of a request under way.
    suspend(merchant.tenant_id)
    with pytest.raises(NotPermitted, match="suspended"):
        booked(merchant, hangzhou, chengdu, at=NOON)


def test_suspended_courier_is_not_booked(
    merchant: Actor, sold: Offer, hangzhou: City, chengdu: City, courier_organisation: Organisation
) -> None:
    booked(merchant, hangzhou, chengdu, at=NOON)
    suspend(sold.courier_id)
    for courier in ("", courier_organisation.public_id):
        with pytest.raises(InvalidInput) as refusal:
            booked(merchant, hangzhou, chengdu, at=NOON, courier=courier)
        assert refusal.value.errors[0].code == "not_offered"
    with scope(Scope.everything()):
        assert Organisation.objects.get(pk=sold.courier_id).status == OrganisationStatus.SUSPENDED
