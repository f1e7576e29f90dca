"""The web server's worker, which closes connections whose requests arrive too slowly.

A thread that waits for a client's bytes is not free for others, and gunicorn's own worker waits without a
limit. A proxy that buffers whole requests would prevent this, too, but may be missing.

The workers also divide connections evenly: connections are kept alive, so a worker with most of them would
have most of the work while another one idles.
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

# Seconds that a thread waits for a request, and the least rate that extends this time.
GRACE_SECONDS = float(os.environ.get("WEB_SLOW_REQUEST_SECONDS", "10"))
LEAST_BYTES_A_SECOND = 16 * 1024
# Seconds that a client may take to read the response; counted anew for each chunk of a streamed one.
FETCH_SECONDS = 60.0
# Seconds that a worker leaves a new connection to one with fewer, which may be too busy to accept it.
YIELD_SECONDS = 0.001
# Seconds between two checks of the gate.
GATE_SECONDS = 0.02
# Connections of each worker, in shared memory: this module is imported before the workers are forked.
_COUNTS = memoryview(mmap.mmap(-1, 4 * 256)).cast("i")
_NO_WORKER = -1
for _slot in range(len(_COUNTS)):
    _COUNTS[_slot] = _NO_WORKER


class ImpatientSocket(socket.socket):
    """A connection that sums up its waiting time, and acts as closed when that is too long."""

    _waited = 0.0
    _received = 0

    @classmethod
    def over(cls, plain: socket.socket) -> Self:
        """Return a socket that replaces a plain one."""
        return cls(plain.family, plain.type, plain.proto, fileno=plain.detach())

    def begin(self) -> None:
        """Expect a new request."""
        self._waited, self._received = 0.0, 0

    def recv(self, *args: Any) -> bytes:
        remaining = GRACE_SECONDS + self._received / LEAST_BYTES_A_SECOND - self._waited
        begun, limit = time.monotonic(), self.gettimeout()
        try:
            if remaining <= 0:
                raise TimeoutError
            # Respect gunicorn's own timeout: it uses a short one for draining unread data.
            self.settimeout(remaining if limit is None else min(remaining, limit))
            data = super().recv(*args)
        except TimeoutError:
            # Gunicorn treats this as a disconnected client, and logs no error.
            raise ConnectionResetError(errno.ECONNRESET, "the request came in too slowly") from None
        finally:
            self.settimeout(FETCH_SECONDS if limit is None else limit)
        self._waited += time.monotonic() - begun
        self._received += len(data)
        return data


class PatientWorker(ThreadWorker):
    """Gunicorn's threaded worker with ImpatientSocket, and with its share of the connections."""

    def load_wsgi(self) -> None:
        # `manage.py up` starts us while it migrates: imports take longest, and need neither the database nor
        # collected assets. Connections wait meanwhile.
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
        # All workers wake up for a new connection; accept() fails for all but the first.
        self._publish_count()
        if any(_NO_WORKER < count < self.nr_conns for count in _COUNTS):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self._publish_count()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self._publish_count()
        super().wait_for_and_dispatch_events(timeout)

    def forget(self) -> None:
        """Make sure that no worker waits for an ended one. Called in the process that started it."""
        _COUNTS[self._slot] = _NO_WORKER

    def _publish_count(self) -> None:
        _COUNTS[self._slot] = self.nr_conns if self._accepting else _NO_WORKER

    @property
    def _slot(self) -> int:
        # Workers are numbered in order of their start: the numbers of two live ones never differ by so many.
        return int(self.age) % len(_COUNTS)
