"""Who is at the other end of a connection, and how often they may ask without saying who they are."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import ngettext

from alliance.api.throttling import take
from alliance.errors import TooMany, spread


def scoped_by_itself(view: Callable[..., Any]) -> Callable[..., Any]:
    """Have the middleware leave a view's scope and transaction to the view: who asks is nothing to it."""
    view.scoped_by_itself = True  # type: ignore[attr-defined]
    return view


def client_address(request: HttpRequest) -> str:
    """Return the address of whoever asks; behind our proxy, the one the proxy saw.

    An IPv6 address is given as its /64 network: one household has all of those.
    """
    given = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_PROXY_SSL_HEADER is not None:
        # The last entry is our proxy's own; those before it are whatever the client claims.
        given = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or given
    try:
        address = ip_address(given)
    except ValueError:
        return given
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def limit_by_address(request: HttpRequest, *, bucket: str, per_minute: int) -> None:
    """Count a call of this address. Raises TooMany when it was one too many this minute."""
    left, reset = take(f"{bucket}:{client_address(request)}", per_minute)
    if left < 0:
        wait = ngettext(
            "Too many requests. Try again in %(seconds)d second.",
            "Too many requests. Try again in %(seconds)d seconds.",
            reset,
        )
        raise TooMany(wait % {"seconds": reset}, retry_after=spread(reset))
