"""What Shopify and WooCommerce send, by the fields that their documentation names, and how it is sent."""

import base64
import hashlib
import hmac
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from alliance.tenancy import Actor, Scope, scope
from parcels.choices import BooksOn, ShopKind
from parcels.models import ConnectedShop, ShopMessage, ShopOrder
from parcels.shops.services.shops import ShopDraft, connect_shop
from parcels.shops.services.taking import take_messages

SECRET = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
VALUES = {"tier": "next_day", "origin": "CN-HGH", "weight_g": "800", "if_full": "next"}
ADDRESS = {
    "first_name": "小明",
    "last_name": "王",
    "name": "王小明",
    "address1": "人民南路四段12号",
    "address2": "3单元1203室",
    "city": "成都市",
    "province": "Sichuan",
    "province_code": "CN-SC",
    "country_code": "CN",
    "zip": "610041",
    "phone": "+86 138 1234 5678",
    "company": None,
}


def connected(
    merchant: Actor, kind: ShopKind = ShopKind.SHOPIFY, *, name: str = "Tea shop", **overrides: Any
) -> ConnectedShop:
    draft = ShopDraft(
        **{
            "name": name,
            "kind": kind,
            "books_on": BooksOn.PLACED,
            "prefix": "",
            "secret": SECRET,
            "values": VALUES,
            **overrides,
        }
    )
    with scope(Scope.of(merchant)):
        return connect_shop(actor=merchant, draft=draft)[0]


def shopify_order(number: int = 1001, *, at: datetime | None = None, **overrides: Any) -> dict[str, Any]:
    """An order as `orders/create` and its siblings have it, without most of its 80 fields."""
    moment = (at or timezone.now()).astimezone(tz=None)
    return {
        "id": 820_982_911_946_000 + number,
        "admin_graphql_api_id": f"gid://shopify/Order/{820_982_911_946_000 + number}",
        "name": f"#{number}",
        "number": number - 1000,
        "order_number": number,
        "created_at": moment.isoformat(timespec="seconds"),
        "updated_at": moment.isoformat(timespec="seconds"),
        "cancelled_at": None,
        "cancel_reason": None,
        "closed_at": None,
        "currency": "CNY",
        "financial_status": "paid",
        "fulfillment_status": None,
        "note": "",
        "phone": None,
        "test": False,
        "total_weight": 640,
        "total_price": "128.00",
        "billing_address": {**ADDRESS, "phone": "021-6888 0000"},
        "shipping_address": ADDRESS,
        "line_items": [
            {"id": 1, "name": "Longjing 250 g", "quantity": 2, "grams": 320, "requires_shipping": True}
        ],
        **overrides,
    }


def woo_order(number: int = 727, *, at: datetime | None = None, **overrides: Any) -> dict[str, Any]:
    """An order as version 3 of WooCommerce's REST API has it."""
    moment = at or timezone.now()
    utc = f"{moment:%Y-%m-%dT%H:%M:%S}"
    local = f"{moment + timedelta(hours=8):%Y-%m-%dT%H:%M:%S}"
    address = {
        "first_name": "小明",
        "last_name": "王",
        "company": "",
        "address_1": "人民南路四段12号",
        "address_2": "3单元1203室",
        "city": "成都市",
        "state": "CN22",
        "postcode": "610041",
        "country": "CN",
    }
    return {
        "id": number,
        "parent_id": 0,
        "number": str(number),
        "order_key": "wc_order_58d2d042d1d",
        "status": "processing",
        "currency": "CNY",
        "date_created": local,
        "date_created_gmt": utc,
        "date_modified": local,
        "date_modified_gmt": utc,
        "customer_note": "",
        "billing": {**address, "email": "ming@example.com", "phone": "13812345678"},
        "shipping": {**address, "phone": ""},
        "line_items": [{"id": 315, "name": "Woo Single #1", "quantity": 2, "sku": "", "total": "6.00"}],
        **overrides,
    }


def signed(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def send(
    shop: ConnectedShop,
    topic: str,
    content: Any,
    *,
    delivery: str = "",
    secret: str = SECRET,
    content_type: str = "application/json",
    key: str = "",
) -> Any:
    """Send a message as the shop's program does; return the answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    delivery = delivery or str(uuid.uuid4())
    if shop.kind == ShopKind.SHOPIFY:
        head = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": signed(body, secret),
            "X-Shopify-Shop-Domain": "tea.myshopify.com",
            "X-Shopify-API-Version": "2026-10",
            "X-Shopify-Webhook-Id": delivery,
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": timezone.now().isoformat(),
        }
    else:
        head = {
            "X-WC-Webhook-Source": "https://tea.example/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": topic.partition(".")[0],
            "X-WC-Webhook-Event": topic.partition(".")[2],
            "X-WC-Webhook-Signature": signed(body, secret),
            "X-WC-Webhook-ID": "142",
            "X-WC-Webhook-Delivery-ID": delivery,
        }
    url = f"/from-shop/{key or shop.key}/"
    client = Client(raise_request_exception=False)
    return client.post(url, body, content_type=content_type, headers=head)


def taken(shop: ConnectedShop, topic: str, content: Any, **more: Any) -> ShopMessage:
    """Send a message and have a worker take it; return it."""
    assert send(shop, topic, content, **more).status_code == 200
    take_messages(shop_id=shop.pk)
    return messages_of(shop)[-1]


def messages_of(shop: ConnectedShop) -> list[ShopMessage]:
    with scope(Scope.everything()):
        return list(ShopMessage.objects.filter(shop=shop).order_by("pk"))


def orders_of(shop: ConnectedShop) -> list[ShopOrder]:
    with scope(Scope.everything()):
        return list(ShopOrder.objects.filter(shop=shop).order_by("pk"))
