"""What every answer of the API keeps to, tried at every address there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.urls import reverse

from tests.access import world as access_world
from tests.access.rows import Row
from tests.access.table import API
from tests.access.world import World, savepoint

pytestmark = pytest.mark.django_db
DESCRIBED = {"api:schema", "api:docs"}
READING = [row for row in API if row.method == "GET" and row.route not in DESCRIBED]
# In a world where everything is in China.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+08:00")
LOOKS_LIKE_A_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with (
        django_db_blocker.unblock(),
        override_settings(**access_world.settings(tmp_path_factory.mktemp("media"))),
        transaction.atomic(),
    ):
        yield access_world.build()
        transaction.set_rollback(True)


def read(world: World, row: Row, **more: str) -> Any:
    """Send the row's request as a key it belongs to."""
    key = next(name for name in ("courier_key", "merchant_key") if row.expected[name] in (200, row.own))
    address = reverse(row.route, args=[world.things.get(name, name) for name in row.path])
    query = dict(part.split("=") for part in row.query.split("&") if part)
    with savepoint():
        return world.client(key).get(address, query | more)


def json_of(world: World, row: Row) -> Any:
    """What the address answers; nothing where that is a file."""
    response = read(world, row)
    return response.json() if "json" in response["Content-Type"] else {}


def moments(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a JSON document that tells a moment, and where it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from moments(inner, f"{pointer}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from moments(inner, f"{pointer}/{index}")
    elif isinstance(value, str) and LOOKS_LIKE_A_MOMENT.fullmatch(value):
        yield pointer, value


@pytest.mark.parametrize("name", ["bogus", "format", "Status"])
@pytest.mark.parametrize("row", READING, ids=lambda row: row.route)
def test_a_parameter_that_there_is_not_is_refused_by_name(row: Row, name: str, world: World) -> None:
    response = read(world, row, **{name: "json"})
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize("row", READING, ids=lambda row: row.route)
def test_moments_are_written_in_one_form(row: Row, world: World) -> None:
    odd = [told for told in moments(json_of(world, row)) if not MOMENT.fullmatch(told[1])]
    assert odd == []


def test_moments_are_looked_for_where_they_are(world: World) -> None:
    told = {row.route for row in READING if any(moments(json_of(world, row)))}
    # The statement of the running month is not closed yet.
    timeless = {"pickup_address_list", "rates", "scorecard_rules", "city_list", "statement_detail"}
    files = {"export_file", "booking_file_results"}
    assert {row.route.rpartition(":")[2] for row in READING if row.route not in told} == timeless | files


@pytest.mark.parametrize("offset", ["+08:00:30", "-00:00:01", ""])
@pytest.mark.parametrize("route", ["quote_create", "parcel_list"])
def test_moments_sent_say_their_offset_in_minutes(route: str, offset: str, world: World) -> None:
    body = {"ready_at": f"2026-11-22T10:00:00{offset}"}
    with savepoint():
        response = world.client("merchant_key").post(
            reverse(f"api:parcels:{route}"), json.dumps(body), content_type="application/json"
        )
    assert response.status_code == 422
    assert "/ready_at" in {error["pointer"] for error in response.json()["errors"]}


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "202610", "x", "1026-10"])
@pytest.mark.parametrize(
    "route", ["slas:scorecard_detail", "slas:statement_detail", "slas:statement_entries"]
)
def test_a_month_that_is_none_says_how_one_is_written(route: str, month: str, world: World) -> None:
    with savepoint():
        response = world.client("courier_key").get(reverse(f"api:{route}", args=[month]))
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == "/month"
    assert "2026-10" in error["detail"]
