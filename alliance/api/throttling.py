"""How many calls a minute one API key (or session) may make, and the headers that say so."""

import time
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from redis import Redis
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from alliance.api.authentication import actor_of, plain_request
from alliance.errors import spread
from alliance.web.caching import REST_SECONDS

if TYPE_CHECKING:
    # DRF's views read their throttles while they are being imported.
    from rest_framework.views import APIView

WINDOW = 60


# Calls a process keeps to itself before it tells the others: a twentieth of the limit, and no more than this.
AT_ONCE = 16


@dataclass(slots=True)
class _Count:
    """Calls of one bucket in one minute: what is known of all processes, and ours they were not told of."""

    known: int = 0
    untold: int = 0


def take(bucket: str, limit: int) -> tuple[int, int]:
    """Count one call in this minute's bucket; return what is left (negative: over) and seconds to reset.

    Processes count together in Redis, and tell it of their calls by the handful: asking takes as long as
    a light answer. So each of them may let AT_ONCE calls too many through, of a large limit. Without Redis
    each counts for itself: it holds no truth, and its loss must neither stop scans nor open the door to a
    flood.
    """
    at_once = max(1, min(limit // 20, AT_ONCE))
    with _lock:
        # In here: one that waited would take the minute back, and everybody's counts with it.
        now = time.time()
        count = _count_of(bucket, int(now // WINDOW))
        count.untold += 1
        used = count.known + count.untold
        told = count.untold if not count.known or count.untold >= at_once else 0
        count.untold -= told
        count.known += told
    if told:
        used = max(used, _tell(count, f"rate:{bucket}:{int(now // WINDOW)}", told))
    return limit - used, WINDOW - int(now % WINDOW)


# Of this minute alone.
_counts: dict[str, _Count] = {}
_lock = Lock()
# The minute they are of, and until when Redis is not asked.
_state = {"minute": 0.0, "away_until": 0.0}


def forget() -> None:
    """Forget every call of this process, and that Redis was away."""
    _counts.clear()
    _state["away_until"] = 0.0


def _count_of(bucket: str, minute: int) -> _Count:
    if _state["minute"] != minute:
        _state["minute"] = minute
        _counts.clear()
    return _counts.setdefault(bucket, _Count())


def _tell(count: _Count, name: str, calls: int) -> int:
    """Add calls to those of all processes, and return how many there are: ours alone without Redis."""
    if time.monotonic() < _state["away_until"]:
        return 0
    key = cache.make_key(name)
    try:
        used = int(_redis().incrby(key, calls))
        if used == calls:
            _redis().expire(key, WINDOW * 2)
    except (RedisError, ConnectionError):
        _state["away_until"] = time.monotonic() + REST_SECONDS
        return 0
    count.known = max(count.known, used)
    return used


@lru_cache(maxsize=1)
def _redis() -> Redis:
    # Not Django's cache: to add up it asks twice, and it cannot say from when on a sum is forgotten.
    return Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS)


class KeyRateThrottle(BaseThrottle):
    """One bucket a key or user, a minute wide."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        actor = actor_of(request)
        who = f"key{actor.api_key_id}" if actor.api_key_id else f"user{actor.user_id}"
        limit = settings.API_RATE_PER_MINUTE
        self.left, self.reset = take(who, limit)
        plain_request(request).rate_limit = (limit, max(self.left, 0), self.reset)
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
