"""Notice that the database server has stopped answering, and cut off the statements that wait for it.

A server whose processes are paused, whose disk hangs or whose network is cut keeps its connections open, and
libpq waits for an answer without a limit. So a thread of each process looks at the statements that wait. If
one waits for long, it asks the server a question on a connection of its own. A server that answers is only
busy. Of one that does not, all waiting statements are cut off, and further ones are refused at once until it
answers again: they would take the threads that still answer for other things.
"""

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_WRITE
from psycopg2.extensions import connection as PlainConnection
from psycopg2.extensions import cursor as PlainCursor

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
_BLOCKING = """
    SELECT pid, coalesce(nullif(application_name, ''), usename, '?'),
        left(regexp_replace(query, '\\s+', ' ', 'g'), 100)
    FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(%s))
"""
# Errors of the network, in the words of libpq, which mean the same as no answer.
_UNREACHABLE = (
    *("No route to host", "Network is unreachable", "Connection timed out"),
    # The queue of a socket is full, as nobody takes connections from it.
    "Resource temporarily unavailable",
)

_limit: ContextVar[float | None] = ContextVar("limit_of_answers", default=None)


class Silent(psycopg2.OperationalError):
    """The server does not answer, or did not within the limit."""


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Limit the wait for the answer to each statement inside, whatever the server does."""
    token = _limit.set(seconds)
    try:
        yield
    finally:
        _limit.reset(token)


def _plain(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of connections that are not watched themselves."""
    return {name: value for name, value in params.items() if not name.endswith("_factory")}


class Question:
    """`SELECT 1` on a connection of its own, without ever waiting for longer than asked to."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.begun = time.monotonic()
        # No answer will come any more.
        self.has_failed = False
        self._params = _plain(params)
        self._connection: Any = None
        self._is_sent = False

    def is_answered(self, seconds: float) -> bool:
        """Wait so long; tell whether the server has answered, be it by a refusal."""
        until = time.monotonic() + seconds
        try:
            while (state := self._advance()) is not None:
                if (remaining := until - time.monotonic()) <= 0:
                    return False
                writes = [self._connection] if state == POLL_WRITE else []
                select.select([] if writes else [self._connection], writes, [], remaining)
        except psycopg2.Error as error:
            if not any(words in str(error) for words in _UNREACHABLE):
                return True
            self.has_failed = True
            time.sleep(max(until - time.monotonic(), 0))
            return False
        return True

    def _advance(self) -> int | None:
        """Go on as far as that needs no waiting; return what to wait for, None after the answer."""
        if self._connection is None:
            self._connection = psycopg2.connect(**self._params, async_=True)
        state = self._connection.poll()
        if state == POLL_OK and not self._is_sent:
            self._connection.cursor().execute("SELECT 1")
            self._is_sent = True
            state = self._connection.poll()
        return None if state == POLL_OK else int(state)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def answers(params: dict[str, Any], seconds: float) -> bool:
    """Tell whether a server answers on a new connection within so many seconds."""
    question = Question(params)
    try:
        return question.is_answered(seconds)
    finally:
        question.close()


class _Wait:
    """A statement that waits for its answer."""

    __slots__ = ("begun", "connection", "limit", "look_at", "was_cut")

    def __init__(self, connection: "Connection | None", limit: float | None) -> None:
        self.begun, self.connection, self.limit, self.was_cut = time.monotonic(), connection, limit, False
        # When to look whom it waits for.
        self.look_at = self.begun + SAY_AFTER_SECONDS

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
        # When the server was found to be silent.
        self.silent_since: float | None = None
        self._params: dict[str, Any] = {}
        self._question: Question | None = None
        self._asked_at = self._answered_at = float("-inf")
        self._waits: set[_Wait] = set()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @contextmanager
    def connecting(self, params: dict[str, Any]) -> Iterator[None]:
        """Open a connection inside, to the server that `params` names."""
        if params != self._params:
            # Another server or database, as in tests.
            self._params, self.silent_since = params, None
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_on, name="silence", daemon=True)
                self._thread.start()
        with self.waiting(None):
            yield

    @contextmanager
    def waiting(self, connection: "Connection | None") -> Iterator[None]:
        """Wait for an answer inside. Raises Silent if there is none."""
        wait = self.begin(connection)
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
            self._answered_at = time.monotonic()

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
                self._question = Question(self._params)
        elif self._question.is_answered(TICK_SECONDS):
            self.silent_since = None
            self._drop_question()
        elif self._answered_at > self._question.begun:
            # It answers others: a pooler may have only our question wait.
            self._drop_question()
        else:
            self._note_silence(self._question)

    def _announce(self, wait: _Wait, connection: "Connection") -> None:
        wait.look_at = time.monotonic() + SAY_AGAIN_SECONDS
        with closing(psycopg2.connect(**_plain(self._params))) as other, other.cursor() as cursor:
            cursor.execute(_BLOCKING, [connection.info.backend_pid])
            for pid, name, query in cursor.fetchall():
                said = f"Waiting for a lock that session {pid} of the database holds ({name}: {query}) ...\n"
                sys.stderr.write(said)
                if time.monotonic() - wait.begun > LOCK_SECONDS:
                    wait.cut()

    def _note_silence(self, question: Question) -> None:
        age = time.monotonic() - question.begun
        if question.has_failed or age > ANSWER_SECONDS:
            self.silent_since = self.silent_since or question.begun
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of our own: libpq may close its number, and another socket get it, at the moment we hang up.
        self._line = os.dup(self.fileno())

    def hang_up(self) -> None:
        """Have the thread that waits for the server read the end of the connection."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._line)) as line:
            line.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        with WATCH.waiting(self):
            super().commit()

    def rollback(self) -> None:
        with WATCH.waiting(self):
            super().rollback()

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
            raise
        except BaseException:
            WATCH.end(wait)
            raise
        WATCH.end(wait)

    def executemany(self, query: Any, vars_list: Any) -> None:
        with WATCH.waiting(self.connection):
            super().executemany(query, vars_list)
