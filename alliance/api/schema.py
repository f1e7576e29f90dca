"""The parts of the OpenAPI schema that all operations share: error responses and headers.

Views describe their successful responses; errors come from one handler, so they are described
in one place.
"""

import re
from collections import Counter
from collections.abc import Iterator
from threading import Lock
from typing import Any, ClassVar, Final

from django.utils.translation import get_language
from drf_spectacular.generators import SchemaGenerator

from alliance.api.errors import PROBLEM_JSON

# Status -> when it is returned, and the code in the example's type.
REFUSALS: dict[str, tuple[str, str]] = {
    "400": ("The request cannot be read.", "malformed"),
    "401": ("The API key is missing, unknown or revoked.", "not_authenticated"),
    "403": ("The key's permissions or the user's role do not allow this.", "not_permitted"),
    "404": ("Not found, or not yours.", "not_found"),
    "406": ("`Accept` does not allow JSON.", "not_acceptable"),
    "408": ("The body arrived too slowly.", "too_slow"),
    "409": ("The current state does not allow this.", "conflict"),
    "413": ("The body is too large.", "too_large"),
    "414": ("The address is too long.", "address_too_long"),
    "415": ("The content type is not supported.", "unsupported_media_type"),
    "422": ("The input is not valid; `errors` says where.", "invalid"),
    "429": ("Too many requests.", "too_many_requests"),
    "503": ("Nothing was done; send the request again.", "unavailable"),
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A problem as in RFC 9457.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "`urn:alliance:problem:` followed by a stable code."},
        "title": {"type": "string", "description": "In the language of the request."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people, in the language of the request."},
        "request_id": {"type": "string", "description": "Quote it when you ask for help."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) into the input."},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
        "line": {"type": "integer", "description": "Of malformed JSON: the line, from 1."},
        "column": {"type": "integer", "description": "Of malformed JSON: the column, from 1."},
        "available": {
            "description": "Of a refused booking: what can be booked now; null if nothing can.",
            "oneOf": [{"$ref": "#/components/schemas/AvailableAnswer"}, {"type": "null"}],
        },
    },
}
HEADERS: dict[str, Any] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "RateLimit": {"description": 'Requests left, such as `"key";r=1199;t=42`.', "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": 'Requests allowed per window, such as `"key";q=1200;w=60`.',
        "schema": {"type": "string"},
    },
}

BYTES: Final = "application/octet-stream"
_FILE: Final = {"type": "string", "format": "binary"}
# What drf-spectacular calls a schema -> what it is.
_PLAIN_NAMES: Final = (
    (re.compile(r"^Paginated(\w+?)AnswerList$"), r"\1Page"),
    (re.compile(r"^Patched(\w+?)(?:Body)?Request$"), r"\1Request"),
    (re.compile(r"BodyRequest$"), "Request"),
    (re.compile(r"(?:Answer|Item)(Status|State|Reasons)Enum$"), r"\1"),
    (re.compile(r"(?<!Null)Enum$"), ""),
)

_making: Final = Lock()


class KeptSchema(SchemaGenerator):
    """The schema, made once by each process in each language.

    One at a time: the generator keeps its state in classes of its own, so that of two callers in a new
    process one was answered with an error of the other's. And it computes for a second.
    """

    _kept: ClassVar[dict[tuple[bool, str | None], Any]] = {}

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        key = public, get_language()
        with _making:
            if key not in self._kept:
                self._kept[key] = super().get_schema(request, public)
            return self._kept[key]


def offer_bytes(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Describe every answer that may be a file as bytes, first. A hook of drf-spectacular.

    Generated clients read the first media type they know: none knows PDF, and a workbook read as text, or as
    JSON, is broken.
    """
    for methods in result["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                content = answer.get("content", {})
                file = next((media for media in content.values() if media.get("schema") == _FILE), None)
                if file is not None:
                    answer["content"] = {BYTES: {"schema": _FILE}, **content}
    return result


def require_bodies(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Say of bodies that are lists that they must be sent. A hook, as above."""
    for methods in result["paths"].values():
        for operation in methods.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                schema = media["schema"]
                name = schema.get("$ref", "").rpartition("/")[2]
                kinds = result["components"]["schemas"].get(name, schema)
                if kinds.get("type") == "array" or "oneOf" in kinds:
                    operation["requestBody"]["required"] = True
    return result


def name_components(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Give schemas the names that clients are to read: `BookingRequest`, `PickupPage`. A hook, as above."""
    schemas = result["components"]["schemas"]
    renamed = {name: _plain_name(name) for name in schemas}
    if len(set(renamed.values())) != len(renamed):
        twice = [name for name, times in Counter(renamed.values()).items() if times > 1]
        raise ValueError(f"Two schemas would be called {', '.join(sorted(twice))}: rename a serializer.")
    result["components"]["schemas"] = {renamed[name]: schema for name, schema in schemas.items()}
    _refer_to(result, renamed)
    return result


def _plain_name(name: str) -> str:
    for pattern, plain in _PLAIN_NAMES:
        name = pattern.sub(plain, name)
    return name


def _refer_to(node: Any, renamed: dict[str, str]) -> None:
    """Change references inside a node to the new names."""
    if isinstance(node, list):
        for inner in node:
            _refer_to(inner, renamed)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            prefix, _, name = value.rpartition("/")
            if prefix == "#/components/schemas":
                node[key] = f"{prefix}/{renamed.get(name, name)}"
        else:
            _refer_to(value, renamed)


def describe_refusals(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Add its possible error responses to each operation. A hook of drf-spectacular."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {f"Refused{status}": _refusal(status) for status in REFUSALS}
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            for status in _statuses(path, method, operation):
                responses.setdefault(status, {"$ref": f"#/components/responses/Refused{status}"})
            operation["responses"] = dict(sorted(responses.items()))
    return result


def _statuses(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from ("406", "414", "429", "503")
    if operation.get("security"):
        yield from ("401", "403")
    if "{" in path:
        yield "404"
    if method == "get":
        # Unknown parameters are refused by operations without parameters, too.
        yield "422"
    if path.endswith(("/file", "/label")):
        # Not written yet; of a cancelled parcel.
        yield "409"
    if method in {"post", "put", "patch"}:
        yield from ("400", "408", "409", "413", "415", "422")


def _refusal(status: str) -> dict[str, Any]:
    about, code = REFUSALS[status]
    example = {
        "type": f"urn:alliance:problem:{code}",
        "title": about,
        "status": int(status),
        "detail": about,
        "request_id": "8a5ee1b0c2f94d3f9f2b7a4f6f1f2f10",
    }
    if status == "422":
        example["errors"] = [
            {"pointer": "/weight_g", "detail": "This field is required.", "code": "required"}
        ]
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    refusal: dict[str, Any] = {"description": about, "content": content}
    if status == "429":
        refusal["headers"] = HEADERS
    if status == "503":
        refusal["headers"] = {"Retry-After": HEADERS["Retry-After"]}
    return refusal
