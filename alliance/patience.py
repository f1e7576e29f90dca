"""The web server's worker, with an end to its patience: a request that drips in byte by byte is cut off.

A thread that waits for a client's bytes is a thread nobody else has, and gunicorn's own worker waits for as
long as the client likes. A proxy that takes in whole requests does the same, where there is one.
"""

import errno
import os
import socket
import time
from typing import Any, Self

from gunicorn.workers.gthread import TConn, ThreadWorker

# What a request may make a thread wait before anything has come, and how much more each byte buys.
GRACE_SECONDS = float(os.environ.get("WEB_SLOW_REQUEST_SECONDS", "10"))
LEAST_BYTES_A_SECOND = 16 * 1024
# How long a client may take to fetch what it was sent; counted anew for each piece of a streamed answer.
FETCH_SECONDS = 60.0


class ImpatientSocket(socket.socket):
    """A connection that counts how long it was waited for, and says it is gone when that was too long."""

    _waited = 0.0
    _received = 0

    @classmethod
    def over(cls, plain: socket.socket) -> Self:
        """Take a plain socket's place."""
        return cls(plain.family, plain.type, plain.proto, fileno=plain.detach())

    def begin(self) -> None:
        """Expect a new request."""
        self._waited, self._received = 0.0, 0

    def recv(self, *args: Any) -> bytes:
        left = GRACE_SECONDS + self._received / LEAST_BYTES_A_SECOND - self._waited
        begun, limit = time.monotonic(), self.gettimeout()
        try:
            if left <= 0:
                raise TimeoutError
            # Gunicorn's own limit, where it has one: it drains what nobody read, and not for long.
            self.settimeout(left if limit is None else min(left, limit))
            data = super().recv(*args)
        except TimeoutError:
            # What gunicorn takes for a client that has hung up: no error of ours, nothing to log.
            raise ConnectionResetError(errno.ECONNRESET, "the request came in too slowly") from None
        finally:
            self.settimeout(FETCH_SECONDS if limit is None else limit)
        self._waited += time.monotonic() - begun
        self._received += len(data)
        return data


class PatientWorker(ThreadWorker):
    """Gunicorn's threaded worker on impatient sockets."""

    def handle(self, conn: TConn) -> Any:
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket.over(conn.sock)
        conn.sock.begin()
        return super().handle(conn)
