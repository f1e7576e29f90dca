"""How many calls a minute one API key (or session) may make, and the headers that say so."""

import time
from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from alliance.caching import REST_SECONDS
from alliance.errors import spread
from alliance.tenancy import Actor

if TYPE_CHECKING:
    # DRF's views read their throttles while they are being imported.
    from rest_framework.views import APIView

WINDOW = 60


def take(bucket: str, limit: int) -> tuple[int, int]:
    """Count one call in this minute's bucket; return what is left (negative: over) and seconds to reset.

    Without Redis each process counts for itself: it holds no truth, and its loss must neither stop scans
    nor open the door to a flood.
    """
    now = time.time()
    name = cache.make_key(f"rate:{bucket}:{int(now // WINDOW)}")
    try:
        used = _counted(name)
    except (RedisError, ConnectionError):
        used = _counted_here(name)
    return limit - used, WINDOW - int(now % WINDOW)


def _counted(name: str) -> int:
    """Count for all processes. Raises RedisError, and for a moment after that without asking."""
    if time.monotonic() < _away["until"]:
        raise RedisError
    try:
        used = int(_redis().incr(name))
        if used == 1:
            _redis().expire(name, WINDOW * 2)
    except RedisError:
        _away["until"] = time.monotonic() + REST_SECONDS
        raise
    return used


@lru_cache(maxsize=1)
def _redis() -> Redis:
    # Not Django's cache: it makes a client a command, which takes longer than the command.
    return Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS)


# Calls of this minute, while nobody counts for all processes together; and until when nobody does.
_here: Counter[str] = Counter()
_away = {"until": 0.0}


def _counted_here(name: str) -> int:
    minute = name.rpartition(":")[2]
    if any(not other.endswith(minute) for other in islice(_here, 1)):
        _here.clear()
    _here[name] += 1
    return _here[name]


class KeyRateThrottle(BaseThrottle):
    """One bucket a key or user, a minute wide."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        actor: Actor = request._request.actor  # type: ignore[attr-defined]  # noqa: SLF001
        who = f"key{actor.api_key_id}" if actor.api_key_id else f"user{actor.user_id}"
        limit = settings.API_RATE_PER_MINUTE
        self.left, self.reset = take(who, limit)
        request._request.rate_limit = (limit, max(self.left, 0), self.reset)  # type: ignore[attr-defined]  # noqa: SLF001
        return self.left >= 0

    def wait(self) -> float:
        return float(spread(self.reset))


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Add RateLimit-Policy and RateLimit when the request was counted."""
    counted = getattr(request, "rate_limit", None)
    if counted is not None:
        limit, left, reset = counted
        response["RateLimit-Policy"] = f'"key";q={limit};w={WINDOW}'
        response["RateLimit"] = f'"key";r={left};t={reset}'
