"""Client addresses, rate limits by address, and views with their own scope."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from alliance.api.throttling import take
from alliance.errors import TooMany, spread

# Health checks and metrics must work while the database is down; static files do not need it.
WITHOUT_DATABASE = ("/healthz", "/readyz", "/metrics", "/static/")


_WITH_PORT = re.compile(r"(?P<v4>[0-9.]+):[0-9]{1,5}|\[(?P<v6>[0-9A-Fa-f:.]+)\](:[0-9]{1,5})?")


def scoped_by_itself(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that opens its own scope and transaction, for which the actor does not matter."""
    view.scoped_by_itself = True  # type: ignore[attr-defined]
    return view


def around_transaction(
    work: Callable[[Any], AbstractContextManager[None]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a view around whose transaction `work(request)` is entered: for what needs no database, and long.

    It comes after all checks of the request but the view's own, and asks the database nothing.
    """

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.around_transaction = work  # type: ignore[attr-defined]
        return view

    return mark


def client_address(request: HttpRequest) -> str:
    """Return the client's address; behind our proxies, the address that the outermost of them saw.

    Without proxies of ours X-Forwarded-For is ignored, because any client may send it. An IPv6 address is
    returned as its /64 network, because a household has all addresses of one.
    """
    return _network_of(_seen(request))


def exact_address(request: HttpRequest) -> str:
    """Return the same, to the last bit: for addresses that are allowed, not counted. "" if there is none."""
    return _exact(_seen(request))


def _seen(request: HttpRequest) -> str:
    text = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES:
        # Each of our proxies adds one entry; those before may be invented by the client.
        entries = request.headers.get("X-Forwarded-For", "").split(",")
        if len(entries) >= settings.TRUSTED_PROXIES and _address(entries[-settings.TRUSTED_PROXIES]):
            text = entries[-settings.TRUSTED_PROXIES]
    return text


@lru_cache(maxsize=4096)
def _exact(text: str) -> str:
    address = _address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address) if address else ""


@lru_cache(maxsize=4096)
def _network_of(text: str) -> str:
    address = _address(text)
    if address is None:
        return text
    if isinstance(address, IPv6Address) and not address.is_loopback:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def is_from_here(request: HttpRequest) -> bool:
    """Tell whether the client is on this machine; False behind a proxy that settings do not name."""
    is_forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via"))
    if is_forwarded and not settings.TRUSTED_PROXIES:
        return False
    address = _address(client_address(request))
    # A socket in the file system tells no address.
    return address.is_loopback if address else not request.META.get("REMOTE_ADDR")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    # Some gateways add the port: 192.0.2.1:4711, [2001:db8::1]:4711.
    found = _WITH_PORT.fullmatch(text.strip())
    try:
        return ip_address((found["v4"] or found["v6"]) if found else text.strip())
    except ValueError:
        return None


def limit_by_address(request: HttpRequest, *, bucket: str, per_minute: int) -> None:
    """Count a call of the client's address. Raises TooMany beyond the limit per minute."""
    limit_calls(f"{bucket}:{client_address(request)}", per_minute=per_minute)


def limit_calls(bucket: str, *, per_minute: int) -> None:
    """Count a call. Raises TooMany beyond the limit per minute."""
    remaining, reset = take(bucket, per_minute)
    if remaining < 0:
        raise TooMany.for_now(spread(reset))
