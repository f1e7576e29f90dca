"""How fast passwords may be guessed: some free tries an hour, then waits that grow.

Wrong passwords are counted by client address and by account, for an hour, at every door that takes a
password. An address is stopped long before an account is, so one attacker cannot keep an owner out; the
account's own count slows down guesses from many addresses, and its waits stay short, because the owner on a
new device waits with the attackers. A browser that has logged in to the account before is counted by itself,
so that nobody else's guesses keep it out (see alliance.web.devices).
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from redis import Redis
from redis.exceptions import RedisError

from alliance.durations import MINUTE, duration_text
from alliance.errors import TooMany
from alliance.web.caching import RETRY_AFTER_SECONDS

# Counts are forgotten an hour after the first wrong password, however many followed.
COUNTED_FOR = 3600


@dataclass(frozen=True, slots=True)
class Allowance:
    """Free tries an hour, and the waits between further ones: doubled each time, up to the longest."""

    free: int
    first_wait: int
    longest_wait: int

    def wait_after(self, tries: int) -> int:
        """Return the seconds until the next try after so many; 0 while they are free."""
        extra = tries - self.free
        # Sixteen doublings of any first wait are longer than the longest.
        return 0 if extra < 0 else min(self.first_wait << min(extra, 16), self.longest_wait)


ADDRESS = Allowance(free=10, first_wait=30, longest_wait=900)
DEVICE = ADDRESS
# About a hundred guesses an hour at one account, from however many addresses.
ACCOUNT = Allowance(free=30, first_wait=5, longest_wait=60)


class TooManyGuesses(TooMany):
    """Too many passwords were wrong: for now none is compared, not even the right one."""

    code = "too_many_guesses"
    title = gettext_lazy("Too many attempts")

    def __init__(self, seconds: int) -> None:
        wait = ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
        if seconds > MINUTE.total_seconds():
            # Rounded up: trying again a moment too early is answered like this once more.
            wait = duration_text(timedelta(seconds=seconds + 59))
        super().__init__(
            _("Too many wrong passwords. Try again in %(wait)s.") % {"wait": wait}, retry_after=seconds
        )


@dataclass(slots=True)
class Guess:
    """A password about to be compared. The caller says when it was wrong; otherwise it costs nothing."""

    was_wrong: bool = False
    counted: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)


@contextmanager
def guess(*, account: str, address: str, device: str = "") -> Iterator[Guess]:
    """Count a guess at an account, unless it turns out right. Raises TooManyGuesses if it has to wait.

    Counted before the password is compared: many guesses at once would otherwise all be compared first.
    `device` is the id of a browser that has logged in to the account before.
    """
    names = {f"device:{device}": DEVICE} if device else {f"address:{address}": ADDRESS}
    if not device:
        names[f"account:{account.lower()}"] = ACCOUNT
    keys = {_key(name): allowance for name, allowance in names.items()}
    this = Guess()
    try:
        _refuse_waiting(max(_tally("seconds_left", key) for key in keys))
        for key, allowance in keys.items():
            tries = _tally("count", key)
            this.counted.append(key)
            if wait := allowance.wait_after(tries):
                if not _tally("claim", key, wait):
                    _refuse_waiting(max(_tally("seconds_left", key), 1))
                this.claimed.append(key)
        yield this
    finally:
        if not this.was_wrong:
            _tally("give_back", this.counted, this.claimed)


def _refuse_waiting(seconds: int) -> None:
    if seconds > 0:
        raise TooManyGuesses(seconds)


def _key(name: str) -> str:
    # Hashed: the cache needs no list of who logs in from where.
    return cache.make_key("guess:" + hashlib.sha256(name.encode()).hexdigest()[:32])


# --- where counts are kept -------------------------------------------------------------------


class _SharedTally:
    """The counts of all processes, in Valkey."""

    def __init__(self) -> None:
        # Not Django's cache: it cannot tell how long a key will last.
        self._redis = Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS)

    def seconds_left(self, key: str) -> int:
        return max(-(-int(self._redis.pttl(f"{key}:wait")) // 1000), 0)

    def count(self, key: str) -> int:
        with self._redis.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, COUNTED_FOR, nx=True)
            return int(pipe.execute()[0])

    def claim(self, key: str, seconds: int) -> bool:
        return bool(self._redis.set(f"{key}:wait", 1, nx=True, ex=seconds))

    def give_back(self, counted: list[str], claimed: list[str]) -> int:
        for key in counted:
            # Expired in the meantime, it would be created below zero, and never expire.
            if int(self._redis.decr(key)) <= 0:
                self._redis.delete(key)
        if claimed:
            self._redis.delete(*(f"{key}:wait" for key in claimed))
        return len(counted)


class _OwnTally:
    """The counts of this process."""

    _MOST = 20_000

    def __init__(self) -> None:
        self._lock = Lock()
        self._tries: dict[str, tuple[int, float]] = {}
        self._waits: dict[str, float] = {}

    def clear(self) -> None:
        self._tries.clear()
        self._waits.clear()

    def seconds_left(self, key: str) -> int:
        return max(-int(-(self._waits.get(key, 0.0) - time.monotonic()) // 1), 0)

    def count(self, key: str) -> int:
        with self._lock:
            if len(self._tries) >= self._MOST:
                self.clear()
            now = time.monotonic()
            tries, until = self._tries.get(key, (0, 0.0))
            if until <= now:
                tries, until = 0, now + COUNTED_FOR
            self._tries[key] = (tries + 1, until)
            return tries + 1

    def claim(self, key: str, seconds: int) -> bool:
        with self._lock:
            if self.seconds_left(key):
                return False
            self._waits[key] = time.monotonic() + seconds
            return True

    def give_back(self, counted: list[str], claimed: list[str]) -> int:
        with self._lock:
            for key in counted:
                tries, until = self._tries.get(key, (0, 0.0))
                self._tries[key] = (max(tries - 1, 0), until)
            for key in claimed:
                self._waits.pop(key, None)
        return len(counted)


@lru_cache(maxsize=1)
def _shared() -> _SharedTally:
    return _SharedTally()


_own = _OwnTally()
# Until when Valkey is skipped after a failure.
_state = {"away_until": 0.0}


def forget() -> None:
    """Reset the counts of this process, and the pause after a failure of Valkey."""
    _own.clear()
    _state["away_until"] = 0.0


def _tally(verb: str, *args: Any) -> Any:
    """Call a method of the process's own counts and of the shared ones, and return the stricter answer.

    The own counts are of what this process has seen; while Valkey is away they are all there is.
    """
    own = getattr(_own, verb)(*args)
    if time.monotonic() < _state["away_until"]:
        return own
    try:
        shared = getattr(_shared(), verb)(*args)
    except (RedisError, ConnectionError):
        _state["away_until"] = time.monotonic() + RETRY_AFTER_SECONDS
        return own
    return min(own, shared) if verb == "claim" else max(own, shared)
