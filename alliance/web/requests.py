"""Requests as views have them: with what our middleware has added."""

from typing import cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from alliance.tenancy import Actor


class ActorRequest(HttpRequest):
    """A request of somebody who is known, or known to be nobody. A type only: none is ever made."""

    actor: Actor
    # Tells the request from all others, in logs and errors.
    request_id: str
    htmx: HtmxDetails
    # Whose scope the view ran in; unset before, and for views that open a scope of their own.
    organisation_id: int | None
    # Calls a minute, how many are left, and seconds until all are back; unset where calls are not counted.
    rate_limit: tuple[int, int, int]


def actor_of(request: HttpRequest) -> Actor:
    """Return who asks, for methods of Django's that take any request."""
    return cast(ActorRequest, request).actor
