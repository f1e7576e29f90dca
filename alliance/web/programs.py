"""The short way of programs' calls.

`settings.MIDDLEWARE` begins with `ProgramMiddleware`: it answers calls of programs by itself, and passes
those of pages on to the rest of the list.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils import translation
from django.utils.translation.trans_real import get_supported_language_variant

from alliance.web.answers import CompressMiddleware, drop_slash, vary_by, with_etag
from alliance.web.cross_origin import open_to_scripts, preflight
from alliance.web.metrics import count_answer, count_failures
from alliance.web.middleware import AdmissionMiddleware, TenancyMiddleware, ask_to_come_later, identify
from alliance.web.privacy import PERMISSIONS_POLICY, TO_BE_ASKED_AGAIN
from alliance.web.request_log import log_answer, log_failures
from alliance.web.routes import StaticRoutes

GetResponse = Callable[[HttpRequest], HttpResponseBase]
API: Final = "/api/v1/"
PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
# Nothing that programs get is a page; if a browser shows it as one, the page may do nothing.
POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


def is_program_call(request: HttpRequest) -> bool:
    """Tell whether a request is for the API, or a probe, and has no cookie.

    With a cookie it is from a page of ours: sessions, CSRF tokens and a chosen language need the long stack.
    """
    path = request.path_info
    return (path.startswith(API) or path in PROBES) and not request.META.get("HTTP_COOKIE")


class ProgramMiddleware:
    """Answers programs' calls by the short way."""

    def __init__(self, get_response: GetResponse) -> None:
        self._of_pages = get_response
        self._of_programs = ProgramHandler().answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_program_call(request):
            return self._of_programs(request)
        return self._of_pages(request)


class ProgramHandler(BaseHandler):
    """Answers a call: what pages have a middleware each for, one after the other.

    A middleware takes two calls and a trap for exceptions; fourteen of them took longer than a light view.
    """

    policy = POLICY

    def __init__(self) -> None:
        self._tenancy = TenancyMiddleware(self._get_response)  # type: ignore[attr-defined]
        self._admit = AdmissionMiddleware(self._tenancy)  # type: ignore[arg-type]
        self._security = SecurityMiddleware(_no_response)
        self._compression = CompressMiddleware(_no_response)
        self._routes = StaticRoutes()
        # What Django's handler calls around the view.
        self._view_middleware = [self._tenancy.process_view]
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._headers = {scheme: self._headers_of(scheme) for scheme in ("http", "https")}
        count_failures()
        log_failures()

    def answer(self, request: Any) -> HttpResponseBase:
        begun = time.perf_counter()
        request_id = identify(request)
        language = self.speak_language_of(request)
        try:
            response = self._redirected(request) or self._admitted(request)
        except Exception as error:  # noqa: BLE001 -- as Django does around each middleware
            response = response_for_exception(request, error)
        response = with_etag(request, response)
        open_to_scripts(request, response)
        ask_to_come_later(response)
        log_answer(request, response)
        self.add_headers(request, response, request_id, language)
        response = self._compression.process_response(request, response)
        count_answer(request, response, begun)
        return response

    def speak_language_of(self, request: HttpRequest) -> str:
        return speak_language_of(request)

    def resolve_request(self, request: HttpRequest) -> Any:
        request.resolver_match = self._routes.resolve(request.path_info)
        return request.resolver_match

    def _redirected(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return the way to HTTPS if a call came without it."""
        return self._security.process_request(request) if self._security.redirect else None

    def _admitted(self, request: Any) -> HttpResponseBase:
        require_host_of_ours(request)
        drop_slash(request)
        return preflight(request) or self._admit(request)

    def _headers_of(self, scheme: str) -> dict[str, tuple[str, str]]:
        """Return the headers that all answers have: of Django's middleware for pages, and ours."""
        sample, request = HttpResponse(), HttpRequest()
        request.is_secure = lambda: scheme == "https"  # type: ignore[method-assign]
        del sample.headers["Content-Type"]
        self._security.process_response(request, sample)
        ours = {
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
            "Content-Security-Policy": self.policy,
            "Permissions-Policy": PERMISSIONS_POLICY,
            "Cache-Control": TO_BE_ASKED_AGAIN,
        }
        return {name.lower(): (name, value) for name, value in {**dict(sample.items()), **ours}.items()}

    def add_headers(self, request: Any, response: Any, request_id: str, language: str) -> None:
        """Add what the view has not set. All is plain ASCII: Django's own way looks at each encoding."""
        stored = response.headers._store  # noqa: SLF001
        stored["x-request-id"] = ("X-Request-Id", request_id)
        stored.setdefault("content-language", ("Content-Language", language))
        if not response.streaming and response.status_code != 304:
            stored.setdefault("content-length", ("Content-Length", str(len(response.content))))
        vary_by(response, "Accept-Language")
        for name, header in self._headers[request.scheme].items():
            stored.setdefault(name, header)


def _no_response(_request: HttpRequest) -> HttpResponseBase:
    """Stand in for the next middleware of one that is only asked for its parts."""
    raise NotImplementedError


def require_host_of_ours(request: HttpRequest) -> None:
    """Raise DisallowedHost for a name of this server that is not one of ours."""
    host = (request.META.get("HTTP_HOST"), *settings.ALLOWED_HOSTS)
    if host not in _known_hosts:
        request.get_host()
        if len(_known_hosts) >= _MOST_HOSTS:
            _known_hosts.clear()
        _known_hosts.add(host)


# Host and all that are allowed: with wildcards there is no end to names.
_known_hosts: set[tuple[str | None, ...]] = set()
_MOST_HOSTS: Final = 1_000


def speak_language_of(request: HttpRequest) -> str:
    """Have texts be in the language that a call asks for; return it."""
    language = _language_of(request.META.get("HTTP_ACCEPT_LANGUAGE", ""), settings.LANGUAGE_CODE)
    translation.activate(language)
    return language


@lru_cache(maxsize=1_000)
def _language_of(accepted: str, otherwise: str) -> str:
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = accepted
    return (
        translation.get_language_from_request(request)
        if accepted
        else get_supported_language_variant(otherwise)
    )
