"""The short stack of programs' calls.

`settings.MIDDLEWARE` begins with what every request passes. A call of a program leaves it at
`ProgramMiddleware` and goes on with `settings.PROGRAM_MIDDLEWARE`; pages go on with the rest of the list.
"""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.module_loading import import_string
from django.utils.translation.trans_real import get_supported_language_variant

from alliance.web.privacy import add_missing

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
    """Answers programs' calls by the short stack."""

    def __init__(self, get_response: GetResponse) -> None:
        self._of_pages = get_response
        self._of_programs = ProgramHandler().answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_program_call(request):
            return self._of_programs(request)
        return self._of_pages(request)


class ProgramHandler(BaseHandler):
    """The views behind settings.PROGRAM_MIDDLEWARE, as Django's handler puts them behind its own list."""

    def __init__(self) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        answer: Any = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for path in reversed(settings.PROGRAM_MIDDLEWARE):
            middleware = import_string(path)(answer)
            if hasattr(middleware, "process_view"):
                self._view_middleware.insert(0, middleware.process_view)
            answer = convert_exception_to_response(middleware)
        self.answer: GetResponse = answer


class ProgramAnswerMiddleware:
    """Gives an answer its language and headers.

    Does for programs what Django's middleware for languages, hosts, lengths and frames, and that of
    django-csp, do for pages.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Raises DisallowedHost.
        request.get_host()
        language = _language_of(request)
        translation.activate(language)
        response = self.get_response(request)
        headers = {
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
            "Content-Security-Policy": POLICY,
            "Content-Language": language,
        }
        if not response.streaming:
            headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
        add_missing(response, headers)
        patch_vary_headers(response, ("Accept-Language",))
        return response


def _language_of(request: HttpRequest) -> str:
    if "HTTP_ACCEPT_LANGUAGE" in request.META:
        return translation.get_language_from_request(request)
    return get_supported_language_variant(settings.LANGUAGE_CODE)
