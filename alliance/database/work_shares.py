"""Divide the work of a queue by courier, so that concurrent workers never lock the same rows.

All counts are per courier as well, so shares have no counter row in common.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from django.conf import settings

from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, scope


def in_share(courier: str) -> str:
    """Return the SQL condition that a row belongs to the share of share_parameters()."""
    return f"mod({courier}, %(shares)s) = %(share)s"


def share_parameters(share: int) -> dict[str, Any]:
    """Return the parameters of in_share()."""
    return {"share": share, "shares": settings.WORK_SHARES}


def work_in_shares(work: Callable[[int], bool], *, lock: Lock) -> bool:
    """Work on a batch of each share in turn, each in its own transaction, until no share has more.

    `work` returns whether its share has more. Shares that another worker has locked are skipped: by `lock`
    each share has at most one worker. Returns whether this worker got any share.
    """
    # In random order, so that two workers starting together do not both try the same share first.
    waiting = deque(random.sample(range(settings.WORK_SHARES), settings.WORK_SHARES))
    has_worked = False
    while waiting:
        # In turns: the queue is in order of age, and a batch of one share scans past the rows of the others.
        share = waiting.popleft()
        with scope(Scope.everything()):
            if try_to_take(lock, of=share):
                has_worked = True
                if work(share):
                    waiting.append(share)
    return has_worked
