"""The address book for programs, and bookings that name one of it."""

from datetime import timedelta

from django.utils import timezone
from rest_framework.test import APIClient

from alliance.models import AuditEntry, City
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, SavedRecipient
from slas.models import Offer
from tests.factories import api_client, id_of
from tests.parcels.helpers.bookings import BATCH, PARCELS, body_for, pointers
from tests.parcels.recipients.conftest import Save

RECIPIENTS = "/api/v1/recipients"
BODY = {"name": "张小明", "phone": "+86 138 0000 1101", "city": "CN-CTU", "address": "人民南路四段12号1203室"}


def test_a_recipient_is_saved_once_and_answered_masked(merchant_api: APIClient) -> None:
    first = merchant_api.post(RECIPIENTS, BODY)
    assert first.status_code == 201, first.content
    assert (first.json()["phone"], first.json()["is_masked"]) == ("+86 1** **** **01", True)
    again = merchant_api.post(RECIPIENTS, {**BODY, "phone": "13800001101"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    wrong = merchant_api.post(RECIPIENTS, {**BODY, "city": "Atlantis", "phone": "13800001101"})
    assert pointers(wrong) == [("/city", "unknown_city")]


def test_the_list_is_masked_searched_and_in_full_only_on_demand(
    merchant_api: APIClient, merchant: Actor, saved: SavedRecipient, save: Save
) -> None:
    save(name="李雷", phone="138 0000 2202")
    [found] = merchant_api.get(RECIPIENTS, {"search": "1101"}).json()["results"]
    assert (found["id"], found["name"], found["is_masked"]) == (id_of(saved), "张**", True)
    assert merchant_api.get(RECIPIENTS, {"unmask": "true"}).status_code == 403
    merchant_api = api_client(merchant, {"parcels:book", "parcels:unmask"})
    first = merchant_api.get(RECIPIENTS, {"page_size": 1, "unmask": "true"}).json()
    assert [row["phone"] for row in first["results"]] == ["138 0000 2202"]
    second = merchant_api.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [id_of(saved)]
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="recipient.unmasked").count() == 2


def test_a_deleted_recipient_is_gone(merchant_api: APIClient, saved: SavedRecipient) -> None:
    assert merchant_api.delete(f"{RECIPIENTS}/{id_of(saved)}").status_code == 204
    assert merchant_api.delete(f"{RECIPIENTS}/{id_of(saved)}").status_code == 404


def test_a_booking_names_a_saved_recipient(
    merchant_api: APIClient, merchant: Actor, sold: Offer, saved: SavedRecipient
) -> None:
    with scope(Scope.everything()):
        SavedRecipient.objects.update(last_used_at=timezone.now() - timedelta(days=300))
    response = merchant_api.post(PARCELS, body_for(recipient=..., recipient_id=id_of(saved)))
    assert response.status_code == 201, response.content
    with scope(Scope.of(merchant)):
        parcel = Parcel.objects.get()
        saved.refresh_from_db()
    assert (parcel.recipient_name, parcel.recipient_phone) == ("张小明", "138 0000 1101")
    assert timezone.now() - saved.last_used_at < timedelta(minutes=1)


def test_a_batch_says_what_is_wrong_with_each_recipient(
    merchant_api: APIClient, sold: Offer, saved: SavedRecipient, save: Save, hangzhou: City
) -> None:
    elsewhere = save(city=hangzhou)
    bodies = [
        body_for(recipient=..., recipient_id=id_of(saved)),
        body_for(recipient_id=id_of(saved)),
        body_for(recipient=..., recipient_id=public_id(IdKind.RECIPIENT, saved.pk + 999)),
        body_for(recipient=..., recipient_id="x"),
        body_for(recipient=..., recipient_id=id_of(elsewhere)),
        body_for(recipient=...),
    ]
    results = merchant_api.post(BATCH, bodies).json()["results"]
    codes = [[(error["pointer"], error["code"]) for error in row.get("errors", ())] for row in results]
    assert codes == [
        [],
        [("/1/recipient_id", "invalid")],
        [("/2/recipient_id", "unknown")],
        [("/3/recipient_id", "unknown")],
        [("/4/recipient_id", "other_city")],
        [("/5/recipient", "required")],
    ]
