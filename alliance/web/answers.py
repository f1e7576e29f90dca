"""Middleware of answers: compressed, with an ETag for programs that poll, and at addresses with a slash."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.middleware.http import ConditionalGetMiddleware
from django.urls import is_valid_path

_API: Final = "/api/v1/"
_TEXTS: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/vnd.oai.openapi",
    "application/javascript",
    "image/svg+xml",
)


class CompressMiddleware(GZipMiddleware):
    """Compress texts for clients that take gzip.

    Lengths tell nothing about secrets beside what a reader sent (BREACH): Django masks CSRF tokens anew in
    every page and adds random bytes. Files are streamed as they are: compressing them would hold a thread.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or not response.get("Content-Type", "").startswith(_TEXTS):
            return response
        return super().process_response(request, response)


class ApiETagMiddleware(ConditionalGetMiddleware):
    """Give what the API reads an ETag, and answer 304 to who has it already."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code != 200 or not request.path_info.startswith(_API):
            return response
        return super().process_response(request, response)

    def needs_etag(self, response: HttpResponseBase) -> bool:
        # Also where no cache may keep the answer: the client itself may.
        return True


class ApiSlashMiddleware:
    """Serve an address of the API that ends with a slash, which there is only without one.

    Not by a redirect: clients repeat a POST as a GET.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith(_API) and path.endswith("/") and is_valid_path(path.removesuffix("/")):
            request.path_info = path.removesuffix("/")
            request.path = request.path.removesuffix("/")
        return self.get_response(request)
