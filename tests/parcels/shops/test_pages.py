"""Pages of connected shops: connecting, what is shown once, what became of messages, retrying."""

from typing import Any

import pytest
from django.test import Client

from alliance.choices import Role
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.choices import ShopKind, ShopState
from parcels.models import BookingTemplate, ConnectedShop
from parcels.shops.rules import MOST_SHOPS
from parcels.webhooks.signing import opened
from tests import factories
from tests.parcels.shops.helpers import (
    ADDRESS,
    SECRET,
    VALUES,
    connected,
    messages_of,
    send,
    shopify_order,
    taken,
    woo_order,
)

pytestmark = pytest.mark.django_db
FORM = {
    **VALUES,
    "kind": "woocommerce",
    "name": "Tea",
    "books_on": "paid",
    "secret": "",
    "reference_prefix": "",
}


def shops() -> list[ConnectedShop]:
    with scope(Scope.everything()):
        return list(ConnectedShop.objects.select_related("template").order_by("pk"))


def test_shop_is_connected_and_its_page_says_what_to_do(merchant_client: Client) -> None:
    answer = merchant_client.post("/shops/new/", FORM)
    [shop] = shops()
    assert answer.headers["Location"] == f"/shops/{shop.pk}/"
    assert (shop.kind, shop.books_on, shop.template.values) == ("woocommerce", "paid", VALUES)
    secret = opened(shop.sealed)
    page = merchant_client.get(f"/shops/{shop.pk}/").content.decode()
    assert f"/from-shop/{shop.key}/" in page
    assert secret in page
    assert "Order restored" in page
    # Once.
    assert secret not in merchant_client.get(f"/shops/{shop.pk}/").content.decode()
    assert send(shop, "order.created", woo_order(), secret=secret).status_code == 200


def test_courier_of_a_shop_is_one_of_the_alliance(
    merchant_client: Client, courier_organisation: Organisation
) -> None:
    assert courier_organisation.name in merchant_client.get("/shops/new/").content.decode()
    merchant_client.post("/shops/new/", {**FORM, "courier": courier_organisation.public_id})
    [shop] = shops()
    assert shop.template.values["courier"] == courier_organisation.public_id


def test_shopify_is_connected_first_and_tells_its_secret_then(merchant_client: Client) -> None:
    merchant_client.post("/shops/new/", {**FORM, "kind": "shopify"})
    [shop] = shops()
    assert "enter its secret" in merchant_client.get(f"/shops/{shop.pk}/").content.decode()
    assert send(shop, "orders/create", shopify_order()).status_code == 401
    edited = {**FORM, "secret": SECRET, "name": "Tea 2", "weight_g": "500"}
    assert merchant_client.post(f"/shops/{shop.pk}/edit/", edited).status_code == 302
    assert send(shop, "orders/create", shopify_order()).status_code == 200
    # Saved without it, it stays.
    merchant_client.post(f"/shops/{shop.pk}/edit/", {**edited, "secret": ""})
    [shop] = shops()
    assert (shop.name, opened(shop.sealed)) == ("Tea 2", SECRET)
    assert shop.template.values["weight_g"] == "500"


@pytest.mark.parametrize(
    "wrong",
    [
        {"courier": "cou_zzzzzzzzzzzzz"},
        {"name": ""},
        {"kind": "magento"},
        {"books_on": "never"},
        {"secret": "short"},
        {"tier": ""},
        {"weight_g": ""},
        {"weight_g": "1.5 kg"},
        {"origin": ""},
        {"origin": "Atlantis"},
        {"reference_prefix": "x" * 13},
        {"declared_value": "much"},
    ],
)
def test_wrong_values_are_told_at_their_fields(merchant_client: Client, wrong: dict[str, str]) -> None:
    answer = merchant_client.post("/shops/new/", {**FORM, **wrong})
    assert answer.status_code == 422
    assert [*answer.context["form"].errors] == [*wrong]
    assert shops() == []


def test_names_are_taken_once_and_shops_are_limited(merchant_client: Client, merchant: Actor) -> None:
    for number in range(MOST_SHOPS - 1):
        connected(merchant, name=f"Shop {number}")
    assert merchant_client.post("/shops/new/", {**FORM, "name": "Shop 0"}).status_code == 422
    assert merchant_client.post("/shops/new/", FORM).status_code == 302
    full = merchant_client.post("/shops/new/", {**FORM, "name": "One more"})
    assert full.status_code == 422
    assert "at most 20" in full.content.decode()


def test_values_of_a_template_are_begun_with_and_it_stays_as_it_is(
    merchant_client: Client, merchant: Actor, merchant_organisation: Organisation
) -> None:
    with scope(Scope.of(merchant)):
        template = BookingTemplate.objects.create(
            merchant_id=merchant_organisation.pk, name="Tea", values={"weight_g": "1234"}, header_key="x"
        )
    page = merchant_client.get(f"/shops/new/?template={template.pk}").content.decode()
    assert 'value="1234"' in page
    merchant_client.post("/shops/new/", {**FORM, "weight_g": "900"})
    with scope(Scope.of(merchant)):
        assert {each.name: each.values["weight_g"] for each in BookingTemplate.objects.all()} == {
            "Tea": "1234",
            "Tea (WooCommerce)": "900",
        }


@pytest.mark.usefixtures("on_sale")
def test_page_shows_what_became_of_each_message(
    shopify: ConnectedShop, merchant_client: Client, sent: list[Any]
) -> None:
    booked = taken(shopify, "orders/create", shopify_order(1001))
    rejected = taken(
        shopify, "orders/create", shopify_order(1002, shipping_address={**ADDRESS, "city": "Atlantis"})
    )
    taken(shopify, "orders/create", shopify_order(1003, test=True))
    page = merchant_client.get(f"/shops/{shopify.pk}/").content.decode()
    [number] = {line for line in page.split('"') if line.startswith("/parcels/CA")}
    assert merchant_client.get(number).status_code == 200
    assert "destination" in page
    assert "A test order." in page
    assert "Atlantis" not in merchant_client.get(f"/shops/{shopify.pk}/?outcome=booked").content.decode()
    assert "#1002" in merchant_client.get(f"/shops/{shopify.pk}/?number=1002").content.decode()
    assert merchant_client.get(f"/shops/{shopify.pk}/?outcome=lost").status_code == 422
    retry = f"/shops/{shopify.pk}/messages/{rejected.pk}/retry/"
    assert retry in page
    assert f"/messages/{booked.pk}/retry/" not in page
    assert merchant_client.post(retry).status_code == 302
    assert messages_of(shopify)[1].by_hand
    merchant_client.post(f"/shops/{shopify.pk}/messages/{booked.pk}/retry/")
    assert not messages_of(shopify)[0].by_hand
    # The list counts what is to be looked at.
    assert "Tea shop" in merchant_client.get("/shops/").content.decode()


def test_shop_is_paused_resumed_and_deleted(woo: ConnectedShop, merchant_client: Client) -> None:
    for verb, state in (
        ("pause", ShopState.PAUSED),
        ("pause", ShopState.PAUSED),
        ("resume", ShopState.ACTIVE),
    ):
        assert merchant_client.post(f"/shops/{woo.pk}/{verb}/").status_code == 302
        assert shops()[0].state == state
    assert merchant_client.post(f"/shops/{woo.pk}/delete/").status_code == 302
    assert shops() == []
    # What it booked by stays for files.
    with scope(Scope.everything()):
        assert BookingTemplate.objects.count() == 1


def test_shops_are_the_merchants_own(
    woo: ConnectedShop,
    rival_merchant: Organisation,
    merchant_organisation: Organisation,
    courier_client: Client,
) -> None:
    rival = factories.logged_in(factories.member_user("rival@alliance.example", rival_merchant))
    agent = factories.logged_in(
        factories.member_user("agent@alliance.example", merchant_organisation, Role.AGENT)
    )
    for path in ("", "edit/"):
        assert rival.get(f"/shops/{woo.pk}/{path}").status_code == 404
        assert agent.get(f"/shops/{woo.pk}/{path}").status_code == 403
        assert courier_client.get(f"/shops/{woo.pk}/{path}").status_code == 403
    for verb in ("pause", "resume", "delete"):
        assert rival.post(f"/shops/{woo.pk}/{verb}/").status_code == 404
    assert woo.kind == ShopKind.WOOCOMMERCE
    assert [shop.state for shop in shops()] == [ShopState.ACTIVE]
