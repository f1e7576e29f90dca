"""The log of requests: one line each, when it is answered or when its view has failed."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from alliance.call_log.buffer import note_call
from alliance.logs import write_line
from alliance.web.http import exact_address

log = structlog.get_logger(__name__)
_LOGGER = logging.getLogger(__name__)


class RequestLogMiddleware:
    """Writes the line of a page's request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        log_failures()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        log_answer(request, response)
        return response


def log_failures() -> None:
    """Log exceptions that no view handles from now on."""
    got_request_exception.connect(_log_failure, dispatch_uid="request_log")


def log_answer(request: HttpRequest, response: HttpResponseBase) -> None:
    """Write the line of a request, with its id and the client's address bound by `identify`.

    Calls of programs are noted for the log that their owners read, too.
    """
    if request.path.startswith("/api/") and "HTTP_AUTHORIZATION" in request.META:
        seconds = time.perf_counter() - getattr(request, "begun", time.perf_counter())
        note_call(request, response, seconds=seconds, address=exact_address(request))
    if not has_line(request):
        request.has_log_line = True  # type: ignore[attr-defined]
        status = response.status_code
        line = {"code": status, "request": _words_of(request), "event": "request_finished"}
        write_line(_LOGGER, _level_of(status), line)
    if isinstance(response, StreamingHttpResponse):
        # Also has gunicorn send files in pieces, with our limit of time for each, not by sendfile().
        content: Any = response.streaming_content
        response.streaming_content = _logged(content, structlog.contextvars.get_contextvars())


def has_line(request: HttpRequest) -> bool:
    return getattr(request, "has_log_line", False)


def _words_of(request: HttpRequest) -> str:
    return f"{request.method} {request.get_full_path()}"


def _level_of(status: int) -> int:
    if status >= 500:
        return logging.ERROR
    return logging.WARNING if status >= 400 else logging.INFO


def _log_failure(sender: object, request: HttpRequest | None = None, **_signal: object) -> None:
    """Log an exception that no view handled. Receives Django's signal `got_request_exception`."""
    if request is not None and not has_line(request):
        request.has_log_line = True  # type: ignore[attr-defined]
        log.error("request_failed", code=500, request=_words_of(request), exc_info=sys.exc_info())


def _logged(content: Iterator[bytes], context: dict[str, Any]) -> Iterator[bytes]:
    with structlog.contextvars.bound_contextvars(**context):
        try:
            yield from content
        except Exception:
            log.exception("streaming_failed")
            raise
