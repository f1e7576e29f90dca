"""Middleware: request ids, Retry-After, admission of heavy work, and the tenant's scope of views."""

import os
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import structlog
from allauth.account.middleware import AccountMiddleware
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.functional import SimpleLazyObject

from alliance.api.errors import problem_page
from alliance.api.throttling import add_headers
from alliance.call_log.buffer import note_caller
from alliance.database.retirement import explain_not_found
from alliance.errors import AllianceError
from alliance.key_scopes import scope_of_route
from alliance.members.services.actors import actor_of_user
from alliance.members.services.key_holders import actor_of_key
from alliance.portal.errors import alliance_error, method_not_allowed
from alliance.portal.form_owner import refuse_form, switch_back
from alliance.tenancy import ANONYMOUS, Actor, Scope, kept_to, limited, scope
from alliance.web.admission import TENANTS, gate, tenant_of
from alliance.web.board import BOARD
from alliance.web.bodies import is_form, length_of, take_in, take_in_large
from alliance.web.connections import HOLD_SECONDS, ImpatientSocket
from alliance.web.form_owner import foreign_owner
from alliance.web.http import WITHOUT_DATABASE, client_address, exact_address
from alliance.web.requests import ActorRequest
from alliance.web.unreadable import refusal_of

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SESSION_KEY = "organisation_id"
PROGRAMS = "/api/v1/"
_REQUEST_ID = re.compile(r"^[0-9A-Za-z._-]{8,64}$")

# The default of Retry-After in seconds.
LATER = 60


def identify(request: ActorRequest) -> str:
    """Give a request an id, which is in its logs, its errors and its response; return it."""
    # Not request.headers: it is cached at the first access, and must contain the id set here.
    request_id = request.META.get("HTTP_X_REQUEST_ID", "")
    if not (request_id and _REQUEST_ID.match(request_id)):
        request_id = os.urandom(16).hex()
    request.META["HTTP_X_REQUEST_ID"] = request.request_id = request_id
    request.begun = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, ip=client_address(request))
    return request_id


class RequestIdMiddleware:
    """Gives every request of a page an id."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        request_id = identify(request)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


def ask_to_come_later(response: HttpResponseBase) -> None:
    """Add Retry-After to a 429 or 503 response without it, such as those of other packages."""
    if response.status_code in (429, 503):
        response.headers.setdefault("Retry-After", str(LATER))


class RetryAfterMiddleware:
    """Calls `ask_to_come_later` for pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        ask_to_come_later(response)
        return response


class AdmissionMiddleware:
    """Read request bodies, and limit concurrent heavy work.

    API writes and all requests with a large body are heavy. The body is read before a slot or a transaction
    is held, so that neither waits for a slow client. Uploads need a place but no slot, because tasks process
    them. Sets `request.actor`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        # Of the process: both stacks, of pages and of programs, have this middleware.
        self.tenants = TENANTS
        self.gate = gate(
            slots=settings.WEB_HEAVY,
            places=settings.WEB_PLACES,
            share=settings.WEB_SHARE,
            patience=settings.WEB_PATIENCE_SECONDS,
            together=settings.WEB_TOGETHER,
        )

    def __call__(self, request: ActorRequest) -> HttpResponseBase:
        request.actor = cast(Actor, SimpleLazyObject(lambda: actor_of_request(request)))
        response = self._answer(request)
        connection = request.META.get("gunicorn.socket")
        if response.status_code == 429 and isinstance(connection, ImpatientSocket):
            connection.hold = HOLD_SECONDS
        return response

    def _answer(self, request: ActorRequest) -> HttpResponseBase:
        try:
            if not is_heavy(request):
                if not request.path.startswith(WITHOUT_DATABASE):
                    BOARD.note_light_call()
                take_in(request)
                return self.get_response(request)
            return self._admit(request)
        except AllianceError as error:
            return answer_of(request, error)

    def _admit(self, request: ActorRequest) -> HttpResponseBase:
        credentials = request.META.get("HTTP_AUTHORIZATION") or request.COOKIES.get(
            settings.SESSION_COOKIE_NAME, ""
        )
        # Credentials unknown to this process are looked up before any of the body is read.
        tenant = self.tenants.of(credentials) or tenant_of(request.actor)
        with self.gate.place(tenant):
            take_in(request)
            if not request.path.startswith("/api/") or is_form(request):
                return self.get_response(request)
            with self.gate.slot(tenant, is_long=is_long(request)):
                response = self.get_response(request)
        self.tenants.learn(credentials, getattr(request, "organisation_id", None))
        return response


def is_heavy(request: HttpRequest) -> bool:
    """Tell whether a request is heavy, by its method, path and length."""
    writes = request.method not in ("GET", "HEAD", "OPTIONS")
    return writes and (request.path.startswith("/api/") or length_of(request) >= settings.HEAVY_BODY_BYTES)


def is_long(request: HttpRequest) -> bool:
    """Tell whether a heavy call, whose body was received, may run for long."""
    return length_of(request) >= settings.LONG_BODY_BYTES or "HTTP_CONTENT_ENCODING" in request.META


class TenancyMiddleware:
    """Run each view, including rendering, in the scope of `request.actor`.

    One transaction per request: an exception, or an error response of the API, rolls it back.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._answer_of_allauth = AccountMiddleware(get_response).process_exception

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
        if request.path.startswith(WITHOUT_DATABASE):
            return None
        try:
            if (foreign := self._refuse_foreign_form(request, view)) is not None:
                return foreign
            around = getattr(view, "around_transaction", None)
            _keep_to_route(request, view)
            with around(request) if around else nullcontext(), _scope_of(request, view):
                response: HttpResponseBase = view(request, *args, **kwargs)
                # Templates run queries lazily, so the response must be rendered inside the scope.
                if not getattr(response, "is_rendered", True):
                    response = response.render()  # type: ignore[attr-defined]
        except AllianceError as error:
            return answer_of(request, explain_not_found(error, kwargs))
        except (ValueError, OverflowError, OSError) as exception:
            refusal = refusal_of(exception)
            if refusal is None:
                raise
            return answer_of(request, refusal)
        except (ImmediateHttpResponse, ReauthenticationRequired) as exception:
            # The view is called here, so allauth's own middleware does not see its exceptions.
            response = self._answer_of_allauth(request, exception)
        if isinstance(response, HttpResponseNotAllowed):
            return method_not_allowed(request, response)
        add_headers(request, response)
        return response

    def _refuse_foreign_form(
        self, request: ActorRequest, view: Callable[..., Any]
    ) -> HttpResponseBase | None:
        owner = foreign_owner(request, request.actor, view)
        if not owner:
            return None
        actor = switch_back(request, owner, SESSION_KEY)
        if actor is None:
            with scope(Scope.of(request.actor)):
                return refuse_form(request, owner)
        request.actor = actor
        return None


def _keep_to_route(request: ActorRequest, view: Callable[..., Any]) -> None:
    """Leave a key with scopes what they allow on this route. Raises NotPermitted if that is nothing."""
    if not request.path.startswith(PROGRAMS) or getattr(view, "scoped_by_itself", False):
        return
    if request.actor.scopes is not None and (match := request.resolver_match) is not None:
        needed = scope_of_route(match.route, match.url_name, request.method)
        # Not the lazy object, which would keep the request for as long as the answer is remembered.
        request.actor = kept_to(request.caller, needed)


def _scope_of(request: ActorRequest, view: Callable[..., Any]) -> AbstractContextManager[None]:
    if getattr(view, "scoped_by_itself", False):
        return nullcontext()
    actor = request.actor
    # Later calls with these credentials are counted for the organisation.
    request.organisation_id = actor.organisation_id
    structlog.contextvars.bind_contextvars(user_id=actor.user_id)
    return scope(Scope.of(actor))


def answer_of(request: HttpRequest, error: AllianceError) -> HttpResponseBase:
    """Return the response of an error: a problem document under /api/, otherwise a page."""
    return (
        problem_page(request, error) if request.path.startswith("/api/") else alliance_error(request, error)
    )


def actor_of_request(request: HttpRequest) -> Actor:
    """Return the actor of a bearer key, else of the session, else the anonymous one."""
    # Not request.headers, which decodes all of them.
    scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = actor_of_key(token.strip(), address=exact_address(request)) or ANONYMOUS
        request.caller = actor  # type: ignore[attr-defined]
        note_caller(request.META["HTTP_AUTHORIZATION"], actor)
        return actor
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return ANONYMOUS
    return actor_of_user(user, organisation_id=request.session.get(SESSION_KEY))
