"""Limits of heavy work in one web process, and its fair division between tenants.

Calls beyond the capacity are refused at once instead of queueing ever longer: accepted calls stay fast, and
some threads are always free for light reads. The state is in the memory of the process, so it needs no
clean-up after a crash, and no network. The numbers are in the settings, their reasons in docs/limits.md.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.utils.translation import gettext as _

from alliance.errors import TooMany, Unavailable, spread
from alliance.tenancy import Actor

# The tenant of all requests without a valid key or session. Invented keys must not count as tenants of their
# own, or they could take every place.
STRANGERS = "strangers"
TOO_MANY_AT_ONCE = "too_many_at_once"


@dataclass(eq=False, slots=True)
class _Ticket:
    """A request that waits for a slot."""

    tenant: str


class Gate:
    """Places for requests with heavy work, and fewer slots for those that are running.

    `share`: places of one tenant at most. `patience`: seconds that a request with a place waits for a slot.
    """

    def __init__(self, *, slots: int, places: int, share: int, patience: float) -> None:
        self._slots, self._places, self._share, self._patience = slots, places, share, patience
        self._changed = threading.Condition()
        self._inside: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._waiting: list[_Ticket] = []

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """Hold a place. Raises TooMany beyond the tenant's share, Unavailable if there is no place.

        Unauthenticated requests share one place: their bodies must be read, but must not block others.
        """
        with self._changed:
            if tenant == STRANGERS and self._inside[tenant]:
                raise _overloaded()
            if self._inside[tenant] >= self._share:
                detail = _("Too many requests at once: at most %(most)d. Wait for one to finish.")
                raise TooMany(detail % {"most": self._share}, code=TOO_MANY_AT_ONCE, retry_after=spread(1))
            if self._inside.total() >= self._places:
                raise _overloaded()
            self._inside[tenant] += 1
        try:
            yield
        finally:
            with self._changed:
                self._take_from(self._inside, tenant)

    @contextmanager
    def slot(self, tenant: str) -> Iterator[None]:
        """Wait for a slot and hold it. Raises Unavailable if none is free within `patience`.

        The next slot goes to the tenant with the fewest slots, and among equals to the oldest request: a
        flood of one tenant gets only what the others leave.
        """
        ticket, until = _Ticket(tenant), time.monotonic() + self._patience
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._running.total() >= self._slots or self._next() is not ticket:
                    if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                        raise _overloaded()
                self._running[tenant] += 1
            finally:
                self._waiting.remove(ticket)
                # There may be another free slot for the next request.
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._take_from(self._running, tenant)
                self._changed.notify_all()

    def _next(self) -> _Ticket:
        return min(self._waiting, key=lambda ticket: self._running[ticket.tenant])

    @staticmethod
    def _take_from(counts: Counter[str], tenant: str) -> None:
        counts[tenant] -= 1
        if not counts[tenant]:
            del counts[tenant]


@lru_cache(maxsize=1)
def gate(*, slots: int, places: int, share: int, patience: float) -> Gate:
    """Return the one gate of this process."""
    return Gate(slots=slots, places=places, share=share, patience=patience)


class Tenants:
    """The tenants of credentials that this process has seen, so that no query is needed."""

    _MOST = 10_000

    def __init__(self) -> None:
        self._organisations: dict[int, int] = {}

    def of(self, credentials: str) -> str | None:
        """Return the tenant of credentials, one for all of an organisation; None for unseen ones."""
        organisation = self._organisations.get(hash(credentials))
        return None if organisation is None else _organisation(organisation)

    def learn(self, credentials: str, organisation_id: int | None) -> None:
        """Store the organisation of credentials; remove credentials that are no longer valid."""
        if organisation_id is None:
            self._organisations.pop(hash(credentials), None)
            return
        if len(self._organisations) >= self._MOST:
            self._organisations.clear()
        self._organisations[hash(credentials)] = organisation_id


TENANTS: Final = Tenants()


def tenant_of(actor: Actor) -> str:
    """Return the tenant that an actor's requests are counted for."""
    if actor.is_anonymous:
        return STRANGERS
    return f"user {actor.user_id}" if actor.organisation_id is None else _organisation(actor.organisation_id)


def _organisation(organisation_id: int) -> str:
    return f"organisation {organisation_id}"


def _overloaded() -> Unavailable:
    return Unavailable(_("The server is busy. Send the request again."), code="overloaded")
