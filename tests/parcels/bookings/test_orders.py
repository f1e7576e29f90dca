"""Several parcels of one order: with one courier and one promise, or none of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from alliance.errors import AllianceError, CapacityFull, Conflict, InvalidInput, TooMany
from alliance.homes import home_of
from alliance.identifiers import moment_of
from alliance.models import City, Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.queries import parcels_of_order
from parcels.bookings.rules import BookingRequest, IfFull
from parcels.bookings.services import writing
from parcels.bookings.services.booking import book_order, book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.refusals import OrderRefused
from parcels.bookings.services.writing import Booked
from slas.models import Offer
from tests.parcels.helpers.bookings import booked, parcels_of, request_for
from tests.slas.helpers.offers import offer, reserved, today_at

NOON = today_at(12)
TODAY = NOON.date()


@pytest.fixture
def lane(hangzhou: City, chengdu: City) -> tuple[City, City]:
    return hangzhou, chengdu


def order(lane: tuple[City, City], *weights: int, **overrides: Any) -> list[BookingRequest]:
    return [
        request_for(*lane, NOON, **{"weight_g": weight, **overrides}, piece=n, pieces=len(weights))
        for n, weight in enumerate(weights, start=1)
    ]


def book(merchant: Actor, requests: Sequence[BookingRequest]) -> list[Booked | AllianceError]:
    with scope(Scope.of(merchant)):
        return book_parcels(actor=merchant, requests=requests, at=NOON)


def reasons(results: Sequence[Booked | AllianceError]) -> list[str]:
    return ["" if isinstance(result, Booked) else result.reason for result in results]


def test_parcels_of_an_order_have_one_courier_one_promise_and_a_fee_each(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    book(merchant, order(lane, 800, 1_500, 800, reference="SO-1"))
    parcels = sorted(parcels_of(merchant), key=lambda parcel: parcel.piece)
    assert [(parcel.piece, parcel.pieces, parcel.weight_g, parcel.fee_fen) for parcel in parcels] == [
        (1, 3, 800, 1250),
        (2, 3, 1_500, 1550),
        (3, 3, 800, 1250),
    ]
    assert {parcel.order_id for parcel in parcels} == {parcels[0].pk}
    assert {(parcel.courier_id, parcel.deliver_by) for parcel in parcels} == {
        (sold.courier_id, today_at(20, days=1))
    }
    assert reserved(sold, TODAY) == 3


def test_parcel_alone_is_one_of_one_and_has_no_order(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    booked(merchant, *lane, at=NOON)
    [parcel] = parcels_of(merchant)
    assert (parcel.piece, parcel.pieces, parcel.order_id) == (1, 1, None)
    with scope(Scope.of(merchant)):
        assert list(parcels_of_order(merchant, parcel)) == []


def test_ids_of_an_order_share_millisecond_and_home_also_without_homes_of_the_courier(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    for _time in range(3):
        results = book(merchant, [*order(lane, 1, 2, 3, 4), request_for(*lane, NOON)])
        ids = [result.parcel_id for result in results[:4] if isinstance(result, Booked)]
        assert len({*ids}) == 4
        assert len({home_of(parcel_id) for parcel_id in ids}) == 1
        assert len({moment_of(parcel_id) for parcel_id in ids}) == 1


def test_order_is_found_from_each_of_its_parcels_and_by_nobody_else(
    merchant: Actor, rival_merchant: Organisation, sold: Offer, lane: tuple[City, City]
) -> None:
    # In the same millisecond, and with the same reference: another order, and a parcel alone.
    book(
        merchant,
        [
            *order(lane, 800, 900, reference="SO-1"),
            *order(lane, 100, 200, reference="SO-1"),
            request_for(*lane, NOON, reference="SO-1"),
        ],
    )
    for parcel in parcels_of(merchant):
        with scope(Scope.of(merchant)):
            sisters = list(parcels_of_order(merchant, parcel))
        weights = [900, 800] if (parcel.weight_g or 0) >= 800 else [200, 100]
        expected = sorted(weights) if parcel.order_id else []
        assert [sister.weight_g for sister in sisters] == expected
        with scope(Scope.merchant(rival_merchant.pk)):
            assert list(parcels_of_order(merchant, parcel)) == []


@pytest.mark.parametrize(
    ("weights", "refused"),
    [
        ((800, 0, 800), ["order_refused", "invalid", "order_refused"]),
        ((800, 90_000), ["order_refused", "invalid"]),
    ],
)
def test_order_with_a_bad_parcel_is_refused_whole_and_its_neighbours_are_booked(
    merchant: Actor, sold: Offer, lane: tuple[City, City], weights: tuple[int, ...], refused: list[str]
) -> None:
    alone = request_for(*lane, NOON)
    results = book(merchant, [alone, *order(lane, *weights), alone])
    assert reasons(results) == ["", *refused, ""]
    assert reserved(sold, TODAY) == 2


def test_order_goes_to_the_next_courier_if_the_first_has_room_for_some_only(
    merchant: Actor, rival_courier: Organisation, lane: tuple[City, City], courier_organisation: Organisation
) -> None:
    best = offer(courier_organisation, *lane, price_fen=1000, daily_capacity=2)
    rival = offer(rival_courier, *lane, price_fen=1500, daily_capacity=5)
    results = book(merchant, [*order(lane, 800, 800, 800), request_for(*lane, NOON)])
    assert [result.offer.offer_id for result in results if isinstance(result, Booked)] == [
        *[rival.pk] * 3,
        best.pk,
    ]
    assert (reserved(best, TODAY), reserved(rival, TODAY)) == (1, 3)


def test_order_for_which_no_courier_has_room_is_refused_and_says_how_many(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    results = book(merchant, [*order(lane, *[800] * 21), request_for(*lane, NOON)])
    assert reasons(results) == ["capacity_full", *["order_refused"] * 20, ""]
    assert isinstance(results[0], CapacityFull)
    assert "no room for the 21 parcels of this order" in results[0].detail
    assert results[0].members["available"] is None
    assert "Parcel 1 of 21" in results[1].detail
    assert reserved(sold, TODAY) == 1


def test_order_moves_to_the_next_day_as_a_whole(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    book(merchant, [request_for(*lane, NOON)] * 19)
    results = book(merchant, order(lane, 800, 800, if_full=IfFull.NEXT))
    assert {result.promise.deliver_by for result in results if isinstance(result, Booked)} == {
        today_at(20, days=2)
    }
    assert reserved(sold, TODAY) == 19


def test_one_price_that_is_not_as_expected_refuses_the_order_and_names_the_parcel(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    first, second = order(lane, 800, 1_500)
    first, second = replace(first, expected_price_fen=1250), replace(second, expected_price_fen=1550)
    assert reasons(book(merchant, [first, second])) == ["", ""]
    second = replace(second, expected_price_fen=1500)
    with scope(Scope.of(merchant)), pytest.raises(Conflict) as refused:
        book_order(actor=merchant, requests=[first, second], at=NOON)
    assert refused.value.reason == "price_changed"
    assert [error.pointer for error in refused.value.errors] == ["/pieces/1/expected_price"]
    assert reserved(sold, TODAY) == 2


def test_errors_of_several_parcels_are_all_told_where_they_are(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    with scope(Scope.of(merchant)), pytest.raises(InvalidInput) as refused:
        book_order(actor=merchant, requests=order(lane, 0, 800, -1, reference="x" * 65), at=NOON)
    assert [error.pointer for error in refused.value.errors] == [
        "/reference",
        "/pieces/0/weight_g",
        "/pieces/2/weight_g",
    ]


def test_order_beyond_the_limit_of_a_new_merchant_is_refused_whole(
    merchant: Actor, sold: Offer, lane: tuple[City, City], settings: Any
) -> None:
    settings.NEW_MERCHANT_PARCELS = 3
    settings.NEW_MERCHANT_DAYS = 3650
    results = book(merchant, [*order(lane, 800, 800), *order(lane, 800, 800)])
    assert reasons(results) == ["", "", "too_many_waiting", "order_refused"]
    assert isinstance(results[2], TooMany)
    assert isinstance(results[3], OrderRefused)


def test_cancelling_one_parcel_leaves_the_others_and_their_numbers(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    first, _second = book(merchant, order(lane, 800, 900))
    assert isinstance(first, Booked)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=first.parcel_id, at=NOON)
        parcels = list(parcels_of_order(merchant, parcels_of(merchant)[0]))
    assert [(parcel.piece, parcel.pieces, parcel.status) for parcel in parcels] == [
        (1, 2, "cancelled"),
        (2, 2, "booked"),
    ]
    assert reserved(sold, TODAY) == 1


def test_id_that_another_parcel_has_sends_the_whole_order_back(
    merchant: Actor, sold: Offer, lane: tuple[City, City], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the order name the first one's id by then."""
    taken = booked(merchant, *lane, at=NOON).parcel_id
    monkeypatch.setattr(writing, "draw_parcel_ids", lambda *_args, **_more: [taken])
    with scope(Scope.of(merchant)), pytest.raises(Conflict) as refused:
        book_parcels(actor=merchant, requests=order(lane, 800, 900), at=NOON)
    assert refused.value.reason == "busy"


def test_event_of_a_booking_says_which_parcel_of_how_many(
    merchant: Actor, sold: Offer, lane: tuple[City, City], everything: None
) -> None:
    book(merchant, order(lane, 800, 900))
    payloads = Event.objects.filter(topic="parcel.booked").values_list("payload", flat=True)
    assert sorted((payload["piece"], payload["pieces"]) for payload in payloads) == [(1, 2), (2, 2)]


def test_pieces_that_do_not_stand_together_are_a_fault_of_the_caller(
    merchant: Actor, sold: Offer, lane: tuple[City, City]
) -> None:
    first, second = order(lane, 800, 900)
    for requests in ([second, first], [first], [first, request_for(*lane, NOON)]):
        with pytest.raises(ValueError, match="one after the other"):
            book(merchant, requests)
