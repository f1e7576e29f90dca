"""Read orders from the messages of Shopify and WooCommerce. Pure.

Both send the whole order with each message. What is in it for a booking is put under the names of columns
that their exports have: so a message is read by the rules of booking files.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from alliance.csv_files.columns import column_key
from alliance.workbooks.cells import MARK
from parcels.booking_files.mappings import ColumnMapping
from parcels.booking_files.shops import SHOPS
from parcels.choices import ShopKind, ShopReason
from parcels.shops.rules import KEY_LENGTH, Order, Stage

SHOPIFY_TOPICS: Final = frozenset(
    {"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/delete"}
)
WOO_TOPICS: Final = frozenset({"order.created", "order.updated", "order.deleted", "order.restored"})
TOPICS: Final = {ShopKind.SHOPIFY.value: SHOPIFY_TOPICS, ShopKind.WOOCOMMERCE.value: WOO_TOPICS}
_DELETED: Final = frozenset({"orders/delete", "order.deleted"})

_SHOPIFY_NAME, _WOO_NUMBER, _WEIGHT = "Name", "order_number", "weight_g"
# What the exports are known by whose columns are used.
_SIGNS: Final = {
    ShopKind.SHOPIFY.value: (_SHOPIFY_NAME, "Shipping City"),
    ShopKind.WOOCOMMERCE.value: (_WOO_NUMBER, "shipping_first_name"),
}
# Longer ones are rejected for their length, and not kept whole.
_MOST_TEXT: Final = 1_000
_WOO_STAGES: Final = {
    "pending": Stage.PLACED,
    "on-hold": Stage.PLACED,
    "checkout-draft": Stage.PLACED,
    "auto-draft": Stage.PLACED,
    "processing": Stage.PAID,
    "completed": Stage.CLOSED,
    "cancelled": Stage.CANCELLED,
    "failed": Stage.CANCELLED,
    "refunded": Stage.CANCELLED,
    "trash": Stage.CANCELLED,
}


class Unreadable(Exception):
    """A message without an order that can be read."""

    def __init__(self, reason: ShopReason) -> None:
        super().__init__(reason)
        self.reason = reason


def mapping_of(kind: str, values: Mapping[str, str]) -> ColumnMapping:
    """Return which of an order's cells are which of our columns; `values` are a template's."""
    signs = frozenset(map(column_key, _SIGNS[kind]))
    export = next(shop for shop in SHOPS if signs <= shop.signs)
    return ColumnMapping((*export.columns, (_WEIGHT, _WEIGHT)), values)


def read_order(kind: str, topic: str, body: str, *, received_at: datetime) -> Order:
    """Read the order of a message. Raises Unreadable."""
    try:
        content = msgspec.json.decode(body.encode())
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable(ShopReason.NOT_JSON) from None
    key = _text(content.get("id")) if isinstance(content, dict) else ""
    if not key or len(key) > KEY_LENGTH:
        raise Unreadable(ShopReason.NO_ORDER)
    if topic in _DELETED:
        # It says no more than which one.
        return Order(key, "", Stage.CANCELLED, received_at)
    order = _shopify(key, content) if kind == ShopKind.SHOPIFY else _woo(key, content)
    if topic == "order.restored" and order.version is not None:
        # Being restored is no change of the order to WooCommerce.
        return Order(
            key, order.number, order.stage, max(order.version, received_at), order.placed_at, order.cells,
            order.obstacle,
        )  # fmt: skip
    return order


def _shopify(key: str, content: Mapping[str, Any]) -> Order:
    address, articles = _part(content, "shipping_address"), _parts(content, "line_items")
    obstacle = None
    if content.get("test") is True:
        obstacle = ShopReason.TEST
    elif articles and not any(article.get("requires_shipping", True) for article in articles):
        obstacle = ShopReason.NOTHING_TO_SHIP
    elif not address:
        obstacle = ShopReason.NO_ADDRESS
    grams = content.get("total_weight")
    name = _text(address.get("name")) or _joined(address, "first_name", "last_name")
    return Order(
        key=key,
        number=_text(content.get("name"))[:KEY_LENGTH],
        stage=_shopify_stage(content),
        version=_moment(content.get("updated_at")),
        placed_at=_moment(content.get("created_at")),
        obstacle=obstacle,
        cells={
            _SHOPIFY_NAME: _text(content.get("name")),
            "Shipping Name": name,
            "Shipping Street": _joined(address, "address1", "address2"),
            "Shipping City": _text(address.get("city")),
            "Shipping Phone": _text(address.get("phone")),
            "Phone": _text(content.get("phone")),
            "Billing Phone": _text(_part(content, "billing_address").get("phone")),
            # 0: the shop knows the weight of none of its articles.
            _WEIGHT: str(grams) if isinstance(grams, int) and grams > 0 else "",
        },
    )


def _shopify_stage(content: Mapping[str, Any]) -> Stage:
    if content.get("cancelled_at"):
        return Stage.CANCELLED
    paid = content.get("financial_status")
    if content.get("fulfillment_status") == "fulfilled" or paid in ("voided", "refunded", "expired"):
        return Stage.CLOSED
    return Stage.PAID if paid in ("paid", "partially_refunded") else Stage.PLACED


def _woo(key: str, content: Mapping[str, Any]) -> Order:
    address, payer = _part(content, "shipping"), _part(content, "billing")
    # Where all articles are virtual, the checkout asks for no address.
    has_address = any(_text(address.get(name)) for name in ("address_1", "address_2", "city"))
    number = _text(content.get("number")) or key
    status = _text(content.get("status")).removeprefix("wc-")
    return Order(
        key=key,
        number=number[:KEY_LENGTH],
        stage=_WOO_STAGES.get(status, Stage.PLACED),
        version=_moment(content.get("date_modified_gmt") or content.get("date_modified")),
        placed_at=_moment(content.get("date_created_gmt") or content.get("date_created")),
        obstacle=None if has_address else ShopReason.NO_ADDRESS,
        cells={
            _WOO_NUMBER: number,
            "shipping_first_name": _text(address.get("first_name")),
            "shipping_last_name": _text(address.get("last_name")),
            # Before WooCommerce 5.6 only who pays had one.
            "shipping_phone": _text(address.get("phone")),
            "billing_phone": _text(payer.get("phone")),
            "shipping_address_1": _text(address.get("address_1")),
            "shipping_address_2": _text(address.get("address_2")),
            "shipping_city": _text(address.get("city")),
        },
    )


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _parts(content: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    parts = content.get(name)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(value: Any) -> str:
    """A text or a number as text; whoever types a mark of ours marks nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).replace(MARK, "").replace("\0", "").strip()[:_MOST_TEXT]


def _joined(part: Mapping[str, Any], *names: str) -> str:
    return " ".join(filter(None, (_text(part.get(name)) for name in names)))


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    # WooCommerce names no offset.
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC)
