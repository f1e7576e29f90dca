"""Rate limit per minute of an API key or session, and its response headers."""

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

from alliance.api.authentication import plain_request
from alliance.errors import spread
from alliance.web.caching import RETRY_AFTER_SECONDS
from alliance.web.requests import ActorRequest

if TYPE_CHECKING:
    # DRF's views import their throttles while they are being imported themselves.
    from rest_framework.views import APIView

WINDOW = 60


# Calls that a process counts before it adds them to Redis: a twentieth of the limit, and no more than this.
MOST_PENDING = 16


@dataclass(slots=True)
class _Count:
    """Calls of one bucket in one minute: the last total of all processes, and ours not yet in Redis."""

    total: int = 0
    pending: int = 0


def take(bucket: str, limit: int) -> tuple[int, int]:
    """Count one call in this minute's bucket; return the calls left (negative: over) and seconds to reset.

    Processes count together in Redis, and add their calls in groups, because one round trip takes as long as
    a light response: who calls once or twice a minute, as most who track a parcel, is counted by the process
    alone. So each process may let up to MOST_PENDING calls too many through. Without Redis each
    process counts for itself: losing Redis must neither stop scans nor lift the limit.
    """
    most_pending = max(1, min(limit // 20, MOST_PENDING))
    with _lock:
        # Read the time under the lock: a thread that waited with an older minute would reset all counts.
        now = time.time()
        count = _count_of(bucket, int(now // WINDOW))
        count.pending += 1
        used = count.total + count.pending
        pending = count.pending if count.pending >= most_pending else 0
        count.pending -= pending
        count.total += pending
    if pending:
        used = max(used, _add_to_redis(count, f"rate:{bucket}:{int(now // WINDOW)}", pending))
    return limit - used, WINDOW - int(now % WINDOW)


# Counts of the current minute only.
_counts: dict[str, _Count] = {}
_lock = Lock()
# The minute of the counts, and until when Redis is skipped after a failure.
_state = {"minute": 0.0, "away_until": 0.0}


def forget() -> None:
    """Reset the counts of this process, and the pause after a failure of Redis."""
    _counts.clear()
    _state["away_until"] = 0.0


def _count_of(bucket: str, minute: int) -> _Count:
    if _state["minute"] != minute:
        _state["minute"] = minute
        _counts.clear()
    return _counts.setdefault(bucket, _Count())


def _add_to_redis(count: _Count, name: str, calls: int) -> int:
    """Add calls to the total of all processes and return it; without Redis return our own count."""
    if time.monotonic() < _state["away_until"]:
        return 0
    key = cache.make_key(name)
    try:
        used = int(_redis().incrby(key, calls))
        if used == calls:
            _redis().expire(key, WINDOW * 2)
    except (RedisError, ConnectionError):
        _state["away_until"] = time.monotonic() + RETRY_AFTER_SECONDS
        return 0
    count.total = max(count.total, used)
    return used


@lru_cache(maxsize=1)
def _redis() -> Redis:
    # Not Django's cache: incr() takes two round trips there, and cannot set when the key expires.
    return Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS)


def count_call(request: ActorRequest) -> tuple[int, int]:
    """Count a call of a key or user; return the calls left (negative: over) and seconds to reset."""
    actor, limit = request.actor, settings.API_RATE_PER_MINUTE
    bucket = f"key{actor.api_key_id}" if actor.api_key_id else f"user{actor.user_id}"
    left, reset = take(bucket, limit)
    request.rate_limit = (limit, max(left, 0), reset)
    return left, reset


class KeyRateThrottle(BaseThrottle):
    """One bucket per key or user and minute."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        left, self.reset = count_call(plain_request(request))
        return left >= 0

    def wait(self) -> float:
        return float(spread(self.reset))


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Add the headers RateLimit-Policy and RateLimit if the request was counted."""
    rate_limit = getattr(request, "rate_limit", None)
    if rate_limit is not None:
        limit, remaining, reset = rate_limit
        response["RateLimit-Policy"] = f'"key";q={limit};w={WINDOW}'
        response["RateLimit"] = f'"key";r={remaining};t={reset}'
