"""A member's lists are asked at its homes, and say what they say when all shards are asked.

Without a cluster one server plays the only shard: its tables keep their names.
"""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alliance.database import lists_at_home
from alliance.database.cluster import is_distributed, shard_keys
from alliance.database.lists_at_home import Tables, views
from alliance.database.shard_functions import Shards
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from couriers.homes import lists
from parcels.models import Parcel
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.watch_list import count_watched
from tests.parcels.helpers.watch_list import due_in, refresh

pytestmark = pytest.mark.django_db
Company = Organisation


class OneShard(Shards):
    def names(self, place: int) -> dict[str, str]:
        return {}


class Asked:
    """What was asked at home, once that has begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(lists, "is_distributed", lambda: False)

    def begin(self) -> None:
        rows = lists_at_home.raw_rows

        def noted(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
            self.texts += [given["query"] for given in parameters]
            return rows(sql, *parameters)

        self._monkeypatch.setattr(lists, "is_distributed", lambda: True)
        if not is_distributed():
            tables = Tables(OneShard({}, {}), views())
            self._monkeypatch.setattr(lists_at_home, "keys_of_homes", lambda homes: {0: 1})
            self._monkeypatch.setattr(lists_at_home, "known_tables", lambda: tables)
        self._monkeypatch.setattr(lists_at_home, "raw_rows", noted)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.fixture
def parcels(merchant_organisation: Company, courier_organisation: Company) -> list[Parcel]:
    found = due_in(merchant_organisation, courier_organisation, 5, count=3)
    late = due_in(merchant_organisation, courier_organisation, -3, count=3)
    with scope(Scope.everything()):
        for number, parcel in enumerate([*found, *late]):
            Parcel.objects.filter(pk=parcel.pk).update(reference=f"Order-{number}")
    sweep_overdue(now=timezone.now())
    refresh()
    return [*found, *late]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "page_size=2",
        "late=true",
        "status=booked&status=delivered",
        "search=order-",
        "search=Order-4",
        "due=today",
    ],
)
def test_parcels_are_the_same(
    courier_api: APIClient, parcels: list[Parcel], asked: Asked, query: str
) -> None:
    def listed() -> list[tuple[str, str]]:
        rows = courier_api.get(f"/api/v1/parcels?{query}").json()["results"]
        return [(row["tracking_number"], row["status"]) for row in rows]

    expected = listed()
    asked.begin()
    assert listed() == expected != []
    assert asked.texts
    assert not any("rder" in text for text in asked.texts), "values are no part of the text"


def test_pages_of_parcels_go_on_where_the_last_one_ended(
    courier_api: APIClient, parcels: list[Parcel], asked: Asked
) -> None:
    asked.begin()
    seen, url = [], "/api/v1/parcels?page_size=4"
    while url:
        page = courier_api.get(url).json()
        seen += [row["tracking_number"] for row in page["results"]]
        url = page["next"]
    assert seen == [parcel.number for parcel in sorted(parcels, key=lambda each: -each.pk)]


@pytest.mark.parametrize("address", ["/breaches/", "/watch/", "/watch/?sort=due"])
def test_breaches_and_watch_list_are_the_same(
    courier_client: Client, parcels: list[Parcel], asked: Asked, address: str
) -> None:
    def rows() -> list[str]:
        context = courier_client.get(address).context
        if "lines" in context:
            return [*context["lines"]]
        return [row.watched.item.number for row in context["rows"]]

    expected = rows()
    assert expected
    asked.begin()
    assert rows() == expected
    assert asked.texts


def test_watched_parcels_are_counted_at_home(
    courier_organisation: Company, parcels: list[Parcel], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = actor_of_organisation(courier_organisation, kind="user")
    with scope(Scope.of(courier)):
        expected = count_watched(actor=courier)
        asked.begin()
        # A cluster keeps the figure for a while.
        cache.clear()
        monkeypatch.setattr("slas.forecasts.services.watch_list.is_distributed", lambda: True)
        assert count_watched(actor=courier) == expected >= 3
    assert len(asked.texts) == len(shard_keys())


def test_merchants_list_is_asked_at_the_homes_of_its_couriers(
    merchant_api: APIClient, parcels: list[Parcel], asked: Asked
) -> None:
    asked.begin()
    assert len(merchant_api.get("/api/v1/parcels").json()["results"]) == len(parcels)
    assert len(asked.texts) == len(shard_keys())


def test_list_of_many_homes_is_asked_of_all(
    courier_api: APIClient, parcels: list[Parcel], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.begin()
    keys = dict.fromkeys(range(lists_at_home.MOST_SHARDS + 1), 1)
    monkeypatch.setattr(lists_at_home, "keys_of_homes", lambda homes: keys)
    assert len(courier_api.get("/api/v1/parcels").json()["results"]) == len(parcels)
    assert asked.texts == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT "a"."x" FROM "a" WHERE "a"."y" = 1', 'SELECT "a_7"."x" FROM "a_7" WHERE "a_7"."y" = 1'),
        (
            'SELECT "v"."x" FROM "v" WHERE "v"."y" = 1',
            'SELECT "v"."x" FROM (SELECT a_7.x FROM a_7) v WHERE "v"."y" = 1',
        ),
        ('(SELECT U0."x" FROM "v" U0)', '(SELECT U0."x" FROM (SELECT a_7.x FROM a_7) U0)'),
    ],
)
def test_names_are_those_of_the_shard(sql: str, expected: str) -> None:
    tables = Tables(Shards({"a": [7]}, {}), {"v": "SELECT a.x FROM a"})
    assert tables.on_shard(sql, 0) == expected
