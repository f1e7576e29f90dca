"""Requests to try, made from the schema: an `.http` file for editors, and a Postman collection.

One request for each operation, with an example of its body: of the schema where it has one, else made of the
types, so that it fits.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_OF_FORMAT: Final = {
    "date": "2026-12-01",
    "date-time": "2026-12-01T10:00:00+08:00",
    "uuid": "8a5ee1b0-c2f9-4d3f-9f2b-7a4f6f1f2f10",
    "email": "name@example.com",
    "uri": "https://example.com",
}
# How deep an example goes: schemas may contain themselves.
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One request."""

    name: str
    group: str
    operation_id: str
    method: str
    path: str
    parameters: list[tuple[str, str]]
    content_type: str = ""
    body: Any = None
    needs_key: bool = True

    @property
    def text(self) -> str:
        return json.dumps(self.body, ensure_ascii=False, indent=2)


def examples(schema: dict[str, Any]) -> Iterator[Example]:
    """Yield a request for each operation, as the schema orders them."""
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if operation := methods.get(method):
                yield _example(schema, path, method, operation)


def _example(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Example:
    parameters = []
    for each in operation.get("parameters", []):
        parameter = _resolved(schema, each)
        value = str(example_of(schema, {**parameter.get("schema", {}), **_given(parameter)}))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value)
        elif parameter.get("required"):
            parameters.append((parameter["name"], value))
    content = operation.get("requestBody", {}).get("content", {})
    kind = "application/json" if "application/json" in content else next(iter(content), "")
    return Example(
        name=operation.get("summary") or operation["operationId"],
        group=next(iter(operation.get("tags", [])), ""),
        operation_id=operation["operationId"],
        method=method.upper(),
        path=path,
        parameters=parameters,
        content_type=kind,
        body=_body(schema, content[kind]) if kind == "application/json" else None,
        needs_key=bool(operation.get("security")),
    )


def _given(parameter: dict[str, Any]) -> dict[str, Any]:
    if "example" in parameter:
        return {"example": parameter["example"]}
    given = next(iter(parameter.get("examples", {}).values()), None)
    return {"example": given["value"]} if given and "value" in given else {}


def _body(schema: dict[str, Any], media: dict[str, Any]) -> Any:
    given = _given(media)
    return given["example"] if given else example_of(schema, media.get("schema", {}))


def example_of(schema: dict[str, Any], of: dict[str, Any], depth: int = 0) -> Any:
    """Return a value that fits a part of the schema, with the members that have to be there."""
    part = _resolved(schema, of)
    if "example" in part:
        return part["example"]
    if part.get("examples"):
        return part["examples"][0]
    for name in ("default", "const"):
        if part.get(name) is not None:
            return part[name]
    if values := [value for value in part.get("enum", []) if value not in (None, "")]:
        return values[0]
    for name in ("oneOf", "anyOf"):
        if choices := [each for each in part.get(name, []) if each.get("type") != "null"]:
            return example_of(schema, choices[0], depth)
    if "allOf" in part:
        return _of_all(schema, part, depth)
    return _of_type(schema, part, depth)


def _of_all(schema: dict[str, Any], part: dict[str, Any], depth: int) -> Any:
    values = [example_of(schema, each, depth) for each in part["allOf"]]
    if all(isinstance(value, dict) for value in values):
        return {name: value for each in values for name, value in each.items()}
    return values[0]


def _of_type(schema: dict[str, Any], part: dict[str, Any], depth: int) -> Any:
    kinds = part.get("type", "object" if "properties" in part else "string")
    kind = next((each for each in kinds if each != "null"), "null") if isinstance(kinds, list) else kinds
    if kind == "object":
        needed = part.get("required", []) if depth < _DEEPEST else []
        members = part.get("properties", {})
        return {name: example_of(schema, members.get(name, {}), depth + 1) for name in needed}
    if kind == "array":
        count = max(part.get("minItems", 1), 1) if depth < _DEEPEST else 0
        return [example_of(schema, part.get("items", {}), depth + 1)] * count
    if kind in ("integer", "number"):
        return part.get("minimum", part.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    return None if kind == "null" else _text(part)


def _text(part: dict[str, Any]) -> str:
    if part.get("format") in _OF_FORMAT:
        return _OF_FORMAT[part["format"]]
    text = "example"
    return text.ljust(part.get("minLength", 0), "x")[: part.get("maxLength", 1000)]


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = schema
        for word in part["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        part = {**found, **{name: value for name, value in part.items() if name != "$ref"}}
    return part


# --- files -------------------------------------------------------------------------------------------------


def http_file(schema: dict[str, Any], *, server: str) -> str:
    """Return the requests as an `.http` file, which editors send one by one."""
    lines = [
        f"# {schema['info']['title']} {schema['info']['version']}: a request for each operation.",
        "# Put a key of yours here. Values of examples are made up: numbers and ids have to be yours, too.",
        f"@server = {server}",
        "@key = ca_…",
    ]
    for each in examples(schema):
        query = "&".join(f"{name}={value}" for name, value in each.parameters)
        lines += ["", f"### {each.name}", f"# @name {each.operation_id}"]
        lines.append(f"{each.method} {{{{server}}}}{each.path}" + (f"?{query}" if query else ""))
        if each.needs_key:
            lines.append("Authorization: Bearer {{key}}")
        if each.body is not None:
            lines += [f"Content-Type: {each.content_type}", "", each.text]
        elif each.content_type:
            lines.append(f"# The body is {each.content_type}: see the documentation.")
    return "\n".join(lines) + "\n"


def postman_collection(schema: dict[str, Any], *, server: str) -> dict[str, Any]:
    """Return the requests as a Postman collection (2.1), a folder for each tag."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for each in examples(schema):
        folders.setdefault(each.group, []).append(_item(each))
    return {
        "info": {
            "name": schema["info"]["title"],
            "description": schema["info"].get("description", ""),
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{key}}", "type": "string"}]},
        "variable": [{"key": "server", "value": server}, {"key": "key", "value": ""}],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _item(each: Example) -> dict[str, Any]:
    query = [{"key": name, "value": value} for name, value in each.parameters]
    raw = f"{{{{server}}}}{each.path}" + (
        "?" + "&".join(f"{one['key']}={one['value']}" for one in query) if query else ""
    )
    request: dict[str, Any] = {
        "method": each.method,
        "header": [],
        "url": {"raw": raw, "host": ["{{server}}"], "path": each.path.strip("/").split("/"), "query": query},
    }
    if not each.needs_key:
        request["auth"] = {"type": "noauth"}
    if each.body is not None:
        request["header"].append({"key": "Content-Type", "value": each.content_type})
        request["body"] = {"mode": "raw", "raw": each.text, "options": {"raw": {"language": "json"}}}
    return {"name": each.name, "request": request, "response": []}
