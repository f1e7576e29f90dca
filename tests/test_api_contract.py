"""The API keeps to its own schema: whatever is sent, nothing breaks and answers are as described."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import override_settings
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from alliance.api.schema import BYTES, KeptSchema, name_components
from alliance.identifiers import parse_tracking_number, tracking_number
from parcels.api import examples
from tests.access import world as access_world
from tests.access.world import World, savepoint
from tests.helpers.profiles import scaled

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = {
    operation["operationId"]: (method, path)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}
EXAMPLES = scaled(12)
# No query, no body, and no part of the address that is not text.
NOTHING_TO_GET_WRONG = {"tiers_list", "tracking_retrieve", "root_retrieve"}
SENDING = {"quotes_create", "parcels_create", "parcels_batch_create", "scans_create"}
MAIN = sorted(SENDING | {"parcels_list", "parcels_retrieve", "parcels_cancel", "tracking_retrieve"})
QUOTED = {"origin": "CN-HGH", "destination": "CN-CTU", "weight_g": 800}
BOOKED = {
    **QUOTED,
    "tier": "next_day",
    "recipient": {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"},
}
SCANNED = {
    "tracking_number": "{parcel}",
    "code": "picked_up",
    "occurred_at": timezone.now().isoformat(),
    "event_id": "1",
}


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world to ask about. Requests run in this thread, and must leave its connection open."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    with (
        django_db_blocker.unblock(),
        override_settings(**access_world.settings(tmp_path_factory.mktemp("media"))),
        transaction.atomic(),
    ):
        yield access_world.build()
        transaction.set_rollback(True)
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def api(world: World) -> Any:
    """The operations, to be called in this process."""
    schema = schemathesis.openapi.from_dict(SCHEMA)
    # As in conftest: nothing was collected.
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        schema.app = get_wsgi_application()
    return schema


def operation(api: Any, name: str) -> Any:
    method, path = OPERATIONS[name]
    return api[path][method.upper()]


def bearer(world: World, key: str) -> dict[str, str]:
    # What calls the application without a network does not unpack answers.
    return {"Authorization": f"Bearer {world.tokens[key]}", "Accept-Encoding": "identity"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["sound", "unsound"])
@pytest.mark.parametrize("key", ["courier_key", "merchant_key"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_sent_the_answer_is_as_described(
    name: str, key: str, mode: GenerationMode, api: Any, world: World
) -> None:
    if mode.is_negative and name in NOTHING_TO_GET_WRONG:
        return

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation(api, name).as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        with savepoint():
            response = case.call(headers=bearer(world, key))
        case.validate_response(response, checks=CHECKS)

    send()


@pytest.mark.parametrize(
    ("name", "key", "given", "status"),
    [
        ("tiers_list", "courier_key", {}, 200),
        ("cities_list", "merchant_key", {"query": {"search": "杭州"}}, 200),
        ("quotes_create", "merchant_key", {"body": QUOTED}, 200),
        ("parcels_create", "merchant_key", {"body": BOOKED}, 201),
        ("parcels_create", "merchant_key", {"body": {**BOOKED, "weight_g": 0}}, 422),
        ("parcels_create", "courier_key", {"body": BOOKED}, 403),
        ("parcels_batch_create", "merchant_key", {"body": [BOOKED, {**BOOKED, "tier": "?"}]}, 200),
        ("parcels_list", "courier_key", {"query": {"page_size": 1}}, 200),
        ("parcels_retrieve", "merchant_key", {"path_parameters": {"tracking_number": "{parcel}"}}, 200),
        ("parcels_retrieve", "rival_courier_key", {"path_parameters": {"tracking_number": "{parcel}"}}, 404),
        ("parcels_cancel", "merchant_key", {"path_parameters": {"tracking_number": "{parcel}"}}, 200),
        ("scans_create", "courier_key", {"body": [SCANNED]}, 200),
        ("tracking_retrieve", "revoked_key", {"path_parameters": {"tracking_number": "{parcel}"}}, 200),
        ("rates_list", "merchant_key", {"query": {"group_by": "courier"}}, 200),
        ("rates_list", "courier_key", {"query": {"group_by": "lane", "kind": "pickup"}}, 200),
        ("breaches_list", "courier_key", {"query": {"page_size": 1}}, 200),
        ("breaches_list", "revoked_key", {}, 401),
    ],
)
def test_the_main_answers_are_as_described(
    name: str, key: str, given: dict[str, Any], status: int, api: Any, world: World
) -> None:
    given = json.loads(json.dumps(given).replace("{parcel}", world.things["parcel"]))
    media = {"media_type": "application/json"} if "body" in given else {}
    case = operation(api, name).Case(**given, **media)
    with savepoint():
        response = case.call(headers=bearer(world, key))
    assert response.status_code == status, response.text
    case.validate_response(response, checks=CHECKS)


# --- the schema itself ---


def test_the_schema_is_valid_and_made_without_a_warning() -> None:
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    assert "openapi: 3.1.0" in out.getvalue()


def test_the_schema_is_made_once_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(*_arguments: object) -> dict[str, Any]:
        made.append(1)
        time.sleep(0.05)
        return {}

    monkeypatch.setattr(SchemaGenerator, "get_schema", make)
    monkeypatch.setattr(KeptSchema, "_kept", {})
    with ThreadPoolExecutor(2) as callers:
        list(callers.map(lambda _: KeptSchema().get_schema(public=True), range(4)))
    assert len(made) == 1


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (method, path) in OPERATIONS.items():
        yield name, SCHEMA["paths"][path][method]


def test_every_operation_says_what_it_is_for() -> None:
    silent = [name for name, said in _operations() if not (said.get("summary") and said.get("description"))]
    assert silent == []


def test_every_refusal_is_described_as_a_problem() -> None:
    for name, said in _operations():
        refusals = {status: answer for status, answer in said["responses"].items() if status >= "400"}
        assert {"406", "429"} <= set(refusals), name
        for status, answer in refusals.items():
            assert answer == {"$ref": f"#/components/responses/Refused{status}"}, name
    for answer in SCHEMA["components"]["responses"].values():
        assert list(answer["content"]) == ["application/problem+json"]


def test_every_problem_shown_is_one() -> None:
    for answer in SCHEMA["components"]["responses"].values():
        [content] = answer["content"].values()
        _validate(content["example"], content["schema"])


def _shown(name: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """The examples of an operation, each with what it must conform to."""
    method, path = OPERATIONS[name]
    said = SCHEMA["paths"][path][method]
    bodies = {"request": said.get("requestBody", {}), **said["responses"]}
    for where, body in bodies.items():
        for media, content in body.get("content", {}).items():
            if media == "application/json":
                for example in content.get("examples", {}).values():
                    yield where, example["value"], content["schema"]


def _validate(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": SCHEMA["components"]}).validate(value)


@pytest.mark.parametrize("name", MAIN)
def test_examples_are_given_and_true_to_the_schema(name: str) -> None:
    shown = list(_shown(name))
    for _where, value, schema in shown:
        _validate(value, schema)
    sides = {"request" if where == "request" else "answer" for where, _value, _schema in shown}
    assert sides == ({"request", "answer"} if name in SENDING else {"answer"})


def test_generated_clients_read_files_as_bytes() -> None:
    """They read the first media type they know."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    contents = [
        (name, answer["content"])
        for name, said in _operations()
        for answer in said["responses"].values()
        if "content" in answer
    ]
    files = {name: content for name, content in contents if binary in content.values()}
    assert {"exports_file", "parcels_label", "parcels_labels", "booking_files_results"} <= set(files)
    for name, content in files.items():
        assert next(iter(content)) == BYTES, name


def test_names_of_schemas_are_plain() -> None:
    marked = re.compile(r"BodyRequest$|^Paginated|^Patched|(?<!Null)Enum$")
    assert [name for name in SCHEMA["components"]["schemas"] if marked.search(name)] == []


def test_two_schemas_of_one_plain_name_are_refused() -> None:
    schemas: dict[str, Any] = {"BookingRequest": {}, "BookingBodyRequest": {}}
    with pytest.raises(ValueError, match="BookingRequest"):
        name_components({"components": {"schemas": schemas}})


def test_a_body_that_is_a_list_must_be_sent() -> None:
    for name in ("scans_create", "parcels_batch_create", "parcels_cancel_batch"):
        method, path = OPERATIONS[name]
        assert SCHEMA["paths"][path][method]["requestBody"]["required"] is True, name


def test_every_body_of_json_is_shown_by_a_true_example() -> None:
    for name in OPERATIONS:
        shown = [(value, schema) for where, value, schema in _shown(name) if where == "request"]
        method, path = OPERATIONS[name]
        bodies = SCHEMA["paths"][path][method].get("requestBody", {}).get("content", {})
        assert bool(shown) == ("application/json" in bodies), name
        for value, schema in shown:
            _validate(value, schema)


def test_numbers_in_examples_are_tracking_numbers() -> None:
    assert tracking_number(parse_tracking_number(examples.NUMBER)) == examples.NUMBER
