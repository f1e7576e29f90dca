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
from alliance.web.board import BOARD, Board

# The tenant of all requests without a valid key or session. Invented keys must not count as tenants of their
# own, or they could take every place.
STRANGERS = "strangers"
TOO_MANY_AT_ONCE = "too_many_at_once"
# Seconds between two looks at the board: other processes do not tell when their calls end.
LOOK_SECONDS = 0.005


@dataclass(eq=False, slots=True)
class _Ticket:
    """A request that waits for a slot, and its entry on the board, if it may take long."""

    tenant: str
    entry: int | None


class Gate:
    """Places for requests with heavy work, and fewer slots for those that are running.

    `share`: places of one tenant at most. `patience`: seconds that a request with a place waits for a slot.
    `together`: long requests of one tenant that run at a time, in all processes, while others call.
    """

    def __init__(
        self,
        *,
        slots: int,
        places: int,
        share: int,
        patience: float,
        together: int = 1,
        board: Board = BOARD,
    ) -> None:
        self._slots, self._places, self._share, self._patience = slots, places, share, patience
        self._together, self._board = together, board
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
                raise self._too_many(self._share)
            if self._inside.total() >= self._places:
                raise _overloaded()
            self._inside[tenant] += 1
        try:
            yield
        finally:
            with self._changed:
                self._take_from(self._inside, tenant)

    @contextmanager
    def slot(self, tenant: str, *, is_long: bool = False) -> Iterator[None]:
        """Wait for a slot and hold it. Raises Unavailable if none is free within `patience`.

        The next slot goes to the tenant with the fewest slots, and among equals to the oldest request: a
        flood of one tenant gets only what the others leave. A long request waits for its tenant's other ones
        in all processes, too, and raises TooMany after `patience`.
        """
        with self._changed:
            ticket = _Ticket(tenant, self._board.enter(tenant) if is_long else None)
        try:
            self._wait_with(ticket)
            try:
                yield
            finally:
                with self._changed:
                    self._take_from(self._running, tenant)
                    self._changed.notify_all()
        finally:
            if ticket.entry is not None:
                self._board.leave(ticket.entry)

    def _wait_with(self, ticket: _Ticket) -> None:
        until = time.monotonic() + self._patience
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._running.total() >= self._slots or self._next() is not ticket:
                    remaining = until - time.monotonic()
                    if remaining <= 0:
                        raise self._refusal_of(ticket)
                    self._changed.wait(min(remaining, self._seconds_to_look(ticket)))
                self._running[ticket.tenant] += 1
                if ticket.entry is not None:
                    self._board.begin(ticket.entry)
            finally:
                self._waiting.remove(ticket)
                # There may be another free slot for the next request.
                self._changed.notify_all()

    def _next(self) -> _Ticket | None:
        able: list[_Ticket] = []
        barred: set[str] = set()
        for ticket in self._waiting:
            if ticket.entry is None or (ticket.tenant not in barred and self._may_begin(ticket.entry)):
                able.append(ticket)
            else:
                # Nor may those of the tenant that came later.
                barred.add(ticket.tenant)
        return min(able, key=lambda ticket: self._running[ticket.tenant], default=None)

    def _may_begin(self, entry: int) -> bool:
        return self._board.may_begin(entry, self._together)

    def _seconds_to_look(self, ticket: _Ticket) -> float:
        """Only a tenant's oldest long request looks at the board: when it goes, the others are woken up.

        Nor does that one while all slots are taken: whoever leaves one wakes it up.
        """
        if self._running.total() >= self._slots:
            return self._patience
        of_tenant = (other for other in self._waiting if other.tenant == ticket.tenant)
        oldest = next((other for other in of_tenant if other.entry is not None), None)
        return LOOK_SECONDS if oldest is ticket else self._patience

    def _refusal_of(self, ticket: _Ticket) -> TooMany | Unavailable:
        is_barred = ticket.entry is not None and not self._may_begin(ticket.entry)
        return self._too_many(self._together) if is_barred else _overloaded()

    @staticmethod
    def _too_many(most: int) -> TooMany:
        detail = _("Too many requests at once: at most %(most)d. Wait for one to finish.")
        return TooMany(detail % {"most": most}, code=TOO_MANY_AT_ONCE, retry_after=spread(1))

    @staticmethod
    def _take_from(counts: Counter[str], tenant: str) -> None:
        counts[tenant] -= 1
        if not counts[tenant]:
            del counts[tenant]


@lru_cache(maxsize=1)
def gate(*, slots: int, places: int, share: int, patience: float, together: int) -> Gate:
    """Return the one gate of this process."""
    return Gate(slots=slots, places=places, share=share, patience=patience, together=together)


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
