"""Figures of all shards of a cluster, on pages that are about something else.

A count for a merchant, or for ops, asks every shard: that takes as long as the rest of a page, and fails
while a worker is away. So such a figure is kept for seconds, and while it cannot be counted, the last one is
shown, or none. On one server it is simply counted.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from django.core.cache import cache
from django.db import OperationalError, transaction

from alliance.database.cluster import is_distributed
from alliance.tenancy import Actor, Scope

T = TypeVar("T")
SECONDS: Final = 30.0
# How old a figure may be while a worker is away.
_LAST_SECONDS: Final = 600


def kept(name: str, actor: Actor, count: Callable[[], T], *, otherwise: T) -> T:
    """Return a figure of what the actor sees; `otherwise`, if a worker is away and there is no last one."""
    if not is_distributed():
        return count()
    key = f"figures:{name}:{Scope.of(actor).value}"
    counted_at, last = cache.get(key) or (float("-inf"), otherwise)
    if 0 <= time.time() - counted_at < SECONDS:
        return last

    def counted() -> T:
        figure = count()
        cache.set(key, (time.time(), figure), _LAST_SECONDS)
        return figure

    return unless_away(counted, otherwise=last)


def unless_away(read: Callable[[], T], *, otherwise: T) -> T:
    """Return what is read of all shards, or `otherwise` while a worker is away; the transaction goes on."""
    if not is_distributed():
        return read()
    try:
        with transaction.atomic():
            return read()
    except OperationalError:
        return otherwise
