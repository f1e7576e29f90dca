"""Django's Redis cache, without which everything goes on: what it cannot tell is not in it."""

import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

# After a failure nobody waits for the server again for so long.
REST_SECONDS = 1.0


class _Client(RedisCacheClient):
    """Keeps one client: Django makes one a command, which takes several times as long as the command."""

    _made: Redis | None = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        if self._made is None:
            self._made = super().get_client(key, write=write)
        return self._made


class ForgivingCache(RedisCache):
    """Reads find nothing and writes do nothing while the server is away.

    Counting does say so, by RedisError: whoever counts has to know that nobody else does. What could not be
    deleted is gone all the same when the server had died, for it keeps nothing on disk; one that was only
    cut off is to be restarted, see docs/limits.md.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
        # Django makes one of these a thread.
        self._rests_until = 0.0

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._forgive(default, super().get, key, default=default, version=version)

    def get_many(self, keys: Any, version: Any = None) -> Any:
        return self._forgive({}, super().get_many, keys, version=version)

    def has_key(self, key: Any, version: Any = None) -> bool:
        return bool(self._forgive(False, super().has_key, key, version=version))

    def set(self, key: Any, value: Any, *args: Any, **named: Any) -> None:
        self._forgive(None, super().set, key, value, *args, **named)

    def set_many(self, data: Any, *args: Any, **named: Any) -> list[Any]:
        return self._forgive([*data], super().set_many, data, *args, **named) or []

    def touch(self, key: Any, *args: Any, **named: Any) -> bool:
        return bool(self._forgive(False, super().touch, key, *args, **named))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._forgive(False, super().delete, key, version=version))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(self._try(super().incr, key, delta, version=version))

    def add(self, key: Any, value: Any, *args: Any, **named: Any) -> bool:
        return bool(self._forgive(True, super().add, key, value, *args, **named))

    def _forgive(self, otherwise: Any, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return self._try(work, *args, **named)
        except RedisError:
            return otherwise

    def _try(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if time.monotonic() < self._rests_until:
            raise RedisError("the server was away a moment ago")
        try:
            return work(*args, **named)
        except RedisError:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise
