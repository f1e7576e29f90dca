"""The API of bookings: single, batch, and idempotent repeats."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from alliance.models import City, IdempotentRequest
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, PickupAddress
from slas.models import Offer
from tests import factories
from tests.factories import SWIFT, id_of
from tests.helpers.owner import execute_as_owner
from tests.parcels.helpers.bookings import BATCH, PARCELS, body_for, book, pointers, tomorrow
from tests.slas.helpers.allocation import rule
from tests.slas.helpers.offers import fill, reserved

pytestmark = pytest.mark.django_db


def parcels() -> list[Parcel]:
    with scope(Scope.everything()):
        return list(Parcel.objects.order_by("id"))


# --- single bookings --------------------------------------------------------------------------


def test_booking_returns_201_with_number_promise_and_location(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    response = merchant_api.post(PARCELS, body_for(reference="SO-1", ready_at=ready))
    assert response.status_code == 201
    answer = response.json()
    assert answer["tracking_number"] == parcels()[0].number
    assert (answer["courier"], answer["price"], answer["reference"]) == (SWIFT, "12.50", "SO-1")
    assert response["Location"] == f"/api/v1/parcels/{answer['tracking_number']}"


WHY = {"cut_off_at", "rolled", "rolled_days", "full_on", "note", "tier_version", "steps"}


def test_booking_answers_the_parcel_as_it_is_read(
    merchant_api: APIClient, merchant: Actor, sold: Offer, ready: str
) -> None:
    rule(merchant, "Cheap", "cheapest")
    for body in (
        body_for(reference="SO-1", ready_at=ready, declared_value="300.00"),
        body_for(weight_g=..., pieces=[{"weight_g": 700}, {"weight_g": 900}], ready_at=ready),
    ):
        response = merchant_api.post(PARCELS, body)
        answer = response.json()
        assert len(answer.pop("parcels", ["itself"])) == answer["piece_count"]
        answer.pop("total_price", None)
        assert answer["promise"].keys() >= WHY
        answer["promise"] = {name: value for name, value in answer["promise"].items() if name not in WHY}
        # Asked for a moment later, the chance of being late is another one.
        read = merchant_api.get(response["Location"]).json()
        assert (answer.pop("expected") is None) is (read.pop("expected") is None)
        assert answer == read


@pytest.mark.parametrize(
    ("origin", "destination"), [("Hangzhou", "Chengdu"), ("杭州", "成都市"), ("cn-hgh", "CTU")]
)
def test_booking_accepts_cities_by_any_name(
    merchant_api: APIClient, sold: Offer, origin: str, destination: str
) -> None:
    book(merchant_api, origin=origin, destination=destination)
    assert (parcels()[0].origin.code, parcels()[0].destination.code) == ("CN-HGH", "CN-CTU")


def test_booking_from_a_pickup_address_needs_no_origin(
    merchant_api: APIClient, merchant: Actor, sold: Offer, hangzhou: City
) -> None:
    with scope(Scope.of(merchant)):
        address = PickupAddress.objects.create(
            merchant_id=merchant.organisation_id,
            name="Depot",
            city=hangzhou,
            address="Road 1",
            contact_name="Li",
            contact_phone="1",
        )
    book(merchant_api, origin=..., pickup_address=id_of(address))
    assert parcels()[0].pickup_address_id == address.pk
    for wrong in (
        public_id(IdKind.PICKUP_ADDRESS, address.pk + 1),
        address.pk,
        -1,
        2**70,
        "adr_1",
        "1",
        True,
    ):
        response = merchant_api.post(PARCELS, body_for(origin=..., pickup_address=wrong))
        assert pointers(response) == [("/pickup_address", "unknown")]


def test_booking_with_an_outdated_promise_is_409_with_the_current_promise(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    response = merchant_api.post(
        PARCELS, body_for(ready_at=ready, expected_deliver_by="2026-01-01T20:00:00+08:00")
    )
    assert response.status_code == 409
    answer = response.json()
    assert answer["type"] == "urn:alliance:problem:promise_changed"
    expected = f"{tomorrow().date() + timedelta(days=1)}T20:00:00+08:00"
    assert answer["available"]["promise"]["current"] == expected
    assert pointers(response) == [("/expected_deliver_by", "promise_changed")]
    # What holds now can be sent back as it came.
    now = answer["available"]
    body = body_for(
        ready_at=ready,
        courier=now["courier"],
        expected_deliver_by=now["promise"]["current"],
        expected_pickup_by=now["promise"]["pickup_by"],
        expected_price=now["price"],
    )
    assert merchant_api.post(PARCELS, body).status_code == 201


def test_booking_at_a_price_that_changed_is_409_with_the_new_price(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    with scope(Scope.everything()):
        Offer.objects.update(price_fen=5800)
    for price in ("12.50", 12.5, "0"):
        response = merchant_api.post(PARCELS, body_for(ready_at=ready, expected_price=price))
        assert response.status_code == 409
        assert response.json()["type"] == "urn:alliance:problem:price_changed"
        assert response.json()["available"]["price"] == "58.00"
    item = merchant_api.post(BATCH, [body_for(ready_at=ready, expected_price="12.50")]).json()["results"][0]
    assert (item["status"], item["available"]["price"]) == ("rejected", "58.00")
    for wrong in ("12,50", "-1", True, [], 1e300):
        response = merchant_api.post(PARCELS, body_for(ready_at=ready, expected_price=wrong))
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/expected_price"
    assert parcels() == []
    assert merchant_api.post(PARCELS, body_for(ready_at=ready, expected_price="58")).status_code == 201


def test_booking_a_full_courier_is_409_with_the_alternative(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    fill(sold, tomorrow().date())
    response = merchant_api.post(PARCELS, body_for(ready_at=ready, courier=SWIFT))
    assert response.status_code == 409
    assert response.json()["type"] == "urn:alliance:problem:capacity_full"
    assert "Next: Swift Express on" in response.json()["detail"]
    assert parcels() == []


def test_invalid_booking_reports_every_field(merchant_api: APIClient, sold: Offer) -> None:
    body = body_for(tier=..., weight_g=..., recipient={"name": 7, "nick": "x"}, if_full="maybe")
    response = merchant_api.post(PARCELS, body)
    assert response.status_code == 422
    assert set(pointers(response)) == {
        ("/tier", "required"),
        ("/weight_g", "required"),
        ("/recipient/name", "invalid"),
        ("/recipient/phone", "required"),
        ("/recipient/address", "required"),
        ("/recipient/nick", "unknown_field"),
        ("/if_full", "choice"),
    }


# --- idempotency ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_many", [False, True])
def test_answer_is_not_repeated_before_its_parcels_are_there(
    of_many: bool, merchant_api: APIClient, sold: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a cluster: a worker was killed before it committed what the coordinator had.
    url, body = (BATCH, [body_for(reference="once")]) if of_many else (PARCELS, body_for(reference="once"))
    first = merchant_api.post(url, body, headers={"Idempotency-Key": "k1"})
    monkeypatch.setattr("parcels.bookings.services.writing.is_distributed", lambda: True)
    assert merchant_api.post(url, body, headers={"Idempotency-Key": "k1"}).json() == first.json()
    assert len(parcels()) == 1
    execute_as_owner("DELETE FROM parcels_parcel")
    again = merchant_api.post(url, body, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again["Retry-After"].isdecimal()) == (503, True)


def test_repeated_booking_with_the_same_key_books_once(merchant_api: APIClient, sold: Offer) -> None:
    body = body_for(reference="once")
    first = merchant_api.post(PARCELS, body, headers={"Idempotency-Key": "k1"})
    again = merchant_api.post(PARCELS, body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (again["Location"], again["Idempotent-Replayed"]) == (first["Location"], "true")
    assert len(parcels()) == 1
    other = merchant_api.post(PARCELS, body_for(reference="two"), headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422


def test_refused_booking_stores_no_answer_so_the_key_can_be_retried(
    merchant_api: APIClient, sold: Offer
) -> None:
    refused = merchant_api.post(PARCELS, body_for(weight_g=0), headers={"Idempotency-Key": "k1"})
    assert refused.status_code == 422
    with scope(Scope.everything()):
        assert IdempotentRequest.objects.count() == 0
    assert merchant_api.post(PARCELS, body_for(), headers={"Idempotency-Key": "k1"}).status_code == 201


def test_order_of_keys_does_not_make_another_body(merchant_api: APIClient, sold: Offer) -> None:
    body = body_for(reference="SO-1")
    turned = {**dict(reversed(body.items())), "recipient": dict(reversed(body["recipient"].items()))}
    first = merchant_api.post(PARCELS, body, HTTP_IDEMPOTENCY_KEY="k")
    again = merchant_api.post(PARCELS, turned, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.json()) == (201, first.json())
    other = merchant_api.post(PARCELS, {**body, "reference": "SO-2"}, HTTP_IDEMPOTENCY_KEY="k")
    assert other.json()["type"] == "urn:alliance:problem:idempotency_key_reused"
    assert len(parcels()) == 1


def test_rejected_items_repeat_their_reference(merchant_api: APIClient, sold: Offer) -> None:
    items = [
        body_for(reference="SO-1", weight_g=0),
        body_for(reference=" SO  2 ", tier=...),
        body_for(reference=7),
        7,
    ]
    results = merchant_api.post(BATCH, items).json()["results"]
    assert [item["status"] for item in results] == ["rejected"] * 4
    assert [item["reference"] for item in results] == ["SO-1", "SO 2", "", ""]


def test_repeated_batch_with_the_same_key_repeats_the_answer(merchant_api: APIClient, sold: Offer) -> None:
    body = [body_for(), body_for(weight_g=0)]
    first = merchant_api.post(BATCH, body, headers={"Idempotency-Key": "b1"}).json()
    assert merchant_api.post(BATCH, body, headers={"Idempotency-Key": "b1"}).json() == first
    assert len(parcels()) == 1


# --- batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrap", "base"), [(lambda items: items, ""), (lambda items: {"parcels": items}, "/parcels")]
)
def test_batch_answers_each_item_in_order(merchant_api: APIClient, sold: Offer, wrap: Any, base: str) -> None:
    items = [body_for(reference="a"), "nonsense", body_for(destination="Atlantis"), body_for(reference="b")]
    response = merchant_api.post(BATCH, wrap(items))
    assert response.status_code == 200
    answer = response.json()
    assert (answer["booked"], answer["rejected"]) == (2, 2)
    assert [item["status"] for item in answer["results"]] == ["booked", "rejected", "rejected", "booked"]
    assert [item["index"] for item in answer["results"]] == [0, 1, 2, 3]
    assert answer["results"][1]["errors"][0]["pointer"] == f"{base}/1"
    assert answer["results"][2]["errors"][0]["pointer"] == f"{base}/2/destination"
    numbers = {item["tracking_number"] for item in answer["results"] if item["status"] == "booked"}
    assert numbers == {parcel.number for parcel in parcels()}


def test_batch_continues_on_the_next_day_and_reports_it(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    answer = merchant_api.post(BATCH, [body_for(ready_at=ready, if_full="next")] * 22).json()
    last = answer["results"][-1]["promise"]
    assert answer["booked"] == 22
    assert last["full_on"] == [str(tomorrow().date())]
    assert last["note"].startswith("Full on ")
    assert last["rolled_days"] == 1
    assert reserved(sold, tomorrow().date()) == 20


def test_field_beside_the_parcels_refuses_the_batch(merchant_api: APIClient, sold: Offer) -> None:
    response = merchant_api.post(BATCH, {"parcels": [body_for()], "dry_run": True})
    assert (response.status_code, pointers(response)) == (422, [("/dry_run", "unknown_field")])
    assert parcels() == []


def test_misspelt_field_of_a_booking_is_named(merchant_api: APIClient, sold: Offer) -> None:
    wrong = body_for(referenc="A-1")
    wrong["recipient"] = {**wrong["recipient"], "nmae": "Li"}
    answer = merchant_api.post(BATCH, [body_for(), wrong]).json()
    assert (answer["booked"], answer["rejected"]) == (1, 1)
    assert {error["pointer"]: error["detail"] for error in answer["results"][1]["errors"]} == {
        "/1/referenc": "Unknown field. Did you mean “reference”?",
        "/1/recipient/nmae": "Unknown field. Did you mean “name”?",
    }


def test_cancelling_takes_no_fields(merchant_api: APIClient, sold: Offer) -> None:
    book(merchant_api)
    cancel = f"{PARCELS}/{parcels()[0].number}/cancel"
    response = merchant_api.post(cancel, {"reason": "sold out"})
    assert (response.status_code, pointers(response)) == (422, [("/reason", "unknown_field")])
    assert merchant_api.post(cancel).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"), [([], 422), ({"parcels": []}, 422), ({"items": [1]}, 422), ([{}] * 1001, 413)]
)
def test_batch_with_no_or_too_many_items_is_refused(merchant_api: APIClient, body: Any, status: int) -> None:
    assert merchant_api.post(BATCH, body).status_code == status


# --- permissions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quote_create", "parcel_list", "parcel_batch"])
def test_couriers_and_anonymous_users_cannot_book(
    courier_api: APIClient, client: Any, sold: Offer, name: str
) -> None:
    url = reverse(f"api:parcels:{name}")
    assert courier_api.post(url, body_for()).status_code == 403
    assert client.post(url, body_for(), content_type="application/json").status_code == 401
    assert parcels() == []


def test_key_without_the_capability_cannot_book(merchant: Actor, sold: Offer) -> None:
    reader = factories.api_client(merchant, {"parcels:read"})
    assert reader.post(PARCELS, body_for()).status_code == 403
    assert reader.get(PARCELS).status_code == 200
