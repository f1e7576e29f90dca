"""How much heavy work one web process does at once, and how it is shared between those who ask for it.

Calls beyond capacity are sent away at once instead of queueing for longer and longer: what was accepted
stays fast, and some threads are always left for light reads. All of it is one process's own memory, so
nothing is left behind by a process that dies, and nothing has to be asked of anybody. The numbers are in
settings, their reasons in docs/limits.md.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.utils.translation import gettext as _

from alliance.errors import TooMany, Unavailable, spread
from alliance.tenancy import Actor

# All who show neither a good key nor a session. Keys are easily made up: each a tenant by itself, they
# would soon have every place.
STRANGERS = "strangers"


@dataclass(eq=False, slots=True)
class _Ticket:
    """One who waits for a slot."""

    tenant: str


class Gate:
    """Places for those who send something heavy, and fewer slots for those whose work is being done.

    `share`: most places one tenant has at once. `patience`: seconds that one with a place waits for a slot.
    """

    def __init__(self, *, slots: int, places: int, share: int, patience: float) -> None:
        self._slots, self._places, self._share, self._patience = slots, places, share, patience
        self._changed = threading.Condition()
        self._inside: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._waiting: list[_Ticket] = []

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """Be one of those inside. Raises TooMany past the tenant's share, Unavailable when all is full.

        Strangers have one place: it would be wrong to read nothing of theirs, and worse to wait for them.
        """
        with self._changed:
            if tenant == STRANGERS and self._inside[tenant]:
                raise _overloaded()
            if self._inside[tenant] >= self._share:
                detail = _("Too many requests at once: at most %(most)d. Wait for one to finish.")
                raise TooMany(detail % {"most": self._share}, code="too_many_at_once", retry_after=spread(1))
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
        """Wait for one's turn, and have it. Raises Unavailable when it does not come soon.

        Turns go to whoever's tenant has the fewest, and among those to the first who came: a flood of one
        tenant's takes what the others leave, and no more.
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
                # There may be another slot for the one behind.
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


class Tenants:
    """Whose credentials are whose, as far as this process has seen: known before any query."""

    _MOST = 10_000

    def __init__(self) -> None:
        self._organisations: dict[int, int] = {}

    def of(self, credentials: str) -> str | None:
        """Return one name for all credentials of an organisation, None for those not seen before."""
        organisation = self._organisations.get(hash(credentials))
        return None if organisation is None else _organisation(organisation)

    def learn(self, credentials: str, organisation_id: int | None) -> None:
        """Remember whose credentials these were found to be; forget those that are nobody's any more."""
        if organisation_id is None:
            self._organisations.pop(hash(credentials), None)
            return
        if len(self._organisations) >= self._MOST:
            self._organisations.clear()
        self._organisations[hash(credentials)] = organisation_id


def tenant_of(actor: Actor) -> str:
    """Return the name that an actor is counted by."""
    if actor.is_anonymous:
        return STRANGERS
    return f"user {actor.user_id}" if actor.organisation_id is None else _organisation(actor.organisation_id)


def _organisation(organisation_id: int) -> str:
    return f"organisation {organisation_id}"


def _overloaded() -> Unavailable:
    return Unavailable(_("The server is busy. Send the request again."), code="overloaded")
