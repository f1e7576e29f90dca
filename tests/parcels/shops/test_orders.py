"""Orders are read from what both programs send: status, times, weight, recipient, what is not shipped."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from alliance.workbooks.cells import MARK, SheetRow
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.mappings import converted
from parcels.choices import ShopKind, ShopReason
from parcels.shops.orders import Unreadable, mapping_of, read_order
from parcels.shops.rules import Order, Stage
from tests.parcels.shops.helpers import ADDRESS, VALUES, shopify_order, woo_order

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


def shopify(topic: str = "orders/create", **overrides: Any) -> Order:
    body = json.dumps(shopify_order(at=NOW, **overrides))
    return read_order(ShopKind.SHOPIFY, topic, body, received_at=NOW)


def woo(topic: str = "order.created", **overrides: Any) -> Order:
    body = json.dumps(woo_order(at=NOW, **overrides))
    return read_order(ShopKind.WOOCOMMERCE, topic, body, received_at=NOW)


def cells_of(kind: str, order: Order) -> dict[str, str]:
    row = SheetRow(1, list(order.cells.values()))
    [(_number, cells)] = converted([*order.cells], [row], mapping_of(kind, VALUES))
    return {name: cell for name, cell in zip(COLUMNS, cells, strict=True) if cell}


def test_shopify_order_has_all_that_a_booking_needs() -> None:
    order = shopify()
    assert (order.key, order.number, order.stage) == ("820982911947001", "#1001", Stage.PAID)
    assert order.version == order.placed_at == NOW
    assert cells_of(ShopKind.SHOPIFY, order) == {
        "reference": "#1001",
        "tier": "next_day",
        "origin": "CN-HGH",
        "destination": "成都市",
        # Its own weight before the template's.
        "weight_g": "640",
        "recipient_name": "王小明",
        # The recipient's own phone before who pays.
        "recipient_phone": "+86 138 1234 5678",
        "recipient_address": "人民南路四段12号 3单元1203室",
        "if_full": "next",
    }


def test_woo_order_takes_the_weight_of_the_template_and_the_phone_of_who_pays() -> None:
    cells = cells_of(ShopKind.WOOCOMMERCE, woo())
    assert (cells["reference"], cells["weight_g"]) == ("727", "800")
    assert cells["recipient_phone"] == "13812345678"
    of_recipient = woo(shipping={**woo_order()["shipping"], "phone": "13900001111"})
    assert cells_of(ShopKind.WOOCOMMERCE, of_recipient)["recipient_phone"] == "13900001111"
    # Before WooCommerce 5.6 the recipient had none at all.
    shipping = {name: text for name, text in woo_order()["shipping"].items() if name != "phone"}
    assert cells_of(ShopKind.WOOCOMMERCE, woo(shipping=shipping))["recipient_phone"] == "13812345678"


@pytest.mark.parametrize(
    ("overrides", "stage"),
    [
        ({"financial_status": "pending"}, Stage.PLACED),
        ({"financial_status": "authorized"}, Stage.PLACED),
        ({"financial_status": "partially_refunded"}, Stage.PAID),
        ({"financial_status": "refunded"}, Stage.CLOSED),
        ({"financial_status": "voided"}, Stage.CLOSED),
        ({"fulfillment_status": "fulfilled"}, Stage.CLOSED),
        ({"fulfillment_status": "partial"}, Stage.PAID),
        ({"cancelled_at": "2026-12-01T10:00:00+08:00", "financial_status": "voided"}, Stage.CANCELLED),
    ],
)
def test_stages_of_shopify(overrides: dict[str, Any], stage: Stage) -> None:
    assert shopify(**overrides).stage is stage


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("pending", Stage.PLACED),
        ("on-hold", Stage.PLACED),
        ("checkout-draft", Stage.PLACED),
        ("processing", Stage.PAID),
        ("wc-processing", Stage.PAID),
        ("completed", Stage.CLOSED),
        ("cancelled", Stage.CANCELLED),
        ("refunded", Stage.CANCELLED),
        ("failed", Stage.CANCELLED),
        ("trash", Stage.CANCELLED),
        # Of an extension: it is not known to be paid.
        ("awaiting-pickup", Stage.PLACED),
    ],
)
def test_stages_of_woocommerce(status: str, stage: Stage) -> None:
    assert woo(status=status).stage is stage


def test_time_of_woocommerce_is_utc_though_it_does_not_say_so() -> None:
    assert woo().version == NOW
    no_gmt = {name: value for name, value in woo_order(at=NOW).items() if not name.endswith("_gmt")}
    read = read_order(ShopKind.WOOCOMMERCE, "order.created", json.dumps(no_gmt), received_at=NOW)
    assert read.version is not None


@pytest.mark.parametrize(
    ("overrides", "obstacle"),
    [
        ({"test": True}, ShopReason.TEST),
        ({"line_items": [{"requires_shipping": False}]}, ShopReason.NOTHING_TO_SHIP),
        ({"line_items": [{"requires_shipping": False}, {"requires_shipping": True}]}, None),
        ({"shipping_address": None}, ShopReason.NO_ADDRESS),
    ],
)
def test_obstacles_of_shopify(overrides: dict[str, Any], obstacle: ShopReason | None) -> None:
    assert shopify(**overrides).obstacle is obstacle


def test_virtual_order_of_woocommerce_has_no_address() -> None:
    empty = dict.fromkeys(woo_order()["shipping"], "")
    assert woo(shipping=empty).obstacle is ShopReason.NO_ADDRESS


def test_deleted_order_is_cancelled_by_its_id_alone() -> None:
    now = timezone.now()
    gone = read_order(ShopKind.WOOCOMMERCE, "order.deleted", '{"id": 727}', received_at=now)
    assert (gone.key, gone.stage, gone.version) == ("727", Stage.CANCELLED, now)
    restored = json.dumps(woo_order(at=NOW))
    back = read_order(ShopKind.WOOCOMMERCE, "order.restored", restored, received_at=now)
    assert (back.stage, back.version) == (Stage.PAID, now)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", ShopReason.NOT_JSON),
        ("<order/>", ShopReason.NOT_JSON),
        ('{"id": 1', ShopReason.NOT_JSON),
        ("[" * 100_000, ShopReason.NOT_JSON),
        ("[]", ShopReason.NO_ORDER),
        ("null", ShopReason.NO_ORDER),
        ('{"name": "#1001"}', ShopReason.NO_ORDER),
        ('{"id": true}', ShopReason.NO_ORDER),
        ('{"id": {"a": 1}}', ShopReason.NO_ORDER),
        ('{"id": "' + "9" * 65 + '"}', ShopReason.NO_ORDER),
    ],
)
def test_what_is_no_order(body: str, reason: ShopReason) -> None:
    with pytest.raises(Unreadable) as refusal:
        read_order(ShopKind.SHOPIFY, "orders/create", body, received_at=NOW)
    assert refusal.value.reason is reason


def test_fields_of_other_types_are_read_as_nothing() -> None:
    order = shopify(
        name=None, shipping_address={**ADDRESS, "city": ["x"], "phone": 13812345678}, line_items="none",
        total_weight="heavy", updated_at="yesterday", created_at=5, billing_address=[],
    )  # fmt: skip
    assert (order.number, order.version, order.placed_at) == ("", None, None)
    assert order.cells["Shipping City"] == ""
    assert order.cells["Shipping Phone"] == "13812345678"
    assert order.cells["weight_g"] == ""


def test_nobody_marks_a_cell_by_typing_our_mark() -> None:
    name = f"{MARK}cBob\0"
    assert shopify(shipping_address={**ADDRESS, "name": name}).cells["Shipping Name"] == "cBob"
