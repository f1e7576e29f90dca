"""Errors of the API as problem+json (RFC 9457)."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from alliance.database.retirement import explain_not_found
from alliance.errors import (
    AllianceError,
    FieldError,
    InvalidInput,
    MalformedInput,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooMany,
    UnsupportedType,
    WrongMethod,
)

PROBLEM_JSON = "application/problem+json"


def problem(error: AllianceError) -> dict[str, Any]:
    """Return the problem document of an error."""
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
    return body | error.members


def _encodable(text: str) -> str:
    """Escape lone surrogates of the input: JSON can hold them, UTF-8 cannot."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def problem_response(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error of every view as a problem document, rolled back."""
    error = _refused_format(exception, context.get("view")) or translate(exception)
    if error is None:
        return None
    error = explain_not_found(error, context.get("kwargs", {}))
    if connection.in_atomic_block:
        transaction.set_rollback(True)
    if (request := context.get("request")) is not None:
        # Whatever the view would have answered in, or could not.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    response = Response(problem(error), status=error.status, content_type=PROBLEM_JSON)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if isinstance(error, NotAuthenticated):
        response["WWW-Authenticate"] = 'Bearer realm="alliance"'
    return response


def problem_page(request: HttpRequest, error: AllianceError) -> JsonResponse:
    """The same outside DRF: for unknown API URLs, and errors raised by middleware."""
    response = JsonResponse(problem(error), status=error.status, content_type=PROBLEM_JSON)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def _refused_format(exception: Exception, view: Any) -> AllianceError | None:
    """Return our error for a method or a type that a view does not know, which says what it knows."""
    match exception:
        case exceptions.MethodNotAllowed():
            methods = ", ".join(view.allowed_methods)
            return WrongMethod(_("This address takes only: %(methods)s.") % {"methods": methods})
        case exceptions.NotAcceptable():
            types = ", ".join(renderer.media_type for renderer in view.renderer_classes)
            return NotAcceptable(_("The answer is %(types)s: allow it by Accept.") % {"types": types})
        case exceptions.UnsupportedMediaType():
            types = ", ".join(parser.media_type for parser in view.parser_classes)
            return UnsupportedType(_("Send the body as %(types)s.") % {"types": types})
    return None


def translate(exception: Exception) -> AllianceError | None:
    """Return our error for one of DRF or Django, or None for a bug of ours."""
    match exception:
        case AllianceError():
            return exception
        case Http404():
            return NotFound()
        case PermissionDenied() | exceptions.PermissionDenied():
            return NotPermitted()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return NotAuthenticated()
        case exceptions.ParseError():
            return MalformedInput(str(exception.detail))
        case exceptions.Throttled():
            return TooMany.for_now(int(getattr(exception, "wait", None) or 1))
        case exceptions.ValidationError():
            return InvalidInput(errors=list(field_errors(exception.detail)))
        case exceptions.APIException():
            error = AllianceError(str(exception.detail), code=str(exception.default_code))
            error.status = exception.status_code  # type: ignore[misc]
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
            is_nested = isinstance(value, dict | list)
            yield from field_errors(value, f"{pointer}/{index}" if is_nested else pointer)
    else:
        code = str(getattr(detail, "code", "invalid"))
        # The framework's own text names types of Python.
        yield FieldError(pointer, _("Send a list.") if code == "not_a_list" else str(detail), code)
