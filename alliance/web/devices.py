"""Browsers that have logged in to an account before, known by a signed cookie.

Guesses of others must not keep an owner out: a known browser's tries are counted by themselves. The cookie
opens nothing; who steals one may guess at that account as slowly as from an address.
"""

from collections.abc import Callable

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import get_random_string, salted_hmac

COOKIE = "device"
_SALT = "alliance.web.devices"
_KEPT_FOR = 180 * 24 * 3600
_ASKED = "_known_device_of"


def device_of(request: HttpRequest, account: str) -> str:
    """Return the id of the browser if it has logged in to the account before, else an empty string."""
    text = request.COOKIES.get(COOKIE, "")
    try:
        owner, device = signing.loads(text, salt=_SALT, max_age=_KEPT_FOR)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if owner == _owner(account) else ""


def remember_device(request: HttpRequest, account: str) -> None:
    """Have the response make the browser known to the account, whose owner has just proved to be there."""
    setattr(request, _ASKED, account)


class KnownDeviceMiddleware:
    """Sends the cookie that `remember_device` asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        account = getattr(request, _ASKED, "")
        if account:
            # The same id as before: a new one would have new free tries.
            device = device_of(request, account) or get_random_string(22)
            response.set_cookie(
                COOKIE,
                signing.dumps([_owner(account), device], salt=_SALT),
                max_age=_KEPT_FOR,
                path="/accounts/",
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def _owner(account: str) -> str:
    return salted_hmac(_SALT, account.lower()).hexdigest()[:32]
