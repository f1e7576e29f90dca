"""How many statements are sent, on one server and on a cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.citus.servers import SHARDS

Assert = Callable[..., AbstractContextManager[Any]]


class OnCluster:
    """Assert numbers of statements that are those of one server.

    A list is asked shard by shard, so each may be one for each shard. The next time that a test asserts the
    number there may be more rows, but hardly more statements: a list that had none asks for one thing more.
    """

    def __init__(self, assert_most: Assert) -> None:
        self._assert_most = assert_most
        self._sent = dict[int, int]()

    @contextmanager
    def __call__(self, number: int) -> Iterator[Any]:
        with self._assert_most(number) as statements:
            yield statements
        first = self._sent.setdefault(number, len(statements))
        assert len(statements) <= first + SHARDS, f"{first} statements before, now {len(statements)}"
