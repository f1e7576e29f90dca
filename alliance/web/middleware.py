"""Request ids, and the tenant's scope around every view."""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.functional import SimpleLazyObject

from alliance.api.errors import problem_page
from alliance.api.throttling import add_headers
from alliance.database.retirement import explain_not_found
from alliance.errors import AllianceError
from alliance.members.services.actors import actor_of_user
from alliance.members.services.api_keys import actor_of_key
from alliance.portal.errors import alliance_error, method_not_allowed
from alliance.tenancy import ANONYMOUS, Actor, Scope, limited, scope
from alliance.web.admission import Gate, Tenants, tenant_of
from alliance.web.bodies import is_form, length_of, take_in, take_in_large
from alliance.web.requests import ActorRequest

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

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        # Not request.headers: it is built once, and later readers must see the id set here.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request_id
        request.request_id = request_id
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


class AdmissionMiddleware:
    """Take in what was sent, and do no more heavy work at once than there is room for.

    Heavy is what programs write, and whatever comes with a large body. The body is taken in before a slot
    or a transaction is held for it: neither waits for a slow client. Uploads have a place and no slot: what
    is in them is worked through by tasks. Sets `request.actor`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.tenants = Tenants()
        self.gate = Gate(
            slots=settings.WEB_HEAVY,
            places=settings.WEB_PLACES,
            share=settings.WEB_SHARE,
            patience=settings.WEB_PATIENCE_SECONDS,
        )

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        request.actor = cast(Actor, SimpleLazyObject(lambda: actor_of_request(request)))
        try:
            if not is_heavy(request):
                take_in(request)
                return self.get_response(request)
            return self._admit(request)
        except AllianceError as error:
            return answer_of(request, error)

    def _admit(self, request: ActorRequest) -> HttpResponseBase:
        credentials = request.META.get("HTTP_AUTHORIZATION") or request.COOKIES.get(
            settings.SESSION_COOKIE_NAME, ""
        )
        # Whoever is new to this process is looked up before anything of theirs is taken in.
        tenant = self.tenants.of(credentials) or tenant_of(request.actor)
        with self.gate.place(tenant):
            take_in(request)
            if not request.path.startswith("/api/") or is_form(request):
                return self.get_response(request)
            with self.gate.slot(tenant):
                response = self.get_response(request)
        self.tenants.learn(credentials, getattr(request, "organisation_id", None))
        return response


def is_heavy(request: HttpRequest) -> bool:
    """Tell heavy work by what can be seen before any of it is done."""
    writes = request.method not in ("GET", "HEAD", "OPTIONS")
    return writes and (request.path.startswith("/api/") or length_of(request) >= settings.HEAVY_BODY_BYTES)


class TenancyMiddleware:
    """Run each view, rendering included, in the scope of `request.actor`.

    One transaction a request: an exception, or an error answer of the API, rolls it back.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        if request.path in settings.LARGE_BODY_PATHS:
            try:
                take_in_large(request, is_known=request.actor.organisation_id is not None)
            except AllianceError as error:
                return answer_of(request, error)
        with limited(
            statement_seconds=settings.WEB_STATEMENT_SECONDS, lock_seconds=settings.WEB_LOCK_SECONDS
        ):
            return self.get_response(request)

    def process_view(
        self, request: ActorRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
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
            return answer_of(request, explain_not_found(error, kwargs))
        if isinstance(response, HttpResponseNotAllowed):
            return method_not_allowed(request, response)
        add_headers(request, response)
        return response


def _scope_of(request: ActorRequest, view: Callable[..., Any]) -> AbstractContextManager[None]:
    if getattr(view, "scoped_by_itself", False):
        return nullcontext()
    actor = request.actor
    # Later calls with these credentials are counted as the organisation's.
    request.organisation_id = actor.organisation_id
    structlog.contextvars.bind_contextvars(user_id=actor.user_id)
    return scope(Scope.of(actor))


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
