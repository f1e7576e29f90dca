"""Django's backend, in the module that ENGINE requires; see the package."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
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
