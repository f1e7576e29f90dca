"""The API of quotes and bookings, as a merchant's program uses it."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from alliance.models import AuditEntry, City, IdempotentRequest, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier
from parcels.models import Parcel, PickupAddress
from slas.models import Offer
from tests.parcels.orders import body_for, tomorrow
from tests.slas.offering import fill, offer, record, reserved

QUOTES, PARCELS, BATCH = "/api/v1/quotes", "/api/v1/parcels", "/api/v1/parcels/batch"


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu, price_fen=1250)


@pytest.fixture
def ready() -> str:
    """Tomorrow morning, before every cut-off whenever the tests run."""
    return tomorrow().isoformat()


def pointers(response: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def book(api: APIClient, **given: Any) -> dict[str, Any]:
    response = api.post(PARCELS, body_for(**given))
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def parcels() -> list[Parcel]:
    with scope(Scope.everything()):
        return list(Parcel.objects.order_by("id"))


# --- quotes -----------------------------------------------------------------------------------


def test_quote_answers_with_everything_a_choice_needs(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    record(sold, tomorrow().date() - timedelta(days=1), met=96, late=3, overdue=1, excused=1)
    answer = merchant_api.post(QUOTES, {**body_for(recipient=..., tier=...), "ready_at": ready}).json()
    [found] = answer["offers"]
    day = tomorrow().date()
    assert (answer["origin"]["code"], answer["currency"]) == ("CN-HGH", "CNY")
    assert (found["courier"], found["tier"], found["price"]) == ("swift-express", "next_day", "12.50")
    assert found["promise"]["deliver_by"] == f"{day + timedelta(days=1)}T20:00:00+08:00"
    assert found["promise"]["cut_off_at"] == f"{day}T18:00:00+08:00"
    assert found["promise"]["rolled"] is False
    assert found["promise"]["steps"][-1]["code"] == "deliver_by"
    assert 0 < found["cut_off_in_seconds"] < 3 * 86_400
    assert (found["capacity_left"], found["full"], found["instead"]) == (20, False, None)
    assert (found["on_time"]["n"], found["on_time"]["excused"]) == (99, 1)
    assert found["on_time"]["lower_bound"] < found["on_time"]["rate"]
    assert (found["recommended"], found["reason"]["code"]) == (True, "only_offer")
    assert [item["code"] for item in answer["unavailable"]] == ["not_offered", "not_offered"]


def test_quote_says_each_couriers_grade_and_recommends_by_it(
    merchant_api: APIClient,
    sold: Offer,
    courier_organisation: Organisation,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
    ready: str,
) -> None:
    offer(rival_courier, hangzhou, chengdu, price_fen=500)
    with scope(Scope.everything()):
        Courier.objects.filter(pk=courier_organisation.pk).update(grade="gold")
        Courier.objects.filter(pk=rival_courier.pk).update(grade="probation")
    body = {**body_for(recipient=..., tier=...), "ready_at": ready, "tier": "next_day"}
    first, last = merchant_api.post(QUOTES, body).json()["offers"]
    assert (first["courier"], first["grade"], first["recommended"]) == ("swift-express", "gold", True)
    assert first["reason"] == {
        "code": "not_on_probation",
        "text": "The best on-time record on this lane of the couriers that are not on probation."
        " The courier's grade is Gold.",
    }
    assert (last["courier"], last["grade"], last["reason"]) == ("rival-logistics", "probation", None)
    # Still bookable: by name, or when nobody else has room.
    assert last["capacity_left"] == 20


def test_quote_says_what_comes_instead_of_a_full_courier(
    merchant_api: APIClient,
    sold: Offer,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
    ready: str,
) -> None:
    offer(rival_courier, hangzhou, chengdu, price_fen=1400)
    fill(sold, tomorrow().date())
    answer = merchant_api.post(QUOTES, {**body_for(recipient=...), "ready_at": ready}).json()
    full = next(item for item in answer["offers"] if item["courier"] == "swift-express")
    assert full["instead"] == {
        "courier": "rival-logistics",
        "day": str(tomorrow().date() + timedelta(days=1)),
    }
    assert full["promise"]["full_on"] == [str(tomorrow().date())]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"origin": "Atlantis"}, [("/origin", "unknown_city")]),
        ({"origin": ...}, [("/origin", "required")]),
        ({"destination": "\x00"}, [("/destination", "unprintable")]),
        ({"destination": "x" * 500}, [("/destination", "max_length")]),
        ({"destination": 7}, [("/destination", "invalid")]),
        ({"weight_g": "800"}, [("/weight_g", "invalid")]),
        ({"weight_g": True}, [("/weight_g", "invalid")]),
        ({"weight_g": 0}, [("/weight_g", "min_value")]),
        ({"weight_g": 10**30}, [("/weight_g", "too_heavy")]),
        ({"ready_at": "2026-11-24T10:00:00"}, [("/ready_at", "naive")]),
        ({"ready_at": "tomorrow"}, [("/ready_at", "invalid")]),
        ({"ready_at": "2016-01-01T00:00:00Z"}, [("/ready_at", "past")]),
        ({"ready_at": "9999-12-31T23:59:59-12:00"}, [("/ready_at", "too_far_ahead")]),
        ({"tier": "overnight"}, [("/tier", "unknown")]),
        ({"colour": "red"}, [("/colour", "unknown_field")]),
    ],
)
def test_quote_of_nonsense_is_refused_with_pointers(
    merchant_api: APIClient, sold: Offer, change: dict, expected: list
) -> None:
    response = merchant_api.post(QUOTES, body_for(recipient=..., **change))
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert pointers(response) == expected


@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"', "{", "", "\xff"])
@pytest.mark.parametrize("url", [QUOTES, PARCELS, BATCH])
def test_a_body_that_is_no_object_is_refused(merchant_api: APIClient, url: str, body: str) -> None:
    response = merchant_api.post(url, body.encode("latin-1"), content_type="application/json")
    assert response.status_code in (400, 422)
    assert response["Content-Type"] == "application/problem+json"


# --- booking one ------------------------------------------------------------------------------


def test_booking_answers_201_with_number_promise_and_where_to_read_it(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    response = merchant_api.post(PARCELS, body_for(reference="SO-1", ready_at=ready))
    assert response.status_code == 201
    answer = response.json()
    assert answer["tracking_number"] == parcels()[0].number
    assert (answer["courier"], answer["price"], answer["reference"]) == ("swift-express", "12.50", "SO-1")
    assert response["Location"] == f"/api/v1/parcels/{answer['tracking_number']}"
    assert merchant_api.get(response["Location"]).json()["deliver_by"] == answer["promise"]["deliver_by"]


@pytest.mark.parametrize(
    ("origin", "destination"), [("Hangzhou", "Chengdu"), ("杭州", "成都市"), ("cn-hgh", "CTU")]
)
def test_booking_takes_cities_by_any_name(
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
    book(merchant_api, origin=..., pickup_address=address.pk)
    assert parcels()[0].pickup_address_id == address.pk
    for wrong in (address.pk + 1, 0, -1, 2**70, "1", True):
        response = merchant_api.post(PARCELS, body_for(origin=..., pickup_address=wrong))
        assert pointers(response) == [("/pickup_address", "unknown")]


def test_booking_with_a_quote_that_does_not_hold_is_409_with_the_promise_that_does(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    response = merchant_api.post(
        PARCELS, body_for(ready_at=ready, expected_deliver_by="2026-01-01T20:00:00+08:00")
    )
    assert response.status_code == 409
    answer = response.json()
    assert answer["type"] == "urn:alliance:problem:promise_changed"
    expected = f"{tomorrow().date() + timedelta(days=1)}T20:00:00+08:00"
    assert answer["errors"][0]["detail"] == expected
    assert expected in answer["detail"]


def test_booking_a_full_courier_is_409_and_says_what_comes_instead(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    fill(sold, tomorrow().date())
    response = merchant_api.post(PARCELS, body_for(ready_at=ready, courier="swift-express"))
    assert response.status_code == 409
    assert response.json()["type"] == "urn:alliance:problem:capacity_full"
    assert "Next: Swift Express on" in response.json()["detail"]
    assert parcels() == []


def test_booking_nonsense_names_every_field(merchant_api: APIClient, sold: Offer) -> None:
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


def test_booking_again_with_the_key_repeats_the_answer_and_books_once(
    merchant_api: APIClient, sold: Offer
) -> None:
    body = body_for(reference="once")
    first = merchant_api.post(PARCELS, body, headers={"Idempotency-Key": "k1"})
    again = merchant_api.post(PARCELS, body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (again["Location"], again["Idempotent-Replayed"]) == (first["Location"], "true")
    assert len(parcels()) == 1
    other = merchant_api.post(PARCELS, body_for(reference="two"), headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422


def test_a_refused_booking_keeps_no_answer_so_the_key_can_be_tried_again(
    merchant_api: APIClient, sold: Offer
) -> None:
    refused = merchant_api.post(PARCELS, body_for(weight_g=0), headers={"Idempotency-Key": "k1"})
    assert refused.status_code == 422
    with scope(Scope.everything()):
        assert IdempotentRequest.objects.count() == 0
    assert merchant_api.post(PARCELS, body_for(), headers={"Idempotency-Key": "k1"}).status_code == 201


def test_batch_again_with_the_key_repeats_the_answer(merchant_api: APIClient, sold: Offer) -> None:
    body = [body_for(), body_for(weight_g=0)]
    first = merchant_api.post(BATCH, body, headers={"Idempotency-Key": "b1"}).json()
    assert merchant_api.post(BATCH, body, headers={"Idempotency-Key": "b1"}).json() == first
    assert len(parcels()) == 1


# --- booking many -----------------------------------------------------------------------------


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


def test_batch_spills_to_the_next_day_and_says_so(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    answer = merchant_api.post(BATCH, [body_for(ready_at=ready, if_full="next")] * 22).json()
    last = answer["results"][-1]["promise"]
    assert answer["booked"] == 22
    assert last["full_on"] == [str(tomorrow().date())]
    assert last["note"].startswith("Full on ")
    assert last["rolled_days"] == 1
    assert reserved(sold, tomorrow().date()) == 20


@pytest.mark.parametrize(
    ("body", "status"), [([], 422), ({"parcels": []}, 422), ({"items": [1]}, 422), ([{}] * 1001, 413)]
)
def test_batch_of_none_or_too_many_is_refused(merchant_api: APIClient, body: Any, status: int) -> None:
    assert merchant_api.post(BATCH, body).status_code == status


# --- reading ----------------------------------------------------------------------------------


def test_parcel_is_read_by_its_merchant_and_courier_and_nobody_else(
    merchant_api: APIClient, courier_api: APIClient, sold: Offer, client: Any
) -> None:
    url = f"{PARCELS}/{book(merchant_api)['tracking_number'].lower()}"
    assert merchant_api.get(url).status_code == 200
    assert courier_api.get(url).json()["courier"] == "swift-express"
    assert client.get(url).status_code == 401
    assert merchant_api.get(f"{PARCELS}/CA0000000000000000").status_code == 404
    assert merchant_api.get(f"{PARCELS}/nonsense").status_code == 404


def test_recipients_are_masked_unless_unmasking_is_allowed_and_recorded(
    merchant_api: APIClient, courier_client: Any, sold: Offer
) -> None:
    number = book(merchant_api)["tracking_number"]
    masked = merchant_api.get(f"{PARCELS}/{number}").json()["recipient"]
    assert masked == {"name": "王**", "phone": "138******78", "address": "人民南路四段***号***单元***室"}
    assert merchant_api.get(f"{PARCELS}/{number}?unmask=true").status_code == 403
    full = courier_client.get(f"{PARCELS}?unmask=true").json()["results"][0]["recipient"]
    assert full["phone"] == "13812345678"
    with scope(Scope.everything()):
        assert AuditEntry.objects.get(verb="parcel.unmasked").detail["numbers"] == [number]


def test_list_filters_and_pages(
    merchant_api: APIClient, sold: Offer, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    offer(courier_organisation, chengdu, hangzhou, tier="standard")
    there = [book(merchant_api, reference=f"A-{number}")["tracking_number"] for number in range(3)]
    back = book(merchant_api, origin="CN-CTU", destination="CN-HGH", tier="standard")["tracking_number"]
    merchant_api.post(f"{PARCELS}/{there[0]}/cancel")

    def listed(query: str) -> list[str]:
        response = merchant_api.get(f"{PARCELS}?{query}")
        assert response.status_code == 200, response.content
        return [item["tracking_number"] for item in response.json()["results"]]

    assert listed("") == [back, *reversed(there)]
    assert listed("status=cancelled") == [there[0]]
    assert listed("tier=standard") == listed("origin=Chengdu") == listed("destination=CN-HGH") == [back]
    assert listed("search=A-1") == [there[1]]
    assert listed(f"search={there[2]}") == [there[2]]
    assert listed("late=true") == []
    assert len(listed("late=false")) == 4
    assert listed("booked_to=2020-01-01") == []
    assert len(listed("booked_from=2020-01-01&booked_to=9999-12-31")) == 4
    first = merchant_api.get(f"{PARCELS}?page_size=3").json()
    rest = merchant_api.get(first["next"]).json()
    assert [item["tracking_number"] for item in rest["results"]] == [there[0]]


@pytest.mark.parametrize(
    "query", ["status=gone", "tier=x", "late=maybe", "booked_from=yesterday", "origin=Atlantis", "search=%00"]
)
def test_list_refuses_filters_it_does_not_know(merchant_api: APIClient, query: str) -> None:
    assert merchant_api.get(f"{PARCELS}?{query}").status_code == 422


@pytest.mark.parametrize("count", [1, 3])
def test_list_costs_the_same_statements_however_long(
    merchant_client: Any, sold: Offer, count: int, django_assert_num_queries: Any, merchant_api: APIClient
) -> None:
    merchant_api.post(BATCH, [body_for()] * count)
    merchant_api.get(PARCELS)
    # Savepoint and scope (open, close), key (found with its organisation), the page.
    with django_assert_num_queries(13):
        merchant_api.get(PARCELS)


def test_cities_are_found_by_name_and_tiers_listed(merchant_api: APIClient) -> None:
    codes = [city["code"] for city in merchant_api.get("/api/v1/cities?search=杭州").json()]
    assert codes[0] == "CN-HGH"
    assert merchant_api.get("/api/v1/cities").status_code == 422
    assert merchant_api.get("/api/v1/cities?search=%00").status_code == 422
    tiers = {tier["code"]: tier for tier in merchant_api.get("/api/v1/tiers").json()}
    assert list(tiers) == ["same_day", "next_day", "standard"]
    assert tiers["next_day"]["cut_offs"][0] == {"weekday": 0, "time": "18:00", "day_offset": 0}
    assert tiers["standard"]["weight_bands"][1] == {"up_to_g": 3000, "surcharge": "3.00"}
    assert not tiers["standard"]["works_on_holidays"]


# --- doors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quote_create", "parcel_list", "parcel_batch"])
def test_couriers_and_strangers_do_not_book(
    courier_api: APIClient, client: Any, sold: Offer, name: str
) -> None:
    url = reverse(f"api:parcels:{name}")
    assert courier_api.post(url, body_for()).status_code == 403
    assert client.post(url, body_for(), content_type="application/json").status_code == 401
    assert parcels() == []


def test_a_key_without_the_scope_does_not_book(merchant: Actor, sold: Offer) -> None:
    from tests.conftest import _keyed  # noqa: PLC0415

    reader = _keyed(merchant, {"parcels:read"})
    assert reader.post(PARCELS, body_for()).status_code == 403
    assert reader.get(PARCELS).status_code == 200
