"""Send statements that have no answer together with the next one: fewer messages to the server.

A message takes a tenth of a millisecond of both sides, several times what a short statement takes. So BEGIN,
SAVEPOINT, RELEASE and SET LOCAL wait for the next statement, and nothing is sent for a transaction without
one. The server runs the statements of a message in order, and stops at the first that fails.

On a cluster, Citus sends settings and changes of the schema on to the workers, as the text of the whole
message. What a function executes travels alone, so there a function gets the settings; a change of the schema
is sent after what waits, not with it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS

from alliance.database.postgresql import silence

# What Citus sends on as text.
_TRAVELS = re.compile(r"\s*(CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE|REINDEX|SET|RESET)\b", re.IGNORECASE).match


class Unanswered(str):
    """The text of a statement without an answer, which may wait for the next one."""

    __slots__ = ()


class Settings(Unanswered):
    """The text of one SET LOCAL, or of several: settings until the transaction ends."""

    __slots__ = ()


class Savepoint(Unanswered):
    """The text that makes or releases a savepoint."""

    __slots__ = ()


def as_sent(settings: str, *, is_distributed: bool) -> str:
    """Return settings as a part of a message."""
    if not is_distributed:
        return settings
    quoted = settings.replace("'", "''")
    return f"SELECT alliance_settings('{quoted}')"


class Connection(silence.Connection):
    """A connection that begins transactions itself, with the first statement.

    The driver's own way is a message for BEGIN, so for the driver it is in autocommit mode all the time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.autocommit = True
        # Whether the next statement begins a transaction if none is open.
        self.begins = False
        self._waiting: list[Unanswered] = []

    def put_off(self, statement: Unanswered) -> None:
        """Have a statement wait for the next one."""
        self._waiting.append(statement)

    def first(self) -> str:
        """Return what goes before the next statement."""
        if not self.begins and not self._waiting:
            return ""
        begin = ["BEGIN"] if self.begins and self._is_idle() else []
        return "".join(f"{statement}; " for statement in [*begin, *self._waiting])

    def note_sent(self, *, has_failed: bool = False) -> None:
        """Forget what has been sent. What failed was not, if it left no transaction, or did not end one."""
        if not self._waiting:
            return
        unsent = (TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS)
        if not (has_failed and self.get_transaction_status() in unsent):
            self._waiting.clear()

    def commit(self) -> None:
        # Settings and savepoints of nothing need not be sent; what writes has to be.
        if self._is_idle() and all(isinstance(each, Settings | Savepoint) for each in self._waiting):
            self._waiting.clear()
            return
        with self.committing(), self.cursor() as cursor:
            cursor.execute("COMMIT")

    def rollback(self) -> None:
        self._waiting.clear()
        if not self._is_idle():
            with self.cursor() as cursor:
                cursor.execute("ROLLBACK")

    def unsent(self) -> list[Unanswered] | None:
        """Return what waits, of a transaction of which nothing was sent yet; None once something was."""
        return [*self._waiting] if self.begins and self._is_idle() else None

    def begin_again(self, unsent: list[Unanswered]) -> None:
        """Roll back, and have what waited before the first statement wait again."""
        self.rollback()
        self._waiting = [*unsent]

    def has_only_settings(self) -> bool:
        """Tell whether a transaction is open of which nothing was sent, and nothing waits but settings."""
        unsent = self.unsent()
        return unsent is not None and all(isinstance(each, Settings) for each in unsent)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Send a statement outside of such a transaction: it commits itself. What waits goes on waiting.

        Raises Unconfirmed if the server warns, as it does beside a commit that is not confirmed.
        """
        waiting, self._waiting, self.begins = self._waiting, [], False
        self.notices.clear()
        try:
            yield
        finally:
            self._waiting, self.begins = waiting, True
        self.require_no_warning()

    def _is_idle(self) -> bool:
        return bool(self.get_transaction_status() == TRANSACTION_STATUS_IDLE)


class Cursor(silence.Cursor):
    """A cursor of such a connection."""

    connection: Connection
    # The last statement that was put off, or the length of what went before the last one.
    _put_off = ""
    _first_length = 0

    def execute(self, query: Any, vars: Any = None) -> None:
        connection, self._put_off = self.connection, ""
        if isinstance(query, Unanswered) and connection.begins:
            self._put_off = text = self.mogrify(query, vars).decode()
            if isinstance(query, Settings):
                text = as_sent(text, is_distributed=connection.is_distributed)
            connection.put_off(type(query)(text))
            return
        first = connection.first()
        if first:
            query = query if isinstance(query, str) else query.as_string(self)
            if connection.is_distributed and _TRAVELS(query):
                self._send(first.rstrip("; "), None)
                first = ""
        self._first_length = len(first)
        if first:
            query = (first if vars is None else first.replace("%", "%%")) + query
        self._send(query, vars)

    def _send(self, query: Any, vars: Any) -> None:
        try:
            super().execute(query, vars)
        except BaseException:
            self.connection.note_sent(has_failed=True)
            raise
        self.connection.note_sent()

    @property
    def statement(self) -> str:
        """The last statement, with its values and without what was sent before it."""
        return self._put_off or (self.query or b"").decode()[self._first_length :]

    def executemany(self, query: Any, vars_list: Any) -> None:
        # One message a row: what waits goes before the first.
        for vars in vars_list:
            self.execute(query, vars)
