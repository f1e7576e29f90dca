"""How long an address waits after wrong digits. Pure.

Of 10,000 combinations one is right, and whoever finds it can only choose a later day. So a guesser is slowed
down by its own address, and nobody else waits for it: else anybody could lock the recipient out.
"""

from datetime import timedelta
from typing import Final

# Wrong answers of one address before it waits.
FREE: Final = 5
# Once so many wrong answers came from all addresses within a day, a new address has one.
MANY: Final = 25
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(days=1)


def tries_left(failed: int, failed_by_all: int) -> int:
    """The wrong answers that an address still has before it waits."""
    return max((FREE if failed_by_all < MANY else 1) - failed, 0)


def wait_after(failed: int, failed_by_all: int) -> timedelta:
    """How long an address waits after its last wrong answer; each further one doubles the wait."""
    beyond = failed - (FREE if failed_by_all < MANY else 1)
    if beyond < 0:
        return timedelta()
    # Doubled a dozen times it is the longest wait.
    return min(FIRST_WAIT * 2 ** min(beyond, 12), LONGEST_WAIT)
