"""The API of a courier's own offers."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.models import AuditEntry, City, Organisation
from alliance.tenancy import Actor, Scope, scope
from slas.models import CapacityDay, Offer, ServiceTier
from slas.offers.services.lanes import put_offer
from slas.offers.services.offers import OfferTerms
from tests.factories import id_of
from tests.slas.helpers.offers import fill, in_threads, offer, today_at

pytestmark = pytest.mark.django_db
OFFERS = "/api/v1/offers"
LANE = {"tier": "next_day", "origin": "CN-HGH", "destination": "Chengdu"}
TERMS = {"price": "18.00", "daily_capacity": 40}


def stored() -> list[tuple[int, int, bool]]:
    with scope(Scope.everything()):
        return list(Offer.objects.order_by("pk").values_list("price_fen", "daily_capacity", "active"))


def audited() -> list[str]:
    with scope(Scope.everything()):
        return list(
            AuditEntry.objects.filter(object_type="offer").order_by("pk").values_list("verb", flat=True)
        )


def pointers(response: Any) -> list[str]:
    assert response.status_code == 422
    return [error["pointer"] for error in response.json()["errors"]]


def test_lane_is_put_on_sale_read_changed_and_put_again(courier_api: APIClient, hangzhou: City) -> None:
    created = courier_api.put(OFFERS, {**LANE, **TERMS})
    assert created.status_code == 201
    answer = created.json()
    assert (answer["price"], answer["daily_capacity"], answer["on_sale"]) == ("18.00", 40, True)
    assert (answer["tier"], answer["origin"], answer["destination"]) == ("next_day", "CN-HGH", "CN-CTU")
    again = courier_api.put(OFFERS, {**LANE, **TERMS})
    assert (again.status_code, again.json()["id"]) == (200, answer["id"])
    one = f"{OFFERS}/{answer['id']}"
    assert courier_api.get(one).json() == again.json()
    assert courier_api.patch(one, {"on_sale": False}).json()["on_sale"] is False
    assert courier_api.patch(one, {"price": "19.5"}).json()["price"] == "19.50"
    assert courier_api.patch(one, {}).status_code == 200
    assert stored() == [(1950, 40, False)]
    assert audited() == ["offer.created", "offer.changed", "offer.changed"]


def test_offers_are_listed_by_cursor(
    courier_api: APIClient, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    first = offer(courier_organisation, hangzhou, chengdu)
    second = offer(courier_organisation, chengdu, hangzhou)
    page = courier_api.get(OFFERS, {"page_size": 1}).json()
    rest = courier_api.get(page["next"]).json()
    assert [item["id"] for item in page["results"] + rest["results"]] == [id_of(second), id_of(first)]
    assert rest["next"] is None


def test_changed_capacity_applies_to_days_with_reservations(
    courier_api: APIClient, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold = offer(courier_organisation, hangzhou, chengdu)
    fill(sold, today_at(0, days=400).date(), reserved=1)
    assert courier_api.patch(f"{OFFERS}/{id_of(sold)}", {"daily_capacity": 3}).status_code == 200
    with scope(Scope.everything()):
        assert CapacityDay.objects.get().limit == 3


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": "18,00"}, "/price"),
        ({"price": "0"}, "/price"),
        ({"price": "100000.01"}, "/price"),
        ({"price": "-1"}, "/price"),
        ({"price": None}, "/price"),
        ({"daily_capacity": -1}, "/daily_capacity"),
        ({"daily_capacity": 10_000_001}, "/daily_capacity"),
        ({"daily_capacity": "many"}, "/daily_capacity"),
        ({"on_sale": "maybe"}, "/on_sale"),
        ({"on-sale": False}, "/on-sale"),
        ({"tier": "tomorrow"}, "/tier"),
        ({"origin": "Atlantis"}, "/origin"),
        ({"origin": "a\0"}, "/origin"),
        ({"destination": ""}, "/destination"),
    ],
)
def test_wrong_offers_are_refused_by_field(
    courier_api: APIClient, courier_organisation: Organisation, hangzhou: City, chengdu: City,
    change: dict[str, Any], pointer: str,
) -> None:  # fmt: skip
    sold = offer(courier_organisation, hangzhou, chengdu, price_fen=900)
    before = stored()
    assert pointers(courier_api.put(OFFERS, {**LANE, **TERMS, **change})) == [pointer]
    if pointer.lstrip("/") not in LANE:
        assert pointers(courier_api.patch(f"{OFFERS}/{id_of(sold)}", change)) == [pointer]
    assert stored() == before


def test_offers_of_others_are_not_found(
    courier_api: APIClient, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> None:
    theirs = offer(rival_courier, hangzhou, chengdu)
    for send in (courier_api.get, courier_api.patch):
        assert send(f"{OFFERS}/{id_of(theirs)}").status_code == 404
    assert courier_api.put(OFFERS, {**LANE, **TERMS}).status_code == 201
    assert len(stored()) == 2


@pytest.mark.django_db(transaction=True)
def test_requests_that_put_one_lane_at_once_make_one_offer(
    courier: Actor, hangzhou: City, chengdu: City
) -> None:
    def put(number: int) -> bool:
        with scope(Scope.of(courier)):
            tier = ServiceTier.objects.get(code="next_day")
            terms = OfferTerms(tier, hangzhou, chengdu, 1_000 + number, 5)
            return put_offer(actor=courier, terms=terms)[1]

    made = in_threads(put, 8)
    assert sorted(map(str, made)) == ["False"] * 7 + ["True"]
    assert len(stored()) == 1
