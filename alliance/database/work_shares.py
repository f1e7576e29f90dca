"""Divide the work of a queue, so that concurrent workers never lock the same rows.

On one server a share is some of the couriers: all counts are per courier as well, so shares have no counter
row in common. On a cluster a share is a shard, worked on where it is. What is counted on the coordinator from
two shards of one courier has rows in common: all write them in one order, so the second waits for a batch.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.db import OperationalError, connection

from alliance.database.cluster import is_distributed, shard_keys
from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, scope


class Share(NamedTuple):
    """One of `shares` parts by courier of what is at home with `home`."""

    home: int
    share: int
    shares: int

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters of in_share(), and of a statement at home."""
        return self._asdict()


class Outages:
    """Failures of single nodes of a cluster: the work of the others goes on before the first is raised."""

    def __init__(self) -> None:
        self._first: OperationalError | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Run a block, and go on after it if only a node other than the coordinator is down."""
        try:
            yield
        except OperationalError as error:
            if not (is_distributed() and connection.is_usable()):
                raise
            self._first = self._first or error

    def raise_first(self) -> None:
        if self._first is not None:
            raise self._first


def in_share(courier: str) -> str:
    """Return the SQL condition that a row belongs to the share of some parameters."""
    return f"mod({courier}, %(shares)s) = %(share)s"


def all_shares() -> list[Share]:
    """Return the shares that all work is divided into."""
    if is_distributed():
        return [Share(home, 0, 1) for home in shard_keys()]
    [home], shares = shard_keys(), settings.WORK_SHARES
    return [Share(home, share, shares) for share in range(shares)]


def work_in_shares(work: Callable[[Share], bool], *, lock: Lock) -> bool:
    """Work on a batch of each share in turn, each in its own transaction, until no share has more.

    `work` returns whether its share has more. Shares that another worker has locked are skipped: by `lock`
    each share has at most one worker. Returns whether this worker got any share. If a node of the cluster is
    down, its shares wait while the others are worked on; then raises OperationalError.
    """
    shares = list(enumerate(all_shares()))
    # In random order, so that two workers starting together do not both try the same share first.
    waiting = deque(random.sample(shares, len(shares)))
    has_worked, outages = False, Outages()
    while waiting:
        # In turns: the queue is in order of age, and a batch of one share scans past the rows of the others.
        number, share = waiting.popleft()
        with outages.noted(), scope(Scope.everything()):
            if try_to_take(lock, of=number):
                has_worked = True
                if work(share):
                    waiting.append((number, share))
    outages.raise_first()
    return has_worked
