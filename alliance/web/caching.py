"""Django's Redis cache, with failures of Redis treated as cache misses."""

import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

# Seconds to skip Redis after a failure.
RETRY_AFTER_SECONDS = 1.0


class _Client(RedisCacheClient):
    """Keeps one client: Django creates one per command, which takes longer than the command itself."""

    _made: Redis | None = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        if self._made is None:
            self._made = super().get_client(key, write=write)
        return self._made


class ForgivingCache(RedisCache):
    """While the server is down, reads find nothing and writes do nothing.

    incr() raises RedisError, because callers must know that the count is not shared. Keys that could not be
    deleted are lost anyway if the server has died, because it writes nothing to disk; a server that was only
    disconnected must be restarted, see docs/limits.md.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
        # Django creates one cache per thread, so this state is shared by the class.
        self._rests_until = 0.0

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._forgive(default, super().get, key, default=default, version=version)

    def get_many(self, keys: Any, version: Any = None) -> Any:
        return self._forgive({}, super().get_many, keys, version=version)

    def has_key(self, key: Any, version: Any = None) -> bool:
        return bool(self._forgive(False, super().has_key, key, version=version))

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        self._forgive(None, super().set, key, value, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return self._forgive([*data], super().set_many, data, *args, **kwargs) or []

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(self._forgive(False, super().touch, key, *args, **kwargs))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._forgive(False, super().delete, key, version=version))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(self._try(super().incr, key, delta, version=version))

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(self._forgive(True, super().add, key, value, *args, **kwargs))

    def _forgive(self, otherwise: Any, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return self._try(work, *args, **kwargs)
        except RedisError:
            return otherwise

    def _try(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() < self._rests_until:
            raise RedisError("the server was away a moment ago")
        try:
            return work(*args, **kwargs)
        except RedisError:
            self._rests_until = time.monotonic() + RETRY_AFTER_SECONDS
            raise
