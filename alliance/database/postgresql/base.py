"""Django's backend under the name that ENGINE needs; see the package."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the connection still answers, asked at the beginning of each request.

        The server says nothing on an idle connection, unless it is to end it or has a notice. So only when
        there is something to be read is `SELECT 1` worth the way there and back.
        """
        if self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0) or bool(super().is_usable())
