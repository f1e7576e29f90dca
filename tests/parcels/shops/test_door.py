"""The shop's door: who is let in, what is kept, and that it is answered before anything is booked."""

import logging
from io import BytesIO
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory

from alliance.errors import TooLarge
from alliance.tenancy import Actor, Scope, scope
from alliance.web.bodies import whole_body
from parcels.choices import ShopKind, ShopOutcome, ShopReason
from parcels.models import ConnectedShop, ShopMessage
from parcels.shops.rules import MOST_BYTES, new_key
from parcels.shops.services import receiving
from parcels.shops.services.shops import delete_shop, pause_shop
from tests.parcels.helpers.bookings import parcels_of
from tests.parcels.shops.helpers import (
    SECRET,
    connected,
    messages_of,
    send,
    shopify_order,
    signed,
    woo_order,
)

pytestmark = pytest.mark.django_db


def test_signed_message_is_kept_as_it_came_and_nothing_booked_yet(
    shopify: ConnectedShop, merchant: Actor, django_capture_on_commit_callbacks: Any, sent: list[Any]
) -> None:
    body = b'{"id": 1,\n "note":"\xe8\x8c\xb6"}'
    with django_capture_on_commit_callbacks(execute=True):
        answer = send(shopify, "orders/create", body, delivery="b54557e4-bdd9-4b37")
    assert (answer.status_code, answer.content) == (200, b"")
    [message] = messages_of(shopify)
    assert (message.delivery, message.topic) == ("b54557e4-bdd9-4b37", "orders/create")
    assert message.body == body.decode()
    assert message.outcome == ShopOutcome.WAITING
    assert sent == [("parcels.tasks.take_shop_messages", shopify.pk)]
    assert parcels_of(merchant) == []


def test_message_sent_again_is_kept_once(shopify: ConnectedShop, sent: list[Any]) -> None:
    for _time in range(3):
        assert send(shopify, "orders/create", shopify_order(), delivery="one").status_code == 200
    assert len(messages_of(shopify)) == 1


def test_nobody_learns_whether_a_shop_is_there(
    shopify: ConnectedShop, merchant: Actor, django_assert_num_queries: Any
) -> None:
    without_secret = connected(merchant, name="New", secret="")
    answers = [
        send(shopify, "orders/create", shopify_order(), secret="another secret of theirs"),
        send(shopify, "orders/create", shopify_order(), key=new_key()),
        send(without_secret, "orders/create", shopify_order(), secret=""),
        Client().post(f"/from-shop/{shopify.key}/", b"{}", content_type="application/json"),
    ]
    assert {(each.status_code, each.content) for each in answers} == {(401, b"")}
    assert len({tuple(sorted(each.headers)) for each in answers}) == 1
    # What is no key at all is not even looked up.
    for odd in ("x", "1" * 33, "%00" * 32, "key:1"):
        with django_assert_num_queries(0):
            assert send(shopify, "orders/create", shopify_order(), key=odd).status_code == 401
    assert messages_of(shopify) == []


def test_signature_is_of_the_very_bytes(shopify: ConnectedShop) -> None:
    head = {"X-Shopify-Topic": "orders/create", "X-Shopify-Hmac-Sha256": signed(b'{"id": 1}')}
    url = f"/from-shop/{shopify.key}/"
    changed = Client().post(url, b'{"id":1}', content_type="application/json", headers=head)
    assert changed.status_code == 401
    assert Client().post(url, b'{"id": 1}', content_type="application/json", headers=head).status_code == 200


def test_signature_under_the_other_programs_name_is_none(woo: ConnectedShop) -> None:
    head = {"X-Shopify-Topic": "orders/create", "X-Shopify-Hmac-Sha256": signed(b"{}")}
    url = f"/from-shop/{woo.key}/"
    assert Client().post(url, b"{}", content_type="application/json", headers=head).status_code == 401


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_content_type_does_not_matter_for_what_is_signed(shopify: ConnectedShop, content_type: str) -> None:
    answer = send(shopify, "orders/create", shopify_order(), content_type=content_type)
    assert answer.status_code == 200
    assert len(messages_of(shopify)) == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_ping_of_woocommerce_is_answered_whoever_asks(woo: ConnectedShop, is_known: bool) -> None:
    """It comes before the webhook is saved, unsigned: an error would stop the webhook from being made."""
    url = f"/from-shop/{woo.key if is_known else new_key()}/"
    answer = Client().post(url, b"webhook_id=142", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    other = Client().post(url, b"webhook_id=142&x=1", content_type="application/x-www-form-urlencoded")
    assert other.status_code == 401
    assert messages_of(woo) == []


def test_huge_bodies_are_refused_before_anything_else(shopify: ConnectedShop) -> None:
    assert send(shopify, "orders/create", b"[" + b" " * MOST_BYTES).status_code == 413
    most = b"[" + b" " * (MOST_BYTES - 2) + b"]"
    assert send(shopify, "orders/create", most).status_code == 200


def test_body_in_chunks_is_read_whole_up_to_the_limit() -> None:
    def chunked(body: bytes) -> HttpRequest:
        request = RequestFactory().post("/", content_type="application/json")
        request.META |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BytesIO(body)}
        return request

    assert whole_body(chunked(b"{}" * 50), most=100) == b"{}" * 50
    with pytest.raises(TooLarge):
        whole_body(chunked(b"{}" * 51), most=100)


def test_other_methods_are_not_for_this_door(shopify: ConnectedShop) -> None:
    assert Client().get(f"/from-shop/{shopify.key}/").status_code == 405


def test_what_is_not_about_an_order_is_noted_without_its_content(
    shopify: ConnectedShop, woo: ConnectedShop
) -> None:
    assert send(shopify, "customers/update", {"id": 1, "phone": "13812345678"}).status_code == 200
    assert send(woo, "action.woocommerce_add_to_cart", {"action": "x"}).status_code == 200
    for shop in (shopify, woo):
        [message] = messages_of(shop)
        assert (message.outcome, message.reason) == (ShopOutcome.IGNORED, ShopReason.OTHER_TOPIC)
        assert message.body == ""


def test_bytes_that_are_no_text_are_kept_as_nothing(shopify: ConnectedShop) -> None:
    for odd in (b'{"id": "\xff"}', b'{"id": "\0"}'):
        assert send(shopify, "orders/create", odd).status_code == 200
    assert [message.body for message in messages_of(shopify)] == ["", ""]


def test_paused_shop_is_answered_as_ever_and_waits(
    woo: ConnectedShop, merchant: Actor, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with scope(Scope.of(merchant)):
        pause_shop(actor=merchant, shop_id=woo.pk)
    with django_capture_on_commit_callbacks(execute=True):
        assert send(woo, "order.created", woo_order()).status_code == 200
    assert [message.outcome for message in messages_of(woo)] == [ShopOutcome.WAITING]
    assert sent == []


def test_deleted_shop_is_unknown(woo: ConnectedShop, merchant: Actor) -> None:
    send(woo, "order.created", woo_order())
    with scope(Scope.of(merchant)):
        assert delete_shop(actor=merchant, shop_id=woo.pk) == woo.name
    assert send(woo, "order.created", woo_order()).status_code == 401
    assert messages_of(woo) == []


def test_secret_of_a_lost_secret_key_is_told_in_the_log_alone(
    shopify: ConnectedShop, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SECRET_KEY = "x" * 50
    with caplog.at_level(logging.ERROR):
        assert send(shopify, "orders/create", shopify_order()).status_code == 401


def test_outage_is_a_503_that_shops_send_again_after(
    shopify: ConnectedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(receiving, "rows_in", fail)
    answer = send(shopify, "orders/create", shopify_order())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_forgers_are_slowed_down_and_shops_of_the_same_address_are_not(
    shopify: ConnectedShop, settings: Any, in_one_minute: None
) -> None:
    settings.SHOP_REFUSALS_PER_MINUTE = 2
    forged = [send(shopify, "orders/create", {}, secret="another secret of theirs") for _n in range(4)]
    assert [each.status_code for each in forged] == [401, 401, 429, 429]
    assert send(shopify, "orders/create", shopify_order()).status_code == 200


def test_one_shop_has_a_limit_of_its_own(
    shopify: ConnectedShop, woo: ConnectedShop, settings: Any, in_one_minute: None
) -> None:
    settings.SHOP_RATE_PER_MINUTE = 1
    answers = [send(shopify, "orders/create", shopify_order(n)) for n in (1, 2)]
    assert [each.status_code for each in answers] == [200, 429]
    assert answers[1].headers["Retry-After"]
    assert send(woo, "order.created", woo_order()).status_code == 200


def test_rows_are_of_the_shops_merchant_alone(
    shopify: ConnectedShop, rival_merchant: Any, merchant: Actor
) -> None:
    send(shopify, "orders/create", shopify_order())
    with scope(Scope.merchant(rival_merchant.pk)):
        assert not ShopMessage.objects.exists()
        assert not ConnectedShop.objects.exists()
    with scope(Scope.of(merchant)):
        assert ShopMessage.objects.count() == 1
    # At the door the address shows one shop, and lets nothing be written.
    other = connected(merchant, ShopKind.WOOCOMMERCE, name="Other")
    with scope(Scope.key(other.key)):
        assert [each.pk for each in ConnectedShop.objects.all()] == [other.pk]
        assert ConnectedShop.objects.filter(pk=other.pk).update(name="x") == 0
    assert SECRET not in other.sealed
