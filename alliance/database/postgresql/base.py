"""Django's backend, in the module that ENGINE requires; see the package."""

import select
from typing import Any

from django.db.backends.postgresql import base

from alliance.database.postgresql.silence import WATCH, Connection, Cursor

# Of the client's side, and of the network between: the kernel ends a connection whose other end has gone.
LIMITS = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        watched = {"connection_factory": Connection, "cursor_factory": Cursor}
        return {**LIMITS, **super().get_connection_params(), **watched}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with WATCH.connecting(conn_params):
            return super().get_new_connection(conn_params)

    def is_usable(self) -> bool:
        """Whether the connection is usable; checked at the start of each request.

        The server sends nothing on an idle connection, except when it closes it or has a notice. So the
        round trip of `SELECT 1` is needed only when the socket has data to read.
        """
        if self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0) or bool(super().is_usable())
