"""The type of requests with the attributes that our middleware adds."""

from typing import cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from alliance.tenancy import Actor


class ActorRequest(HttpRequest):
    """A request with its actor, who may be anonymous. Only a type: no instance is ever created."""

    actor: Actor
    # The actor of a bearer key once it has been looked up, before a route took of its scopes.
    caller: Actor
    # When its work began, of time.perf_counter().
    begun: float
    # The id of the request in logs and errors.
    request_id: str
    htmx: HtmxDetails
    # The actor of the view's scope; unset before the view, and for views that open their own scope.
    organisation_id: int | None
    # Limit per minute, remaining calls, and seconds until the reset; unset if calls are not counted.
    rate_limit: tuple[int, int, int]


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor, for methods of Django that accept any request."""
    return cast(ActorRequest, request).actor
