"""What shops sent is forgotten: after a week, and earlier when its recipient is erased."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import ShopOutcome
from parcels.models import ConnectedShop, ShopMessage, ShopOrder
from parcels.retention.erasing import erase_early
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.shops.rules import KEPT, KEPT_ORDER, KEPT_WAITING
from parcels.shops.services.retention import forget_recipient_at_shops, forget_shop_messages
from tests.parcels.helpers.bookings import parcels_of
from tests.parcels.shops.helpers import (
    ADDRESS,
    messages_of,
    orders_of,
    send,
    shopify_order,
    taken,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_sale")]


def test_messages_go_after_a_week_and_orders_after_half_a_year(shopify: ConnectedShop) -> None:
    now = timezone.now()
    taken(shopify, "orders/create", shopify_order(1))
    send(shopify, "orders/create", shopify_order(2))
    assert forget_shop_messages(now=now + KEPT - timedelta(minutes=1)) == 0
    assert forget_shop_messages(now=now + KEPT + timedelta(minutes=1)) == 1
    assert [message.outcome for message in messages_of(shopify)] == [ShopOutcome.WAITING]
    assert forget_shop_messages(now=now + KEPT_WAITING + timedelta(minutes=1)) == 1
    assert len(orders_of(shopify)) == 1
    forget_shop_messages(now=now + KEPT_ORDER + timedelta(minutes=1))
    assert orders_of(shopify) == []


def test_recipient_who_is_erased_is_forgotten_in_messages_too(
    shopify: ConnectedShop, merchant: Actor, courier: Actor, system: Actor
) -> None:
    now = timezone.now()
    rejected = {**ADDRESS, "city": "Atlantis", "phone": "(138) 1234-5678"}
    other = {**ADDRESS, "name": "李雷", "phone": "13900001111"}
    taken(shopify, "orders/create", shopify_order(1, at=now))
    taken(shopify, "orders/create", shopify_order(2, at=now, shipping_address=rejected))
    taken(shopify, "orders/create", shopify_order(3, at=now, shipping_address=other))
    send(shopify, "orders/create", shopify_order(4, at=now))
    parcel = parcels_of(merchant)[0]
    with scope(Scope.everything()):
        lines = [ScanLine(parcel.number, "delivered", now + timedelta(minutes=1))]
        record_scans(actor=courier, lines=lines, now=now + timedelta(minutes=5))
        erase_early(actor=system, parcel_id=parcel.pk, reason="asked for it", now=now)
    bodies = [bool(message.body) for message in messages_of(shopify)]
    # The last one waits: it is needed to book.
    assert bodies == [False, False, True, True]
    # A later message of the order brings nothing back, and is no change either.
    later = (now + timedelta(minutes=1)).isoformat()
    message = taken(shopify, "orders/updated", shopify_order(1, at=now, updated_at=later))
    assert message.reason == "booked_before"


def test_messages_of_other_merchants_stay(shopify: ConnectedShop, rival_merchant: Organisation) -> None:
    taken(shopify, "orders/create", shopify_order())
    with scope(Scope.everything()):
        forget_recipient_at_shops(merchant_id=rival_merchant.pk, phone="13812345678", parcel_ids=[])
        assert ShopMessage.objects.exclude(body="").count() == ShopOrder.objects.count() == 1
