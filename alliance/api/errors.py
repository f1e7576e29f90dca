"""Errors of the API as problem+json (RFC 9457)."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from alliance.database.retirement import explained
from alliance.errors import (
    AllianceError,
    FieldError,
    InvalidInput,
    MalformedInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooMany,
)

PROBLEM_JSON = "application/problem+json"


def problem(error: AllianceError) -> dict[str, Any]:
    """Return the body that tells a program, and its author, what was wrong and where."""
    body: dict[str, Any] = {
        "type": f"urn:alliance:problem:{error.reason}",
        "title": str(error.title),
        "status": error.status,
        "detail": _encodable(error.detail),
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    if error.errors:
        body["errors"] = [
            {"pointer": _encodable(item.pointer), "detail": _encodable(str(item.message)), "code": item.code}
            for item in error.errors
        ]
    return body


def _encodable(text: str) -> str:
    """JSON can spell half a surrogate pair, UTF-8 cannot: what is told back of the input has it spelt out."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def problem_response(raised: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error of every view, in one form, rolled back."""
    error = translate(raised)
    if error is None:
        return None
    error = explained(error, context.get("kwargs", {}))
    if connection.in_atomic_block:
        transaction.set_rollback(True)
    response = Response(problem(error), status=error.status, content_type=PROBLEM_JSON)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if isinstance(error, NotAuthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="alliance"'
    return response


def problem_page(request: HttpRequest, error: AllianceError) -> JsonResponse:
    """The same outside DRF: unknown API addresses, and errors raised around a view."""
    response = JsonResponse(problem(error), status=error.status, content_type=PROBLEM_JSON)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def translate(raised: Exception) -> AllianceError | None:
    """Return our error for DRF's and Django's, or None for what is a bug of ours."""
    match raised:
        case AllianceError():
            return raised
        case Http404():
            return NotFound()
        case PermissionDenied() | exceptions.PermissionDenied():
            return NotPermitted()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return NotAuthenticated()
        case exceptions.ParseError():
            return MalformedInput(str(raised.detail))
        case exceptions.Throttled():
            return TooMany(retry_after=int(getattr(raised, "wait", None) or 1))
        case exceptions.ValidationError():
            return InvalidInput(errors=list(field_errors(raised.detail)))
        case exceptions.APIException():
            error = AllianceError(str(raised.detail), code=str(raised.default_code))
            error.status = raised.status_code  # type: ignore[misc]
            return error
    return None


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """Walk a DRF error detail and give each message its JSON pointer."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            part = "" if key == "non_field_errors" else "/" + str(key).replace("~", "~0").replace("/", "~1")
            yield from field_errors(value, pointer + part)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            yield from field_errors(value, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer, str(detail), str(getattr(detail, "code", "invalid")))
