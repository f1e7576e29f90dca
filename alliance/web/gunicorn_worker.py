"""The web server's worker, with an end to its patience: a request that drips in byte by byte is cut off.

A thread that waits for a client's bytes is a thread nobody else has, and gunicorn's own worker waits for as
long as the client likes. A proxy that takes in whole requests does the same, where there is one.

And workers share connections evenly: these are kept, so whoever is given most of them has most of the work
for as long as they last, while a processor beside it idles.
"""

import errno
import mmap
import os
import socket
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import django
from gunicorn.workers.gthread import TConn, ThreadWorker

# What a request may make a thread wait before anything has come, and how much more each byte buys.
GRACE_SECONDS = float(os.environ.get("WEB_SLOW_REQUEST_SECONDS", "10"))
LEAST_BYTES_A_SECOND = 16 * 1024
# How long a client may take to fetch what it was sent; counted anew for each piece of a streamed answer.
FETCH_SECONDS = 60.0
# How long a worker leaves a new connection to one that has fewer: that one may be too busy to take it.
YIELD_SECONDS = 0.001
# Between two looks at whether we may begin.
GATE_SECONDS = 0.02
# Connections of each worker, in memory that all of them share: this is imported before they are forked.
_COUNTS = memoryview(mmap.mmap(-1, 4 * 256)).cast("i")
_NOBODY = -1
for _slot in range(len(_COUNTS)):
    _COUNTS[_slot] = _NOBODY


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
    """Gunicorn's threaded worker on impatient sockets, and as many of them as the others have."""

    def load_wsgi(self) -> None:
        # `manage.py up` starts us while it migrates: what takes longest here needs neither a database nor
        # collected assets. Whoever connects meanwhile waits.
        if gate := os.environ.get("WEB_WAITS_FOR"):
            django.setup()
            import_module("alliance.urls")
            while self.alive and self.is_parent_alive() and not Path(gate).exists():
                self.notify()
                time.sleep(GATE_SECONDS)
        super().load_wsgi()

    def handle(self, conn: TConn) -> Any:
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket.over(conn.sock)
        conn.sock.begin()
        return super().handle(conn)

    def accept(self, listener: socket.socket) -> None:
        # All are called when somebody connects; whoever comes too late finds nobody there.
        self._tell()
        if any(_NOBODY < count < self.nr_conns for count in _COUNTS):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self._tell()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self._tell()
        super().wait_for_and_dispatch_events(timeout)

    def forget(self) -> None:
        """Have the others not wait for a worker that is gone. Called in the process that started it."""
        _COUNTS[self._slot] = _NOBODY

    def _tell(self) -> None:
        _COUNTS[self._slot] = self.nr_conns if self._accepting else _NOBODY

    @property
    def _slot(self) -> int:
        # Started one after the other: two that live at once are never so many apart.
        return int(self.age) % len(_COUNTS)
