"""How long a log-in lasts: until nobody has used it for a while, and some days at most."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth import logout
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponseBase

from alliance.database.slices import SLICE, delete_in_slices
from alliance.web.http import WITHOUT_DATABASE

_BEGAN, _SEEN = "began", "seen"
# Use is noted this often: a write for every request would be many.
NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Lifetime:
    idle: timedelta
    at_most: timedelta


# A working day with its breaks; a weekend.
STAFF = Lifetime(idle=timedelta(hours=8), at_most=timedelta(days=7))
MEMBERS = Lifetime(idle=timedelta(days=3), at_most=timedelta(days=14))


def lifetime_of(user: Any) -> Lifetime:
    return STAFF if user.is_staff else MEMBERS


def begin_session(request: HttpRequest, user: AbstractBaseUser, **_signal: Any) -> None:
    """Note when the user logged in. Receives Django's signal `user_logged_in`."""
    request.session[_BEGAN] = time.time()
    _note_use(request, user)


def _note_use(request: HttpRequest, user: Any) -> None:
    request.session[_SEEN] = time.time()
    # The stored session ends by itself when it is not used, and is deleted then.
    request.session.set_expiry(int(lifetime_of(user).idle.total_seconds()))


class SessionLifetimeMiddleware:
    """Log out users whose log-in is too old, and note the use of the others'."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if has_session and not request.path.startswith(WITHOUT_DATABASE) and USER_KEY in request.session:
            self._keep_or_end(request)
        return self.get_response(request)

    def _keep_or_end(self, request: HttpRequest) -> None:
        if not request.user.is_authenticated:
            return
        now, session, lifetime = time.time(), request.session, lifetime_of(request.user)
        # A session from before these times were noted begins now.
        began = session.setdefault(_BEGAN, now)
        seen = session.get(_SEEN, began)
        if now - began > lifetime.at_most.total_seconds() or now - seen > lifetime.idle.total_seconds():
            logout(request)
        elif now - seen > NOTED_EVERY.total_seconds():
            _note_use(request, request.user)
            UserSession.objects.create_from_request(request)


def forget_ended(*, now: datetime) -> int:
    """Delete sessions that have expired, and from the lists of users all that have ended; return how many.

    A slice at a time, each along an index. May run twice, concurrently, or be killed.
    """
    count = delete_in_slices(Session.objects.filter(expire_date__lt=now), order="expire_date")
    last = 0
    while listed := dict(
        UserSession.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "session_key")[:SLICE]
    ):
        living = set(Session.objects.filter(pk__in=listed.values()).values_list("pk", flat=True))
        ended = [pk for pk, key in listed.items() if key not in living]
        count += UserSession.objects.filter(pk__in=ended).delete()[0]
        last = max(listed)
    return count
