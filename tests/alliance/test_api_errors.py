"""Every refusal of the API is a problem document (RFC 9457), whichever layer it comes from."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alliance.api.errors import field_errors
from alliance.api.errors import problem as problem_body
from alliance.errors import FieldError, InvalidInput
from alliance.models import User
from tests.alliance.helpers.problems import problem

pytestmark = pytest.mark.django_db
JSON = {"content_type": "application/json"}


def test_missing_key_is_401_with_the_scheme(client: Client) -> None:
    response = client.get("/api/v1/parcels")
    problem(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "nonsense", "ca_0000000000_" + "A" * 43])
def test_a_bad_key_is_no_key(client: Client, token: str) -> None:
    response = client.get("/api/v1/parcels", headers={"Authorization": f"Bearer {token}"})
    problem(response, 401)


def test_session_without_its_token_is_told_what_to_send(merchant_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(merchant_user)
    body = problem(client.post("/api/v1/quotes", {}, **JSON), 403)
    assert body["type"] == "urn:alliance:problem:csrf"
    assert "X-CSRFToken" in body["detail"]


def test_a_capability_that_is_missing_is_403(courier_api: APIClient) -> None:
    body = problem(courier_api.post("/api/v1/quotes", {}), 403)
    assert body["type"] == "urn:alliance:problem:not_permitted"


def test_key_without_scope_is_refused_with_the_scope(courier_api: APIClient) -> None:
    body = problem(courier_api.get("/api/v1/exports"), 403)
    assert body["detail"] == "This needs a key with the permission “export”: create one that has it."


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/", "/api/v2/parcels"])
def test_unknown_addresses_are_problems_for_everybody(
    client: Client, courier_api: APIClient, path: str
) -> None:
    assert problem(client.get(path), 404)["type"] == "urn:alliance:problem:not_found"
    problem(courier_api.get(path), 404)


def test_objects_of_others_are_not_found(courier_api: APIClient) -> None:
    unknown = problem(courier_api.get("/api/v1/parcels/CA180HFPF3JNCPRS"), 404)
    assert unknown["type"] == "urn:alliance:problem:not_found"


def test_wrong_method_lists_the_allowed_ones(courier_api: APIClient) -> None:
    response = courier_api.delete("/api/v1/scans")
    assert problem(response, 405)["type"] == "urn:alliance:problem:method_not_allowed"
    assert "POST" in response["Allow"]


def test_unsupported_accept_header_is_406(courier_api: APIClient) -> None:
    response = courier_api.get("/api/v1/parcels", headers={"Accept": "application/xml"})
    assert problem(response, 406)["type"] == "urn:alliance:problem:not_acceptable"


@pytest.mark.parametrize("path", ["/api/v1/quotes", "/api/v1/parcels", "/api/v1/parcels/batch"])
def test_a_body_of_another_type_is_415(merchant_api: APIClient, path: str) -> None:
    response = merchant_api.post(path, "a=b", content_type="application/x-www-form-urlencoded")
    assert problem(response, 415)["type"] == "urn:alliance:problem:unsupported_media_type"


@pytest.mark.parametrize("body", ["{", "", "[1,", '{"a": NaN}', "\x00", '"\\ud800'])
@pytest.mark.parametrize("path", ["/api/v1/quotes", "/api/v1/parcels", "/api/v1/parcels/batch"])
def test_a_body_that_is_not_json_is_a_problem(merchant_api: APIClient, path: str, body: str) -> None:
    response = merchant_api.generic("POST", path, body, **JSON)
    assert response.status_code in (400, 422)
    problem(response, response.status_code)


def test_scans_that_are_not_json_are_malformed(courier_api: APIClient) -> None:
    body = problem(courier_api.generic("POST", "/api/v1/scans", "{", **JSON), 400)
    assert body["type"] == "urn:alliance:problem:malformed"


def test_invalid_input_points_at_each_place(merchant_api: APIClient) -> None:
    body = problem(merchant_api.post("/api/v1/parcels", {"recipient": {}, "nonsense": 1}), 422)
    pointers = {error["pointer"] for error in body["errors"]}
    assert {"/tier", "/destination", "/weight_g", "/recipient/name", "/nonsense"} <= pointers
    assert all(error["code"] and error["detail"] for error in body["errors"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("parcels?cursor=nonsense", "/cursor"),
        ("breaches?cursor=%FF", "/cursor"),
        ("parcels?status=nonsense", "/status"),
        ("parcels?booked_from=tomorrow", "/booked_from"),
        ("rates?from=x", "/from"),
        ("rates?group_by=x", "/group_by"),
        ("breaches?state=x", "/state"),
    ],
)
def test_a_query_that_makes_no_sense_is_422(merchant_api: APIClient, query: str, pointer: str) -> None:
    body = problem(merchant_api.get(f"/api/v1/{query}"), 422)
    assert [error["pointer"] for error in body["errors"]] == [pointer]


@pytest.mark.usefixtures("in_one_minute")
def test_call_over_the_limit_has_retry_after(merchant_api: APIClient, settings: Any) -> None:
    settings.API_RATE_PER_MINUTE = 2
    first, second, third = (merchant_api.get("/api/v1/tiers") for _call in range(3))
    assert [first.status_code, second.status_code] == [200, 200]
    assert first["RateLimit-Policy"] == '"key";q=2;w=60'
    assert first["RateLimit"].startswith('"key";r=1;t=')
    assert problem(third, 429)["type"] == "urn:alliance:problem:too_many_requests"
    assert 40 <= int(third["Retry-After"]) <= 46
    assert third.json()["detail"] == f"Too many requests. Try again in {third['Retry-After']} seconds."
    assert third["RateLimit"].startswith('"key";r=0;t=')


@pytest.mark.usefixtures("in_one_minute")
def test_tracking_over_the_limit_has_retry_after(client: Client, settings: Any) -> None:
    settings.TRACKING_RATE_PER_MINUTE = 1
    problem(client.get("/api/v1/tracking/CA180HFPF3JNCPRS"), 404)
    response = client.get("/api/v1/tracking/CA180HFPF3JNCPRS")
    problem(response, 429)
    assert 40 <= int(response["Retry-After"]) <= 46


@pytest.mark.usefixtures("in_one_minute")
def test_one_key_does_not_use_up_anothers_calls(
    merchant_api: APIClient, courier_api: APIClient, settings: Any
) -> None:
    settings.API_RATE_PER_MINUTE = 1
    merchant_api.get("/api/v1/tiers")
    problem(merchant_api.get("/api/v1/tiers"), 429)
    assert courier_api.get("/api/v1/tiers").status_code == 200


def test_request_id_of_the_client_is_returned(client: Client) -> None:
    body = problem(client.get("/api/v1/parcels", headers={"X-Request-Id": "from-the-client"}), 401)
    assert body["request_id"] == "from-the-client"


def test_field_errors_escape_what_json_pointers_escape() -> None:
    detail = {"a/b": ["one"], "c~d": {"non_field_errors": ["two"]}, "list": [{}, {"x": ["three"]}]}
    assert list(field_errors(detail)) == [
        FieldError("/a~1b", "one"),
        FieldError("/c~0d", "two"),
        FieldError("/list/1/x", "three"),
    ]


def test_lone_surrogate_is_escaped_in_a_message(courier_api: APIClient) -> None:
    request_body = json.dumps({"reason": "\ud800"})
    body = problem(courier_api.post("/api/v1/excuses", request_body, content_type="application/json"), 422)
    details = {error["pointer"]: error["detail"] for error in body["errors"]}
    assert "\\ud800" in details["/reason"]


def test_lone_surrogate_is_escaped_in_a_pointer() -> None:
    errors = problem_body(InvalidInput(errors=[FieldError("/a\udfff", "Unknown field.")]))["errors"]
    assert errors[0]["pointer"] == "/a\\udfff"


def test_json_nested_too_deeply_for_an_excuse_is_malformed(courier_api: APIClient) -> None:
    problem(courier_api.post("/api/v1/excuses", "[" * 100_000, content_type="application/json"), 400)


def test_a_parameter_where_there_are_none_is_refused(courier_api: APIClient) -> None:
    body = problem(courier_api.get("/api/v1/tiers", {"tier": "standard"}), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/tier"]
