"""The API of quotes, cities and tiers."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from couriers.models import Courier
from parcels.models import PickupAddress
from slas.models import Offer
from tests.factories import RIVAL, SWIFT, id_of
from tests.parcels.helpers.bookings import BATCH, PARCELS, QUOTES, body_for, pointers, tomorrow
from tests.slas.helpers.offers import fill, offer, record

pytestmark = pytest.mark.django_db


def test_quote_returns_all_data_of_an_offer(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    record(sold, tomorrow().date() - timedelta(days=1), met=96, late=3, overdue=1, excused=1)
    answer = merchant_api.post(QUOTES, {**body_for(recipient=..., tier=...), "ready_at": ready}).json()
    [offer] = answer["offers"]
    day = tomorrow().date()
    assert (answer["origin"], answer["currency"]) == ("CN-HGH", "CNY")
    assert (offer["courier"], offer["tier"], offer["price"]) == (SWIFT, "next_day", "12.50")
    assert offer["promise"]["current"] == f"{day + timedelta(days=1)}T20:00:00+08:00"
    assert offer["promise"]["cut_off_at"] == f"{day}T18:00:00+08:00"
    assert offer["promise"]["rolled"] is False
    assert offer["promise"]["steps"][-1]["code"] == "deliver_by"
    assert 0 < offer["cut_off_in_seconds"] < 3 * 86_400
    assert (offer["capacity_left"], offer["full"], offer["instead"]) == (20, False, None)
    assert (offer["on_time"]["n"], offer["on_time"]["excused"]) == (99, 1)
    assert offer["on_time"]["lower_bound"] < offer["on_time"]["accountable_rate"]
    assert (offer["recommended"], offer["ranking_reason"]["code"]) == (True, "only_offer")
    assert [item["code"] for item in answer["unavailable"]] == ["not_offered", "not_offered"]


def address_in(city: City, merchant: Actor) -> PickupAddress:
    with scope(Scope.of(merchant)):
        return PickupAddress.objects.create(
            merchant_id=merchant.organisation_id,
            name="Depot",
            city=city,
            address="Road 1",
            contact_name="Li",
            contact_phone="1388",
        )


def test_quote_refuses_a_pickup_address_elsewhere_as_bookings_do(
    merchant_api: APIClient, merchant: Actor, sold: Offer, hangzhou: City, chengdu: City
) -> None:
    elsewhere, here = address_in(chengdu, merchant), address_in(hangzhou, merchant)
    question = body_for(recipient=..., pickup_address=id_of(elsewhere))
    for response in (
        merchant_api.post(QUOTES, question),
        merchant_api.post(PARCELS, body_for(pickup_address=id_of(elsewhere))),
    ):
        assert pointers(response) == [("/pickup_address", "other_city")]
    assert merchant_api.post(QUOTES, {**question, "pickup_address": id_of(here)}).status_code == 200


def test_pickup_addresses_are_listed_with_the_ids_that_bookings_take(
    merchant_api: APIClient,
    merchant: Actor,
    merchant_client: Client,
    rival_merchant: Organisation,
    hangzhou: City,
) -> None:
    depot, shop = address_in(hangzhou, merchant), address_in(hangzhou, merchant)
    first = merchant_api.get("/api/v1/pickup-addresses?page_size=1").json()
    assert first["results"] == [
        {
            "id": id_of(shop),
            "name": "Depot",
            "city": "CN-HGH",
            "city_name": "Hangzhou",
            "address": "Road 1",
            "contact_name": "Li",
            "contact_phone": "1388",
            "is_default": False,
        }
    ]
    assert [item["id"] for item in merchant_api.get(first["next"]).json()["results"]] == [id_of(depot)]
    page = merchant_client.get(reverse("parcels:address_list")).content.decode()
    assert f"No. {id_of(depot)} in files and the API" in page


def test_quote_has_couriers_grades_and_recommends_by_them(
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
    assert (first["courier"], first["grade"], first["recommended"]) == (SWIFT, "gold", True)
    assert first["ranking_reason"] == {
        "code": "not_on_probation",
        "text": "The best on-time record on this lane among couriers not on probation. The courier's grade "
        "is Gold.",
        "rule": None,
    }
    assert (last["courier"], last["grade"], last["ranking_reason"]) == (RIVAL, "probation", None)
    # Still bookable by name, or if no other courier has capacity.
    assert last["capacity_left"] == 20


def test_quote_has_the_alternative_to_a_full_courier(
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
    full = next(item for item in answer["offers"] if item["courier"] == SWIFT)
    assert full["instead"] == {
        "courier": RIVAL,
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
def test_invalid_quote_is_refused_with_pointers(
    merchant_api: APIClient, sold: Offer, change: dict, expected: list
) -> None:
    response = merchant_api.post(QUOTES, body_for(recipient=..., **change))
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert pointers(response) == expected


@pytest.mark.parametrize("name", ["destination", "origin"])
@pytest.mark.parametrize("blank", [" ", "\u202e", "\u3000\t"])
def test_city_of_blanks_is_a_missing_one(merchant_api: APIClient, sold: Offer, name: str, blank: str) -> None:
    for url, body in ((QUOTES, body_for(recipient=...)), (PARCELS, body_for())):
        response = merchant_api.post(url, {**body, name: blank})
        assert (response.status_code, pointers(response)) == (422, [(f"/{name}", "required")])


@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"', "{", "", "\xff"])
@pytest.mark.parametrize("url", [QUOTES, PARCELS, BATCH])
def test_body_that_is_not_an_object_is_refused(merchant_api: APIClient, url: str, body: str) -> None:
    response = merchant_api.post(url, body.encode("latin-1"), content_type="application/json")
    assert response.status_code in (400, 422)
    assert response["Content-Type"] == "application/problem+json"


def test_cities_are_found_by_name_and_tiers_listed(merchant_api: APIClient) -> None:
    codes = [city["code"] for city in merchant_api.get("/api/v1/cities?search=杭州").json()]
    assert codes[0] == "CN-HGH"
    assert merchant_api.get("/api/v1/cities").status_code == 422
    assert merchant_api.get("/api/v1/cities?search=%00").status_code == 422
    tiers = {tier["tier"]: tier for tier in merchant_api.get("/api/v1/tiers").json()}
    assert list(tiers) == ["same_day", "next_day", "standard"]
    assert tiers["next_day"]["cut_offs"][0] == {"weekday": 1, "time": "18:00", "day_offset": 0}
    assert tiers["standard"]["weight_bands"][1] == {"up_to_g": 3000, "surcharge": "3.00"}
    assert not tiers["standard"]["works_on_holidays"]
