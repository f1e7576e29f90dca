"""Ask a database server whether it is there, without ever waiting for longer than asked to."""

import select
import time
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_WRITE

from alliance.database.postgresql.fences import IS_READ_ONLY, IS_READ_ONLY_AND_FENCES
from alliance.database.postgresql.hosts import Place, each_of, prefer

# Errors of the network, in the words of libpq, which mean the same as no answer.
_UNREACHABLE = (
    *("No route to host", "Network is unreachable", "Connection timed out"),
    # The queue of a socket is full, as nobody takes connections from it.
    "Resource temporarily unavailable",
)

# Seconds after which a host that refused is asked once more, while another one says nothing.
AGAIN_SECONDS = 1.0


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of connections that are not watched themselves."""
    return {name: value for name, value in params.items() if not name.endswith("_factory")}


class _Inquiry:
    """Whether one host can be written to, asked on a connection of its own."""

    def __init__(self, params: dict[str, Any], statement: str) -> None:
        self.begun = time.monotonic()
        # How it ended: the host serves, or refuses to, or no answer will come any more.
        self.serves = self.refuses = self.has_failed = False
        self.fences: str | None = None
        self._params, self._statement = params, statement
        self._connection: Any = None
        # Kept: psycopg2 reads an answer only for a cursor that is still there.
        self._cursor: Any = None

    @property
    def is_open(self) -> bool:
        return not (self.serves or self.refuses or self.has_failed)

    def advance(self) -> tuple[Any, bool] | None:
        """Go on as far as that needs no waiting; return what to wait for, and whether to write to it."""
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(**self._params, async_=True)
            state = self._connection.poll()
            if state == POLL_OK and self._cursor is None:
                self._cursor = self._connection.cursor()
                self._cursor.execute(self._statement)
                state = self._connection.poll()
        except psycopg2.Error as error:
            self.has_failed = any(words in str(error) for words in _UNREACHABLE)
            self.refuses = not self.has_failed
            return None
        if state == POLL_OK:
            is_read_only, *fences = self._cursor.fetchone()
            self.serves = is_read_only == "off"
            self.refuses = not self.serves
            self.fences = fences[0] if fences else None
            return None
        return self._connection, state == POLL_WRITE

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Question:
    """One inquiry to each host that parameters name: they may be as different as alive and dead."""

    def __init__(self, params: dict[str, Any], *, of_cluster: bool = False) -> None:
        self.begun, self.of_cluster = time.monotonic(), of_cluster
        self._params = each_of(plain(params))
        self._statement = IS_READ_ONLY_AND_FENCES if of_cluster else IS_READ_ONLY
        self._inquiries = {place: self._ask(place) for place in self._params}

    def _ask(self, place: Place) -> _Inquiry:
        return _Inquiry(self._params[place], self._statement)

    def is_answered(self, seconds: float) -> bool:
        """Wait so long; tell whether there is a server, be it one that refuses."""
        self._go_on(seconds, until=lambda: self.has_answer)
        return self.has_answer

    def is_settled(self, seconds: float) -> bool:
        """Wait so long; tell whether each host has answered, or never will."""
        self._ask_refusers_again()
        self._go_on(seconds, until=lambda: not self._open() and not self.has_failed)
        return not self._open()

    def _go_on(self, seconds: float, *, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            waits = [wait for inquiry in self._open() if (wait := inquiry.advance()) is not None]
            remaining = deadline - time.monotonic()
            if until() or remaining <= 0:
                return
            if waits:
                reads = [connection for connection, writes in waits if not writes]
                select.select(reads, [connection for connection, writes in waits if writes], [], remaining)
            else:
                time.sleep(remaining)

    def _ask_refusers_again(self) -> None:
        """While others say nothing, a standby that refused a moment ago may have been promoted."""
        before = time.monotonic() - AGAIN_SECONDS
        for place, inquiry in self._inquiries.items():
            if inquiry.refuses and inquiry.begun < before and self._open():
                inquiry.close()
                self._inquiries[place] = self._ask(place)

    @property
    def has_answer(self) -> bool:
        """Any host serves; or all of them refuse, so that nobody waits for them."""
        inquiries = self._inquiries.values()
        return any(one.serves for one in inquiries) or all(one.refuses for one in inquiries)

    def _open(self) -> list[_Inquiry]:
        return [inquiry for inquiry in self._inquiries.values() if inquiry.is_open]

    @property
    def has_failed(self) -> bool:
        """No answer will come any more."""
        return not self._open() and not self.has_answer

    def silent_places(self) -> frozenset[Place]:
        """Return where no answer has come from."""
        return frozenset(place for place, one in self._inquiries.items() if not (one.serves or one.refuses))

    @property
    def serving_place(self) -> Place | None:
        return next((place for place, one in self._inquiries.items() if one.serves), None)

    @property
    def fences(self) -> str | None:
        """The fences of a cluster; None if nobody has told."""
        return next((one.fences for one in self._inquiries.values() if one.fences is not None), None)

    def note_life(self, place: Place | None) -> None:
        """Note that this host has answered somebody else: a pooler may have only our question wait."""
        if len(self._inquiries) == 1:
            [place] = self._inquiries
        if place in self._inquiries:
            self._inquiries[place].serves = True

    def close(self) -> None:
        for inquiry in self._inquiries.values():
            inquiry.close()


def answers(params: dict[str, Any], seconds: float) -> bool:
    """Tell whether a server answers on a new connection within so many seconds."""
    question = Question(params)
    try:
        is_answered = question.is_answered(seconds)
        if (place := question.serving_place) is not None:
            # The connection that comes next is spared the others.
            prefer(params, place)
        return is_answered
    finally:
        question.close()
