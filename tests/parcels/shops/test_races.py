"""Messages of one order at the same moment: one parcel, whoever is first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alliance.tenancy import Actor
from parcels.choices import ParcelStatus, ShopOutcome
from parcels.models import ConnectedShop
from parcels.shops.services.taking import take_messages
from tests.parcels.helpers.bookings import parcels_of
from tests.parcels.shops.helpers import messages_of, orders_of, send, shopify_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("on_sale")]
WORKERS = 4


def at_once(work: Callable[[int], Any], count: int = WORKERS) -> list[Any]:
    def alone(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(alone, range(count)))


def test_same_message_twice_at_once_is_kept_once(shopify: ConnectedShop) -> None:
    order = shopify_order()
    answers = at_once(lambda _n: send(shopify, "orders/create", order, delivery="one").status_code)
    assert answers == [200] * WORKERS
    assert len(messages_of(shopify)) == 1


def test_messages_of_one_order_taken_side_by_side_book_it_once(
    shopify: ConnectedShop, merchant: Actor
) -> None:
    order = shopify_order()
    for topic in ("orders/create", "orders/paid", "orders/updated", "orders/create"):
        send(shopify, topic, order)
    assert sum(at_once(lambda _n: take_messages(shop_id=shopify.pk))) == WORKERS
    outcomes = sorted(message.outcome for message in messages_of(shopify))
    assert outcomes == [ShopOutcome.BOOKED] + [ShopOutcome.IGNORED] * 3
    assert len(parcels_of(merchant)) == len(orders_of(shopify)) == 1


def test_create_and_cancel_at_once_leave_no_parcel(shopify: ConnectedShop, merchant: Actor) -> None:
    then = timezone.now()
    later = (then + timedelta(seconds=1)).isoformat()
    for number in range(3):
        send(shopify, "orders/create", shopify_order(number, at=then))
        cancelled = shopify_order(number, at=then, updated_at=later, cancelled_at=later)
        send(shopify, "orders/cancelled", cancelled)
    assert sum(at_once(lambda _n: take_messages(shop_id=shopify.pk))) == 6
    assert {parcel.status for parcel in parcels_of(merchant)} <= {ParcelStatus.CANCELLED}
    assert all(order.is_cancelled and order.parcel_id is None for order in orders_of(shopify))


def test_delivery_and_worker_at_once_lose_nothing(shopify: ConnectedShop, merchant: Actor) -> None:
    """Workers take while messages come; what comes after the last of them is left for the sweeper."""

    def work(number: int) -> None:
        if number % 2:
            take_messages(shop_id=shopify.pk)
        else:
            for each in range(5):
                send(shopify, "orders/create", shopify_order(number * 10 + each))

    at_once(work)
    take_messages(shop_id=shopify.pk)
    assert len(parcels_of(merchant)) == 10
    assert {message.outcome for message in messages_of(shopify)} == {ShopOutcome.BOOKED}
