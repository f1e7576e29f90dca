"""API authentication: gives DRF the actor that the middleware has determined."""

from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from alliance.errors import NotPermitted
from alliance.tenancy import Actor, refusal_of_stranger
from alliance.web.requests import ActorRequest


def actor_of(request: Request) -> Actor:
    """Return the actor. Unlike `request.user`, it is set before DRF authenticates the request."""
    return plain_request(request).actor


def plain_request(request: Request) -> ActorRequest:
    """Return the Django request that DRF wraps."""
    return cast(ActorRequest, request._request)  # noqa: SLF001


class ActorAuthentication(BaseAuthentication):
    """A bearer API key, or the portal's session (with CSRF, as for any form)."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        actor = actor_of(request)
        if actor.is_anonymous:
            return None
        if actor.kind == "user":
            check = CSRFCheck(lambda _request: None)  # type: ignore[arg-type]
            check.process_request(request._request)  # noqa: SLF001
            if check.process_view(request._request, None, (), {}):  # type: ignore[arg-type]  # noqa: SLF001
                message = _(
                    "Send the CSRF cookie's value as X-CSRFToken, or an API key instead of a session."
                )
                raise NotPermitted(message, code="csrf")
        return getattr(request._request, "user", None), actor  # noqa: SLF001

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="alliance"'


class IsMember(BasePermission):
    """Refuses anonymous requests. Services check capabilities by `require()`."""

    def has_permission(self, request: Request, view: object) -> bool:
        actor = actor_of(request)
        if actor.is_anonymous:
            raise refusal_of_stranger(actor)
        return True


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "alliance.api.authentication.ActorAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key of the organisation: `ca_…`."}
