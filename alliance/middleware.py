"""Request ids, and the tenant's scope around every view."""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.functional import SimpleLazyObject

from alliance.api.errors import problem_page
from alliance.api.throttling import add_headers
from alliance.bodies import take_in, take_in_large
from alliance.errors import AllianceError
from alliance.portal.errors import alliance_error, method_not_allowed
from alliance.services import actor_of_key, actor_of_user
from alliance.tenancy import ANONYMOUS, Actor, Scope, limited, scope

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SESSION_KEY = "organisation_id"
_REQUEST_ID = re.compile(r"^[0-9A-Za-z._-]{8,64}$")
# Health and metrics answer while the database is down; static files need none.
_WITHOUT_DATABASE = ("/healthz", "/readyz", "/metrics", "/static/")


# Seconds, where nobody knows better.
LATER = 60


class RequestIdMiddleware:
    """Name every request; the id is in its logs, its errors and its response."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Not request.headers: it is built once, and later readers must see the id set here.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request_id
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class RetryAfterMiddleware:
    """Whoever is told to come back later is told when; pages of other packages leave it out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code in (429, 503):
            response.headers.setdefault("Retry-After", str(LATER))
        return response


class BodyMiddleware:
    """Take in what was sent, before anything is held for it: no transaction waits for a slow client.

    A body larger than its door takes is refused before a byte of it is read and spooled to disk. The
    bodies of programs are read whole, and refused when they are cut off or come in too slowly.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            take_in(request)
        except AllianceError as error:
            return answer_of(request, error)
        return self.get_response(request)


class TenancyMiddleware:
    """Set `request.actor` and run each view, rendering included, in that actor's scope.

    One transaction a request: an exception, or an error answer of the API, rolls it back.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.actor = SimpleLazyObject(lambda: actor_of_request(request))  # type: ignore[attr-defined]
        if request.path in settings.LARGE_BODY_PATHS:
            try:
                take_in_large(request, is_known=request.actor.organisation_id is not None)  # type: ignore[attr-defined]
            except AllianceError as error:
                return answer_of(request, error)
        with limited(
            statement_seconds=settings.WEB_STATEMENT_SECONDS, lock_seconds=settings.WEB_LOCK_SECONDS
        ):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if request.path.startswith(_WITHOUT_DATABASE):
            return None
        try:
            with _scope_of(request, view):
                response: HttpResponseBase = view(request, *args, **kwargs)
                # Templates read lazily: what they read must be read in here.
                if not getattr(response, "is_rendered", True):
                    response = response.render()  # type: ignore[attr-defined]
        except AllianceError as error:
            return answer_of(request, error)
        if isinstance(response, HttpResponseNotAllowed):
            return method_not_allowed(request, response)
        add_headers(request, response)
        return response


def _scope_of(request: HttpRequest, view: Callable[..., Any]) -> AbstractContextManager[None]:
    if getattr(view, "scoped_by_itself", False):
        return nullcontext()
    return scope(Scope.of(request.actor))  # type: ignore[attr-defined]


def answer_of(request: HttpRequest, error: AllianceError) -> HttpResponseBase:
    """Return an error as its door shows it: a problem document to programs, a page to people."""
    return (
        problem_page(request, error) if request.path.startswith("/api/") else alliance_error(request, error)
    )


def actor_of_request(request: HttpRequest) -> Actor:
    """Return who asks: a bearer key before a session, anonymous when neither is good."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return actor_of_key(token.strip()) or ANONYMOUS
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return ANONYMOUS
    return actor_of_user(user, organisation_id=request.session.get(SESSION_KEY))
