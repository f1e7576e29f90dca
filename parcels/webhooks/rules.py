"""When a webhook is tried again, how its id is written, into which bin its duration falls. Pure functions."""

import math
import secrets
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

# The waits before each attempt, as Standard Webhooks recommends: the last one is made after 75 hours.
WAITS: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# A wait is longer by up to this part: endpoints that fail together do not come back together.
JITTER: Final = 0.1
# The longest wait that an answer may ask for by Retry-After.
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
# After the first batch of which nothing arrived, and at most: meanwhile nothing is tried at the endpoint.
FIRST_HOLD: Final = timedelta(seconds=5)
LONGEST_HOLD: Final = timedelta(minutes=5)
# Everything failed for so long: its people are told, and told again; then it is switched off.
WARN_AFTER: Final = (timedelta(days=1), timedelta(days=3))
DISABLE_AFTER: Final = timedelta(days=5)
# How long the secret before goes on signing beside a new one.
OVERLAP: Final = timedelta(hours=24)
# Deliveries and what was answered.
KEPT: Final = timedelta(days=30)

MOST_ENDPOINTS: Final = 20
MOST_SECRETS: Final = 5
DESCRIPTION_LENGTH: Final = 120
URL_LENGTH: Final = 500
# As long as a reference.
PREFIX_LENGTH: Final = 64
ANSWER_BYTES: Final = 2048
# Attempts that the log of one delivery keeps.
LOGGED: Final = 30

# Upper bounds of bins in milliseconds, each a quarter above the one before; the last bin has the rest.
BOUNDS: Final = tuple(round(1.25**power) for power in range(4, 44))
BINS: Final = len(BOUNDS) + 1

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_BITS: Final = 64
_HALF: Final = 13
_MASK: Final = (1 << _BITS) - 1


def due_after(tries: int, now: datetime, *, chance: float, retry_after: timedelta | None) -> datetime | None:
    """Return when to try again after so many failed tries; None if that was the last one."""
    if tries >= len(WAITS):
        return None
    wait = WAITS[tries] * (1 + JITTER * chance)
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER))
    return now + wait


def hold_after(failures: int) -> timedelta:
    """Return how long nothing is tried after so many batches in a row of which nothing arrived."""
    return min(FIRST_HOLD * 2 ** min(max(failures - 1, 0), 20), LONGEST_HOLD)


def warning_due(failing_for: timedelta, warned: int) -> bool:
    """Tell whether people are to be told, once more, that an endpoint fails."""
    return warned < len(WARN_AFTER) and failing_for >= WARN_AFTER[warned]


# Ids outside, as regular expressions.
CODE_PATTERN: Final = f"^whk_[{_DIGITS}]{{20}}$"
MESSAGE_PATTERN: Final = f"^msg_[{_DIGITS}]{{{2 * _HALF}}}$"


def new_code() -> str:
    """Return the id by which programs know an endpoint."""
    return "whk_" + "".join(secrets.choice(_DIGITS) for _place in range(20))


def message_id(parcel_id: int, delivery_id: int) -> str:
    """Return the `webhook-id` of a delivery: the same for ever, and the delivery's key at once."""
    return f"msg_{_written(parcel_id)}{_written(delivery_id)}"


def parse_message_id(text: str) -> tuple[int, int] | None:
    """Return the parcel's id and the delivery's of a `webhook-id`; None for any other text."""
    digits = text.strip().lower().removeprefix("msg_")
    if len(digits) != 2 * _HALF or not _VALUES.keys() >= set(digits):
        return None
    parcel_id, delivery_id = _read(digits[:_HALF]), _read(digits[_HALF:])
    return None if parcel_id is None or delivery_id is None else (parcel_id, delivery_id)


def _written(number: int) -> str:
    # Below 0: an event about no parcel, on some worker of a cluster.
    rest, digits = number & _MASK, []
    for _place in range(_HALF):
        digits.append(_DIGITS[rest & 31])
        rest >>= 5
    return "".join(reversed(digits))


def _read(digits: str) -> int | None:
    number = 0
    for digit in digits:
        number = number << 5 | _VALUES[digit]
    if number > _MASK:
        return None
    return number - (1 << _BITS) if number >> (_BITS - 1) else number


def bin_of(milliseconds: int) -> int:
    return bisect_left(BOUNDS, milliseconds)


def quantile(bins: Sequence[int], share: float) -> int | None:
    """Return the milliseconds within which a share of the attempts ended, by their bin; None without any."""
    wanted, seen = math.ceil(sum(bins) * share), 0
    if not wanted:
        return None
    for place, count in enumerate(bins):
        seen += count
        if seen >= wanted:
            return BOUNDS[min(place, len(BOUNDS) - 1)]
    return None
