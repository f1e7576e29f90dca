"""Orders of several parcels through the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from alliance.models import City, Organisation
from alliance.tenancy import Actor
from slas.models import Offer
from tests.parcels.helpers.bookings import BATCH, PARCELS, body_for, parcels_of, pointers
from tests.slas.helpers.offers import offer

ORDER = [{"weight_g": 800}, {"weight_g": 1_500}, {"weight_g": 800}]


def body(pieces: Any = ..., **overrides: Any) -> dict[str, Any]:
    return body_for(weight_g=..., pieces=ORDER if pieces is ... else pieces, **overrides)


def test_order_is_answered_with_all_its_parcels(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    response = merchant_api.post(PARCELS, body(reference="SO-1", ready_at=ready))
    assert response.status_code == 201, response.content
    answer = response.json()
    assert [
        (each["piece"], each["piece_count"], each["weight_g"], each["price"]) for each in answer["parcels"]
    ] == [
        (1, 3, 800, "12.50"),
        (2, 3, 1_500, "15.50"),
        (3, 3, 800, "12.50"),
    ]
    assert (answer["price"], answer["total_price"]) == ("12.50", "40.50")
    assert answer["tracking_number"] == answer["parcels"][0]["tracking_number"]
    assert response["Location"] == f"{PARCELS}/{answer['tracking_number']}"
    last = merchant_api.get(f"{PARCELS}/{answer['parcels'][2]['tracking_number']}").json()
    assert (last["piece"], last["piece_count"], last["order"]) == (3, 3, answer["tracking_number"])
    assert last["reference"] == "SO-1"


def test_each_parcel_of_an_order_has_its_own_declared_value(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    pieces = [{"weight_g": 800, "declared_value": "300.00"}, {"weight_g": 900}]
    answer = merchant_api.post(PARCELS, body(pieces, ready_at=ready)).json()
    assert [each["declared_value"] for each in answer["parcels"]] == ["300.00", None]
    pieces[1]["declared_value"] = "20000.01"
    assert pointers(merchant_api.post(PARCELS, body(pieces, ready_at=ready))) == [
        ("/pieces/1/declared_value", "over_limit")
    ]


def test_parcel_alone_is_answered_as_ever_and_is_one_of_one(
    merchant_api: APIClient, sold: Offer, ready: str
) -> None:
    answer = merchant_api.post(PARCELS, body_for(ready_at=ready)).json()
    assert not {"parcels", "total_price"} & set(answer)
    parcel = merchant_api.get(f"{PARCELS}/{answer['tracking_number']}").json()
    assert (parcel["piece"], parcel["piece_count"], parcel["order"]) == (1, 1, None)


def test_list_of_one_parcel_is_answered_as_a_list(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    answer = merchant_api.post(PARCELS, body([{"weight_g": 800}], ready_at=ready)).json()
    assert [each["piece_count"] for each in answer["parcels"]] == [1]
    refused = merchant_api.post(PARCELS, body([{"weight_g": 0}], ready_at=ready))
    assert pointers(refused) == [("/pieces/0/weight_g", "min_value")]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"pieces": []}, [("/pieces", "invalid")]),
        ({"pieces": [{"weight_g": 1}] * 100}, [("/pieces", "invalid")]),
        ({"pieces": "3"}, [("/pieces", "invalid")]),
        ({"pieces": 3}, [("/pieces", "invalid")]),
        ({"pieces": [{"weight_g": 1}, 5]}, [("/pieces/1", "invalid")]),
        ({"pieces": [{}]}, [("/pieces/0/weight_g", "required")]),
        ({"pieces": [{"weight_g": 1}, {"weight_g": True}]}, [("/pieces/1/weight_g", "invalid")]),
        ({"pieces": [{"weight_g": 1, "weigth": 2}]}, [("/pieces/0/weigth", "unknown_field")]),
        ({"pieces": [{"weight_g": 1, "expected_price": "x"}]}, [("/pieces/0/expected_price", "invalid")]),
        ({"pieces": [{"weight_g": 1}, {"weight_g": -2}]}, [("/pieces/1/weight_g", "min_value")]),
        ({"weight_g": 800}, [("/weight_g", "in_pieces")]),
        ({"expected_price": "12.00"}, [("/expected_price", "in_pieces")]),
        ({"declared_value": "12.00"}, [("/declared_value", "in_pieces")]),
        ({"pieces": None}, [("/weight_g", "required")]),
    ],
)  # fmt: skip
def test_wrong_pieces_are_told_where_they_are(
    merchant_api: APIClient, merchant: Actor, sold: Offer, ready: str, wrong: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:  # fmt: skip
    response = merchant_api.post(PARCELS, {**body(ready_at=ready), **wrong})
    assert response.status_code == 422
    assert pointers(response) == expected
    assert parcels_of(merchant) == []


def test_too_heavy_parcel_of_an_order_is_named(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    heavy = [{"weight_g": 800}, {"weight_g": 90_000}]
    assert pointers(merchant_api.post(PARCELS, body(heavy, ready_at=ready))) == [
        ("/pieces/1/weight_g", "too_heavy")
    ]


def test_price_of_each_parcel_is_expected(merchant_api: APIClient, sold: Offer, ready: str) -> None:
    quoted = [
        {"weight_g": 800, "expected_price": "12.50"},
        {"weight_g": 1_500, "expected_price": "15.00"},
    ]
    response = merchant_api.post(PARCELS, body(quoted, ready_at=ready))
    assert response.status_code == 409
    assert response.json()["type"] == "urn:alliance:problem:price_changed"
    assert pointers(response) == [("/pieces/1/expected_price", "price_changed")]
    quoted[1]["expected_price"] = "15.50"
    assert merchant_api.post(PARCELS, body(quoted, ready_at=ready)).status_code == 201


def test_repeated_key_answers_with_the_same_parcels_and_books_none(
    merchant_api: APIClient, merchant: Actor, sold: Offer, ready: str
) -> None:
    sent = body(reference="SO-1", ready_at=ready)
    first, again = (merchant_api.post(PARCELS, sent, headers={"Idempotency-Key": "k"}) for _time in range(2))
    assert again.json() == first.json()
    assert len(parcels_of(merchant)) == 3
    other = merchant_api.post(PARCELS, body(ORDER[:2], ready_at=ready), headers={"Idempotency-Key": "k"})
    assert other.status_code == 422


def test_batch_answers_an_order_as_one_item_and_refuses_it_whole(
    merchant_api: APIClient, merchant: Actor, sold: Offer, ready: str
) -> None:
    items = [
        body_for(reference="A", ready_at=ready),
        body(reference="B", ready_at=ready),
        body([{"weight_g": 800}, {"weight_g": 0}], reference="C", ready_at=ready),
        # The same reference again, as ever, is another parcel.
        body_for(reference="B", ready_at=ready),
    ]
    answer = merchant_api.post(BATCH, items).json()
    assert (answer["booked"], answer["rejected"]) == (3, 1)
    assert [result["status"] for result in answer["results"]] == ["booked", "booked", "rejected", "booked"]
    assert [each["piece"] for each in answer["results"][1]["parcels"]] == [1, 2, 3]
    assert answer["results"][2]["errors"][0]["pointer"] == "/2/pieces/1/weight_g"
    assert answer["results"][2]["reference"] == "C"
    assert sorted(parcel.pieces for parcel in parcels_of(merchant)) == [1, 1, 3, 3, 3]


def test_limit_of_a_batch_counts_the_parcels_of_orders(
    merchant_api: APIClient, merchant: Actor, sold: Offer, ready: str
) -> None:
    response = merchant_api.post(BATCH, [body([{"weight_g": 1}] * 99, ready_at=ready)] * 11)
    assert response.status_code == 413
    assert parcels_of(merchant) == []


def test_full_day_offers_what_takes_the_whole_order(
    merchant_api: APIClient,
    sold: Offer,
    ready: str,
    rival_courier: Organisation,
    hangzhou: City,
    chengdu: City,
) -> None:
    # The rival has room for two.
    offer(rival_courier, hangzhou, chengdu, price_fen=1500, daily_capacity=2)
    many = [{"weight_g": 800}] * 20
    first = merchant_api.post(PARCELS, body(many, ready_at=ready))
    assert first.status_code == 201
    response = merchant_api.post(PARCELS, body(ready_at=ready))
    assert response.status_code == 409
    problem = response.json()
    assert problem["type"] == "urn:alliance:problem:capacity_full"
    # The next day with the first courier, not the rival's two places.
    assert problem["available"]["courier_name"] == first.json()["courier_name"]
