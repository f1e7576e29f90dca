"""The files of requests to try: one for each operation, with bodies that fit the schema."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator

from alliance.api.collections import example_of, examples, http_file, postman_collection
from alliance.api.schema import KeptSchema

OPERATION = re.compile(
    r"### (?P<name>[^\n]+)\n# @name (?P<id>\w+)\n(?P<method>[A-Z]+) \{\{server\}\}(?P<path>\S+)\n"
    r"(?:(?:[A-Za-z-]+: |# )[^\n]*\n)*(?:\n(?P<body>[{\[].*?))?(?=\n### |\Z)",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return KeptSchema().get_schema(None, public=True)


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in schema["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


def test_every_body_of_the_http_file_fits_its_schema(schema: dict[str, Any]) -> None:
    found = {
        match["id"]: match for match in OPERATION.finditer(http_file(schema, server="https://x.example"))
    }
    known = operations(schema)
    assert found.keys() == known.keys()
    checked = 0
    for name, match in found.items():
        assert "{" not in match["path"], name
        content = known[name].get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            assert match["body"] is None, name
            continue
        whole = {**content["application/json"]["schema"], "components": schema["components"]}
        errors = [
            error.message for error in Draft202012Validator(whole).iter_errors(json.loads(match["body"]))
        ]
        assert errors == [], name
        checked += 1
    assert checked > 15


def test_the_collection_has_the_same_requests(schema: dict[str, Any]) -> None:
    collection = postman_collection(schema, server="https://x.example")
    items = [item for folder in collection["item"] for item in folder["item"]]
    assert len(items) == len(list(examples(schema))) == len(operations(schema))
    assert all(json.loads(item["request"]["body"]["raw"]) for item in items if "body" in item["request"])
    open_to_all = {item["request"]["url"]["raw"] for item in items if "auth" in item["request"]}
    assert any("/tracking/" in url for url in open_to_all)
    assert all("/parcels" not in url for url in open_to_all)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": ["null", "integer"], "minimum": 5}, 5),
        ({"enum": ["", "a"]}, "a"),
        ({"oneOf": [{"type": "null"}, {"const": 2}]}, 2),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"$ref": "#/components/schemas/Own"}, {"again": {"again": {}}}),
    ],
)
def test_examples_are_made_of_types(
    part: dict[str, Any], value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alliance.api.collections._DEEPEST", 2)
    own = {
        "type": "object",
        "required": ["again"],
        "properties": {"again": {"$ref": "#/components/schemas/Own"}},
    }
    assert example_of({"components": {"schemas": {"Own": own}}}, part) == value


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "begins"), [("/api/requests.http", b"# Courier"), ("/api/postman.json", b"{")]
)
def test_anybody_downloads_them(client: Client, address: str, begins: bytes) -> None:
    response = client.get(address)
    assert response.status_code == 200
    assert response.content.startswith(begins)
    assert "attachment" in response["Content-Disposition"]
    assert "public" in response["Cache-Control"]


def test_the_command_writes_them(tmp_path: Path) -> None:
    call_command("api_collection", "http", tmp_path / "x.http")
    assert "{{server}}" in (tmp_path / "x.http").read_text()
