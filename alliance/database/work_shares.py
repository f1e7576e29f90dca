"""Work on a queue divided by courier: workers take a share each, side by side, and touch no row of another's.

Whatever is counted is counted by courier, too, so that shares have no cell in common either.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from django.conf import settings

from alliance.locks import Lock, try_to_take
from alliance.tenancy import Scope, scope


def in_share(courier: str) -> str:
    """Return the condition that a row, by its courier's column, is in the share of share_parameters()."""
    return f"mod({courier}, %(shares)s) = %(share)s"


def share_parameters(share: int) -> dict[str, Any]:
    """Return what in_share() asks for."""
    return {"share": share, "shares": settings.WORK_SHARES}


def work_in_shares(work: Callable[[int], bool], *, lock: Lock) -> bool:
    """Do one piece of each share after the other, in a transaction each, until none has more to do.

    `work` says whether its share has. Shares that somebody else is at are left to them: with `lock` each has
    one worker at most. Returns whether any share was ours.
    """
    # In any order: two that begin at the same moment should not both ask for the same first.
    waiting = deque(random.sample(range(settings.WORK_SHARES), settings.WORK_SHARES))
    ours = False
    while waiting:
        # In turns: who did one share to its end would pass by all that waits of the others, at each piece.
        share = waiting.popleft()
        with scope(Scope.everything()):
            if try_to_take(lock, of=share):
                ours = True
                if work(share):
                    waiting.append(share)
    return ours
