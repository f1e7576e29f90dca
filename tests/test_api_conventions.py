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
DESCRIBED = {
    "api:schema",
    "api:docs",
    "api:changes",
    "api:test_mode",
    "api:requests_file",
    "api:postman_file",
}
READING = [row for row in API if row.method == "GET" and row.route not in DESCRIBED]
WRITING = [row for row in API if row.method != "GET"]
WITH_BODY = [row for row in WRITING if row.method != "DELETE"]
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


def write(
    world: World, row: Row, body: str | bytes, *, query: str = "", kind: str = "application/json"
) -> Any:
    """Send a body to the row's address as a key that may."""
    keys = ("courier_key", "merchant_key")
    key = next(name for name in keys if row.expected[name] in (200, row.own))
    address = reverse(row.route, args=[world.things.get(name, name) for name in row.path]) + query
    with savepoint():
        return world.client(key).generic(row.method, address, body, content_type=kind)


def json_of(world: World, row: Row) -> Any:
    """What the address answers; nothing where that is a file."""
    response = read(world, row)
    if "json" in response["Content-Type"]:
        return response.json()
    if response.streaming:
        # A file that is not read to its end stays open.
        b"".join(response.streaming_content)
    return {}


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


@pytest.mark.parametrize("row", WRITING, ids=lambda row: row.name)
def test_a_parameter_of_a_write_is_refused(row: Row, world: World) -> None:
    response = write(world, row, json.dumps(row.data or {}), query="?dry_run=true")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/dry_run"]


def test_a_misspelt_parameter_names_the_one_that_was_meant(world: World) -> None:
    row = next(row for row in READING if row.route == "api:parcels:parcel_list")
    [error] = read(world, row, staus="delivered").json()["errors"]
    assert error["detail"] == "Unknown parameter. Did you mean “status”?"


@pytest.mark.parametrize("row", WITH_BODY, ids=lambda row: row.name)
def test_a_field_that_there_is_not_is_refused_with_what_else_is_wrong(row: Row, world: World) -> None:
    known = row.data if isinstance(row.data, dict) else {}
    response = write(world, row, json.dumps({**known, "dry_run": True}))
    if row.route in {"api:parcels:booking_files", "api:parcels:scan_batch"}:
        # A file; and scans need their list to be one.
        assert response.status_code in (400, 415)
        return
    assert response.status_code == 422
    assert "/dry_run" in [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.parametrize("row", WITH_BODY, ids=lambda row: row.name)
def test_a_body_that_is_no_json_is_told_by_line_and_column(row: Row, world: World) -> None:
    response = write(world, row, '\ufeff{"a": 1,\n "é": ]')
    if row.route == "api:parcels:booking_files":
        assert response.status_code == 415
        return
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["line"], body["column"]) == (2, 7)
    assert body["detail"].startswith("Invalid JSON in line 2, column 7: ")


def test_a_body_that_is_no_text_is_told_by_line_and_column(world: World) -> None:
    row = next(row for row in WRITING if row.route == "api:parcels:quote_create")
    response = write(world, row, '{"a":\n"é"}'.encode("latin-1"))
    assert (response.status_code, response.json()["line"], response.json()["column"]) == (400, 2, 2)


@pytest.mark.parametrize("row", WITH_BODY, ids=lambda row: row.name)
def test_a_wrong_method_type_or_body_is_told_with_what_is_right(row: Row, world: World) -> None:
    body = json.dumps(row.data or {})
    plain = write(world, row, body, kind="text/plain")
    key = "courier_key" if row.expected["courier_key"] in (200, row.own) else "merchant_key"
    address = reverse(row.route, args=[world.things.get(name, name) for name in row.path])
    with savepoint():
        trace = world.client(key).generic("TRACE", address)
        xml = world.client(key).generic(
            row.method, address, body, content_type="application/json", HTTP_ACCEPT="application/xml"
        )
    told = {405: (trace, row.method), 406: (xml, "application/json"), 415: (plain, "Send the body as ")}
    for status, (response, words) in told.items():
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
        assert words in response.json()["detail"]


def test_an_address_without_a_view_is_a_problem_too(world: World) -> None:
    for address, status in (("/api", 404), ("/api/v1/parcelz", 404), ("/api/schema/", 405)):
        response = world.client("merchant_key").post(address, {})
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
        assert response.json()["status"] == status


@pytest.mark.parametrize("row", READING, ids=lambda row: row.route)
def test_moments_are_written_in_one_form(row: Row, world: World) -> None:
    odd = [told for told in moments(json_of(world, row)) if not MOMENT.fullmatch(told[1])]
    assert odd == []


def test_moments_are_looked_for_where_they_are(world: World) -> None:
    told = {row.route for row in READING if any(moments(json_of(world, row)))}
    # The statements of the running month are not closed yet.
    timeless = {
        "allocation_rules", "pickup_address_list", "rates", "scorecard_rules", "city_list",
        "statement_detail", "freight_statement_detail", "manifest_parcels", "return_policy",
    }  # fmt: skip
    files = {
        "export_file", "booking_file_results", "booking_file_rejected", "parcel_label", "manifest_pdf",
        "freight_statement_csv", "freight_statement_xlsx", "freight_statement_pdf",
    }  # fmt: skip
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
