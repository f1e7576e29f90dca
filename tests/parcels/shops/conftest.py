"""A courier to book with, and shops; tasks are not sent."""

from typing import Any

import pytest

from alliance.models import City, Organisation
from alliance.tenancy import Actor
from parcels.choices import ShopKind
from parcels.models import ConnectedShop
from tests.parcels.shops.helpers import connected
from tests.slas.helpers.offers import offer


@pytest.fixture(autouse=True)
def _no_worker(sent: list[Any]) -> None:
    """What is sent to workers is noted, not sent."""


@pytest.fixture
def on_sale(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> None:
    offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000)


@pytest.fixture
def shopify(merchant: Actor) -> ConnectedShop:
    return connected(merchant)


@pytest.fixture
def woo(merchant: Actor) -> ConnectedShop:
    return connected(merchant, ShopKind.WOOCOMMERCE, name="Tea by Woo")
