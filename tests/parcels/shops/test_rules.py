"""Signatures, and what is to be done for the messages of an order in whatever order they come."""

import base64
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from parcels.choices import BooksOn, ShopKind, ShopReason
from parcels.shops.rules import (
    KEY,
    OLDEST,
    Known,
    Order,
    Stage,
    Verdict,
    is_signed,
    judge,
    message_of,
    new_key,
    signature_of,
)

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)


def verdict(order: Order, known: Known | None = None, **overrides: Any) -> Verdict | ShopReason:
    how = {"books_on": BooksOn.PLACED, "connected_at": NOW - timedelta(days=1), "at": NOW, **overrides}
    return judge(known or Known(), order, **how)


def order(stage: Stage = Stage.PLACED, version: datetime | None = NOW, **overrides: Any) -> Order:
    return Order(
        **{"key": "1", "number": "#1", "stage": stage, "version": version, "placed_at": NOW} | overrides
    )


def test_signature_is_that_of_rfc_4231() -> None:
    """Its test case 2, in base64 instead of hexadecimal digits."""
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert base64.b64decode(signature_of("Jefe", b"what do ya want for nothing?")) == digest


@pytest.mark.parametrize(
    "forged",
    ["", "x", "ключ", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEm=", "5bdcc146bf60754e6a042426089575c7"],
)
def test_any_other_signature_is_none(forged: str) -> None:
    assert not is_signed("Jefe", b"what do ya want for nothing?", forged)


def test_one_byte_more_is_another_body() -> None:
    assert is_signed("Jefe", b"{}", signature_of("Jefe", b"{}"))
    assert not is_signed("Jefe", b"{} ", signature_of("Jefe", b"{}"))


def test_keys_are_what_the_door_takes_and_no_two_alike() -> None:
    keys = {new_key() for _n in range(200)}
    assert len(keys) == 200
    assert all(map(KEY.fullmatch, keys))


def test_message_without_an_id_is_known_by_its_content() -> None:
    first, again, other = (
        message_of(ShopKind.WOOCOMMERCE, {"X-WC-Webhook-Topic": topic}, b"{}").delivery
        for topic in ("order.created", "order.created", "order.updated")
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("stage", "books_on", "expected"),
    [
        (Stage.PLACED, BooksOn.PLACED, Verdict.BOOK),
        (Stage.PAID, BooksOn.PLACED, Verdict.BOOK),
        (Stage.PLACED, BooksOn.PAID, ShopReason.UNPAID),
        (Stage.PAID, BooksOn.PAID, Verdict.BOOK),
        (Stage.CLOSED, BooksOn.PLACED, ShopReason.CLOSED),
        (Stage.CANCELLED, BooksOn.PLACED, ShopReason.CANCELLED),
    ],
)
def test_first_message_of_an_order(stage: Stage, books_on: str, expected: Any) -> None:
    assert verdict(order(stage), books_on=books_on) == expected


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        # A create that comes after the cancel, and one of the very same second.
        (order(version=EARLIER), Known(NOW, is_cancelled=True), ShopReason.CANCELLED_BEFORE),
        (order(version=NOW), Known(NOW, is_cancelled=True), ShopReason.CANCELLED_BEFORE),
        # Revived in the shop.
        (order(Stage.PAID, LATER), Known(NOW, is_cancelled=True), Verdict.BOOK),
        # A retry of what is known better by now, also of a cancel that was taken back.
        (order(version=EARLIER), Known(NOW), ShopReason.STALE),
        (order(Stage.CANCELLED, EARLIER), Known(NOW, is_booked=True), ShopReason.STALE),
        (order(Stage.CANCELLED, NOW), Known(NOW, is_booked=True), Verdict.CANCEL),
        (order(version=LATER), Known(NOW, is_booked=True), Verdict.COMPARE),
        (order(Stage.CLOSED, LATER), Known(NOW, is_booked=True), Verdict.COMPARE),
        (order(version=NOW), Known(NOW), Verdict.BOOK),
    ],
)
def test_later_messages(told: Order, known: Known, expected: Any) -> None:
    assert verdict(told, known) == expected


def test_what_counts_is_the_latest_message_whichever_comes_last() -> None:
    """Placed, paid and cancelled, in every order of arrival: cancelled at the end."""
    told = [order(Stage.PLACED, EARLIER), order(Stage.PAID, NOW), order(Stage.CANCELLED, LATER)]
    for arrival in permutations(told):
        known = Known()
        for each in arrival:
            found = verdict(each, known)
            if found in (ShopReason.STALE, ShopReason.CANCELLED_BEFORE):
                continue
            is_booked = found is Verdict.BOOK or (known.is_booked and found is not Verdict.CANCEL)
            known = Known(each.version, each.stage is Stage.CANCELLED, is_booked)
        assert known == Known(LATER, is_cancelled=True, is_booked=False)


def test_old_orders_are_booked_by_hand_only() -> None:
    before = order(placed_at=NOW - timedelta(days=2))
    assert verdict(before) is ShopReason.OLD
    assert verdict(before, by_hand=True) is Verdict.BOOK
    ancient = order(placed_at=NOW - OLDEST - timedelta(days=1))
    assert verdict(ancient, connected_at=NOW - timedelta(days=900)) is ShopReason.OLD


def test_an_obstacle_is_told_before_the_payment() -> None:
    virtual = order(obstacle=ShopReason.NOTHING_TO_SHIP)
    assert verdict(virtual, books_on=BooksOn.PAID) is ShopReason.NOTHING_TO_SHIP
