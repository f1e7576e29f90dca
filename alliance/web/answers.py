"""Answers: compressed, with an ETag for programs that poll, and at addresses with a slash.

Each is a function, which programs' short stack calls, and a middleware of pages.
"""

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.urls import is_valid_path
from django.utils.cache import get_conditional_response
from django.utils.http import parse_http_date_safe

GetResponse = Callable[[HttpRequest], HttpResponseBase]
_API: Final = "/api/v1/"
_TEXTS: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/vnd.oai.openapi",
    "application/javascript",
    "image/svg+xml",
)
# Shorter ones would hardly become shorter: Django's own limit.
_LEAST_BYTES: Final = 200
_CONDITIONS: Final = (
    *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"),
    *("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"),
)


class CompressMiddleware(GZipMiddleware):
    """Compress texts for clients that take gzip.

    Lengths tell nothing about secrets beside what a reader sent (BREACH): Django masks CSRF tokens anew in
    every page and adds random bytes. Files are streamed as they are: compressing them would hold a thread.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or len(response.content) < _LEAST_BYTES:  # type: ignore[attr-defined]
            return response
        if not response.get("Content-Type", "").startswith(_TEXTS) or response.has_header("Content-Encoding"):
            return response
        if "gzip" not in request.META.get("HTTP_ACCEPT_ENCODING", ""):
            vary_by(response, "Accept-Encoding")
            return response
        return super().process_response(request, response)


def vary_by(response: HttpResponseBase, name: str) -> None:
    """Say that an answer depends on a header, like Django's `patch_vary_headers`, which takes far longer."""
    before = response.headers.get("Vary")
    if not before:
        response.headers["Vary"] = name
    elif "*" not in before and name.lower() not in before.lower():
        response.headers["Vary"] = f"{before}, {name}"


def with_etag(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give what the API reads an ETag; return 304 in its place for who has it already.

    Also where no cache may keep the answer: the client itself may.
    """
    if request.method != "GET" or response.status_code != 200 or not request.path_info.startswith(_API):
        return response
    if not response.streaming and not response.has_header("ETag"):
        content: bytes = response.content  # type: ignore[attr-defined]
        if content:
            # SHA-1: processors have instructions for it, which makes it several times as fast as MD5.
            digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            response.headers["ETag"] = f'"{digest}"'
    if not any(name in request.META for name in _CONDITIONS):
        return response
    etag, modified = response.get("ETag"), response.get("Last-Modified")
    if not (etag or modified):
        return response
    conditional = get_conditional_response(
        request,
        etag=etag,
        last_modified=parse_http_date_safe(modified) if modified else None,
        response=cast(HttpResponse, response),
    )
    return cast(HttpResponseBase, conditional)


class ApiETagMiddleware:
    """Calls `with_etag` for the API's calls of pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return with_etag(request, self.get_response(request))


def drop_slash(request: HttpRequest) -> None:
    """Serve an address of the API that ends with a slash, which there is only without one.

    Not by a redirect: clients repeat a POST as a GET.
    """
    path = request.path_info
    if path.endswith("/") and path.startswith(_API) and is_valid_path(path.removesuffix("/")):
        request.path_info = path.removesuffix("/")
        request.path = request.path.removesuffix("/")


class ApiSlashMiddleware:
    """Calls `drop_slash` for the API's calls of pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        drop_slash(request)
        return self.get_response(request)


def begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the parts of a file, the first of them made by now: an outage is an answer, not half a file."""
    return chain([next(parts)], parts)
