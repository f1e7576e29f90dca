"""Notice that the database server has stopped answering, and cut off the statements that wait for it.

A server whose processes are paused, whose disk hangs or whose network is cut keeps its connections open, and
libpq waits for an answer without a limit. So a thread of each process looks at the statements that wait. If
one waits for long, it asks the server a question on a connection of its own. A server that answers is only
busy. Of one that does not, all waiting statements are cut off, and further ones are refused at once until it
answers again: they would take the threads that still answer for other things. Where the database has several
hosts, those that wait for a silent one are cut off, and while another one serves, nothing is refused.
"""

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from operator import gt
from typing import Any

import psycopg2
from psycopg2.errors import InternalError_, ReadOnlySqlTransaction
from psycopg2.extensions import connection as PlainConnection
from psycopg2.extensions import cursor as PlainCursor

from alliance.database.postgresql import hosts
from alliance.database.postgresql.blocking import blocking
from alliance.database.postgresql.commits import COMMIT_SECONDS, CONFIRMATION, Unconfirmed
from alliance.database.postgresql.fences import Fences
from alliance.database.postgresql.hosts import DEFAULT_PORT, Place
from alliance.database.postgresql.questions import Question, plain

# Seconds that a statement waits until the server is asked, and that the server has for its answer.
ASK_AFTER_SECONDS, ANSWER_SECONDS = 1.0, 2.0
# Seconds between two questions while statements wait for a busy server.
ASK_AGAIN_SECONDS = 3.0
# A question to a silent server is kept open: the server has to answer each of them in the end.
QUESTION_SECONDS = 15.0
TICK_SECONDS = 0.25
# Of commands: seconds until a wait for a lock is announced, and again, and until it is given up: tasks, which
# may hold it, have no longer themselves.
SAY_AFTER_SECONDS, SAY_AGAIN_SECONDS, LOCK_SECONDS = 2.0, 60.0, 960.0
# Of commands: how long a commit waits for a standby. Tasks and requests have COMMIT_SECONDS.
STANDBY_SECONDS = 60.0
# What Citus says, as an internal error, when a worker goes away in a transaction that has work there.
_WORKER_LEFT = (
    *("failure on connection marked as essential", "could not commit transaction"),
    *("failed to prepare transaction", "server closed the connection unexpectedly"),
)
# A message that tells of nothing amiss, as of a setting that has Citus log what it sends.
_NOTICE = "NOTICE:"
# What PostgreSQL 14 and later report by themselves.
_READ_ONLY = ("in_hot_standby", "default_transaction_read_only")

_limit: ContextVar[float | None] = ContextVar("limit_of_answers", default=None)


class Silent(psycopg2.OperationalError):
    """The server does not answer, or did not within the limit."""


class Demoted(psycopg2.OperationalError):
    """The server can only be read: another one is the primary now, or will be."""


class WorkerLeft(psycopg2.OperationalError):
    """A worker of the cluster went away in the middle of a transaction, which is undone everywhere."""


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Limit the wait for the answer to each statement inside, whatever the server does.

    Inside another such block the shorter limit holds.
    """
    token = _limit.set(min(seconds, _limit.get() or seconds))
    try:
        yield
    finally:
        _limit.reset(token)


class _Wait:
    """A statement that waits for its answer."""

    __slots__ = ("begun", "connection", "limit", "look_at", "was_cut")

    def __init__(self, connection: "Connection | None", limit: float | None) -> None:
        self.begun, self.connection, self.limit, self.was_cut = time.monotonic(), connection, limit, False
        # When to look whom it waits for.
        self.look_at = self.begun + SAY_AFTER_SECONDS

    @property
    def place(self) -> Place | None:
        return self.connection.place if self.connection is not None else None

    def cut(self) -> None:
        if self.connection is not None:
            self.was_cut = True
            self.connection.hang_up()


class Watch:
    """Watches all statements of this process.

    `limit`: seconds for any answer; None for no limit. `announces`: whether to say on the terminal which
    other session a statement waits for, and to cut it off when that takes too long.
    """

    def __init__(self) -> None:
        self.limit: float | None = None
        self.announces = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget everything, in a forked process: it has none of the statements, and not the thread."""
        # When the server was found to be silent, and none of its other hosts to serve.
        self.silent_since: float | None = None
        # Of several hosts, those that were silent when they were asked last.
        self.silent_places: frozenset[Place] = frozenset()
        self.fences = Fences()
        self._params: dict[str, Any] = {}
        self._question: Question | None = None
        self._asked_at = float("-inf")
        self._answered_at: dict[Place | None, float] = {}
        self._waits: set[_Wait] = set()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @contextmanager
    def connecting(self, params: dict[str, Any]) -> Iterator[None]:
        """Open a connection inside, to the server that `params` names."""
        if params != self._params:
            # Another server or database, as in tests.
            self._params, self.silent_since, self.silent_places = params, None, frozenset()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_on, name="silence", daemon=True)
                self._thread.start()
        with self.waiting(None):
            yield

    def note_life(self, place: Place) -> None:
        """Note that a host serves, as a connection to it was opened."""
        self._answered_at[place] = time.monotonic()
        self.silent_places -= {place}

    def is_silent(self, connection: "Connection") -> bool:
        """Tell whether the host of a connection says nothing, while another one may serve."""
        return bool(self.silent_places) and connection.place in self.silent_places

    @contextmanager
    def waiting(self, connection: "Connection | None", at_most: float | None = None) -> Iterator[None]:
        """Wait for an answer inside. Raises Silent if there is none.

        `at_most`: a limit of its own, where this process has any.
        """
        wait = self.begin(connection)
        if at_most is not None and wait.limit is not None:
            wait.limit = min(wait.limit, at_most)
        try:
            yield
        except psycopg2.Error as error:
            self.end(wait, error)
            raise
        except BaseException:
            self._waits.discard(wait)
            raise
        self.end(wait)

    def begin(self, connection: "Connection | None") -> _Wait:
        if self.silent_since is not None:
            raise Silent(f"the database has not answered for {time.monotonic() - self.silent_since:.0f} s")
        if connection is not None and self.is_silent(connection):
            connection.hang_up()
            raise Silent(f"the database's host {connection.place[0]} does not answer")
        limit = _limit.get()
        wait = _Wait(connection, self.limit if limit is None else limit)
        self._waits.add(wait)
        return wait

    def end(self, wait: _Wait, error: psycopg2.Error | None = None) -> None:
        self._waits.discard(wait)
        if wait.was_cut:
            waited = time.monotonic() - wait.begun
            raise Silent(f"the database did not answer within {waited:.1f} s") from error
        if error is None:
            self._answered_at[wait.place] = time.monotonic()

    def _look_on(self) -> None:
        pause = threading.Event()
        while True:
            if self._question is None:
                pause.wait(TICK_SECONDS)
            # Whatever goes wrong once, as too many open files, the watch goes on.
            with suppress(Exception):
                self.look()

    def look(self) -> None:
        """Cut off what waits beyond its limit, and ask the server if something waits for long."""
        now = time.monotonic()
        # A copy in one step: other threads add and remove.
        waits = list(self._waits)
        for wait in waits:
            if wait.limit is not None and now - wait.begun > wait.limit:
                wait.cut()
            if self.announces and wait.connection and now > wait.look_at:
                self._announce(wait, wait.connection)
        if self._question is None:
            longest = max((now - wait.begun for wait in waits), default=0.0)
            is_due = longest > ASK_AFTER_SECONDS and now - self._asked_at > ASK_AGAIN_SECONDS
            if is_due or self.silent_since is not None:
                self._asked_at = now
                of_cluster = any(wait.connection and wait.connection.is_distributed for wait in waits)
                self._question = Question(self._params, of_cluster=of_cluster)
        else:
            self._judge(self._question)

    def _judge(self, question: Question) -> None:
        """Give the hosts another moment; conclude who serves, who is silent, and who is only busy."""
        is_settled = question.is_settled(TICK_SECONDS)
        is_late = time.monotonic() - question.begun > ANSWER_SECONDS
        for place, at in list(self._answered_at.items()):
            # Answers to others do not tell of a cluster's fences.
            if at > question.begun and (is_late or not question.of_cluster):
                question.note_life(place)
        if not question.has_answer:
            self._note_silence(question)
            return
        self.silent_since = None
        if (place := question.serving_place) is not None:
            hosts.prefer(self._params, place)
        if is_settled or is_late:
            self._cut(question)
            self._drop_question()

    def _cut(self, question: Question) -> None:
        """Cut off what waits for a silent host, and what may wait for a worker that is fenced off."""
        self.silent_places = question.silent_places()
        self.fences.note(question.fences)
        for wait in list(self._waits):
            is_slow = time.monotonic() - wait.begun > ASK_AFTER_SECONDS
            if wait.place in self.silent_places or is_slow and self.fences.may_hang(wait.connection):
                wait.cut()

    def _announce(self, wait: _Wait, connection: "Connection") -> None:
        wait.look_at = time.monotonic() + SAY_AGAIN_SECONDS
        for_standby, holders = blocking(plain(self._params), connection.place, connection.info.backend_pid)
        if for_standby:
            wait.limit = STANDBY_SECONDS
            sys.stderr.write(
                "Waiting for a standby to confirm a commit (synchronous_standby_names), for"
                f' {STANDBY_SECONDS:.0f} s at most. docs/operations.md, "The standby is dead", has'
                " the commands to go on without one ...\n"
            )
        for pid, name, query in holders:
            said = f"Waiting for a lock that session {pid} of the database holds ({name}: {query}) ...\n"
            sys.stderr.write(said)
            if time.monotonic() - wait.begun > LOCK_SECONDS:
                wait.cut()

    def _note_silence(self, question: Question) -> None:
        age = time.monotonic() - question.begun
        if question.has_failed or age > ANSWER_SECONDS:
            self.silent_since = self.silent_since or question.begun
            self.silent_places = frozenset()
            for wait in list(self._waits):
                wait.cut()
        if question.has_failed or age > QUESTION_SECONDS:
            self._drop_question()

    def _drop_question(self) -> None:
        if self._question is not None:
            self._question.close()
            self._question = None


WATCH = Watch()
os.register_at_fork(after_in_child=WATCH._begin_anew)


class Connection(PlainConnection):
    """A connection whose waits are watched, and that another thread can hang up."""

    _line = -1
    place: Place = ("", DEFAULT_PORT)
    # Whether the tables are on a cluster; the backend says so once it is connected.
    is_distributed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opened_at = time.monotonic()
        self.place = (self.info.host or "", str(self.info.port))
        self._reported = self._report()
        self._poll = select.poll()
        self._poll.register(self.fileno(), select.POLLIN)
        # Of our own: libpq may close its number, and another socket get it, at the moment we hang up.
        self._line = os.dup(self.fileno())

    def has_data(self) -> bool:
        """Whether there is something to read: of an idle connection its end, or a notice."""
        return bool(self._poll.poll(0))

    def _report(self) -> tuple[bool, bool]:
        status, (first, second) = self.info.parameter_status, _READ_ONLY
        return status(first) == "on", status(second) == "on"

    @property
    def became_read_only(self) -> bool:
        """Whether the server reported so since; what was reported at the start may be a pooler's memory."""
        now = self._report()
        return now != self._reported and any(map(gt, now, self._reported))

    def hang_up(self) -> None:
        """Have the thread that waits for the server read the end of the connection."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._line)) as line:
            line.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Send COMMIT inside. It may wait for a standby, but only for some seconds."""
        if CONFIRMATION.is_doubtful:
            CONFIRMATION.require(self)
        self.notices.clear()
        try:
            with WATCH.waiting(self, at_most=COMMIT_SECONDS):
                yield
        except Silent:
            CONFIRMATION.is_doubtful = True
            raise
        self.require_no_warning()

    def require_no_warning(self) -> None:
        """Raise Unconfirmed if the server warned beside a commit.

        It warns, in its own language, and says COMMIT: somebody ended the wait for a standby, or a worker of
        the cluster went away before it answered that it has committed its part.
        """
        if warnings := [text for text in self.notices if not text.startswith(_NOTICE)]:
            raise Unconfirmed(f"not confirmed: {warnings[-1].strip()}")

    def close(self) -> None:
        super().close()
        self._let_go()

    def __del__(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        line, self._line = self._line, -1
        if line >= 0:
            os.close(line)


class Cursor(PlainCursor):
    """A cursor whose statements are watched."""

    connection: Connection

    def execute(self, query: Any, vars: Any = None) -> None:
        # Not as a context manager: this runs for each statement.
        wait = WATCH.begin(self.connection)
        try:
            super().execute(query, vars)
        except psycopg2.Error as error:
            WATCH.end(wait, error)
            self._raise_outage(error)
            raise
        except BaseException:
            WATCH.end(wait)
            raise
        WATCH.end(wait)

    def executemany(self, query: Any, vars_list: Any) -> None:
        try:
            with WATCH.waiting(self.connection):
                super().executemany(query, vars_list)
        except psycopg2.Error as error:
            self._raise_outage(error)
            raise

    def _raise_outage(self, error: psycopg2.Error) -> None:
        """Raise an outage that passes in place of psycopg2's error, if that looks like a bug of ours.

        A connection that can only be read is ended: kept open, it would refuse each further write as well.
        """
        if isinstance(error, InternalError_) and any(words in str(error) for words in _WORKER_LEFT):
            raise WorkerLeft(str(error)) from error
        if isinstance(error, ReadOnlySqlTransaction):
            self.connection.hang_up()
            raise Demoted(f"the database can only be read at {self.connection.place[0]}") from error
