"""The web server's worker, in which no thread waits for a slow client.

A thread that waits for a client's bytes is not free for others, and gunicorn's own worker waits without a
limit. So the event loop receives heads and ordinary bodies, and threads begin when these are complete; large
bodies they receive themselves, within limits. A proxy that buffers whole requests would prevent this, too,
but may be missing.

The workers also divide connections evenly: connections are kept alive, so a worker with most of them would
have most of the work while another one idles.
"""

import errno
import mmap
import os
import resource
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ
from typing import Any, Self

import django
from gunicorn.workers.gthread import TConn, ThreadWorker

from alliance.web.arrivals import Arrival

# Seconds that a thread waits for a request, and the least rate that extends this time.
GRACE_SECONDS = float(os.environ.get("WEB_SLOW_REQUEST_SECONDS", "10"))
LEAST_BYTES_A_SECOND = 16 * 1024
# Seconds that a thread waits for a client to read its response; the same rate extends them.
FETCH_SECONDS = 20.0
# The kernel may allow less, usually 400 KB.
SEND_BYTES = 512 * 1024
# Bytes received at once for a request, and for all requests of a worker that no thread has yet.
EARLY_BYTES, MOST_BUFFERED_BYTES = 64 * 1024, 128 * 1024 * 1024
# Seconds that an ended connection waits for the client to close its end.
LINGER_SECONDS = 2.0
# Of a body that nobody read, as of an upload that found no space: what is thrown away, so that the connection
# can be kept, as the answer has promised.
DRAIN_SECONDS, DRAIN_BYTES = 5.0, 64 * 1024 * 1024
SWEEP_SECONDS = 0.25
# Connections that can be accepted at any time, and open files of a worker.
ROOM, MOST_FILES = 50, 8192
SPARE_THREADS = 4
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

    _waited = _sending = 0.0
    _received = _sent = 0
    # Bytes that have arrived and were not read yet.
    early = b""

    @classmethod
    def over(cls, plain: socket.socket) -> Self:
        """Return a socket that replaces a plain one."""
        # A client that does not read its response holds no thread, unless the response is larger than this.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        return cls(plain.family, plain.type, plain.proto, fileno=plain.detach())

    def begin(self, early: bytes = b"", waited: float = 0.0) -> None:
        """Expect a new request, of which some bytes have arrived already."""
        self.early, self._waited, self._received = early, waited, len(early)
        self._sending, self._sent = 0.0, 0

    def recv_early(self) -> bytes:
        """Return what is there, without waiting. Raises BlockingIOError if nothing is."""
        return super().recv(EARLY_BYTES)

    def recv(self, *args: Any) -> bytes:
        if self.early and not args[1:]:
            data, self.early = self.early[: args[0]], self.early[args[0] :]
            return data
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
            self.settimeout(limit)
        self._waited += time.monotonic() - begun
        self._received += len(data)
        return data

    def sendall(self, data: Any, *flags: int) -> None:
        begun, limit = time.monotonic(), self.gettimeout()
        self._sent += len(data)
        remaining = FETCH_SECONDS + self._sent / LEAST_BYTES_A_SECOND - self._sending
        try:
            self.settimeout(max(remaining, 0.001))
            super().sendall(data, *flags)
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the response is read too slowly") from None
        finally:
            self.settimeout(limit)
        self._sending += time.monotonic() - begun


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

    def init_process(self) -> None:
        # Each connection is an open file, and the usual limit of 1,024 leaves no room for others.
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY:
            more = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, more), most))
        self._arrivals: dict[TConn, Arrival] = {}
        # Connections that we have ended and the client has not, with when they are closed at the latest.
        self._ending: dict[TConn, float] = {}
        self._buffered = 0
        self._next_sweep = 0.0
        # Health checks are answered when all other threads wait.
        self._spare = ThreadPoolExecutor(SPARE_THREADS)
        super().init_process()

    # --- arriving: the event loop receives requests, so that no thread waits for a client's bytes ----------

    def enqueue_req(self, conn: TConn) -> None:
        """Receive a request; gunicorn calls this for a new connection, and for one that is readable again."""
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket.over(conn.sock)
        # A client may send its next request before it has the response to this one.
        arrival = Arrival(conn.parser.unreader.buf.getvalue() if conn.parser else b"")
        arrival.add(conn.sock.early)
        self._buffered += len(conn.sock.early)
        conn.sock.setblocking(False)
        self._arrivals[conn] = arrival
        self.poller.register(conn.sock, EVENT_READ, partial(self._receive, conn))
        self._receive(conn)

    def _receive(self, conn: TConn, _socket: object = None) -> None:
        arrival = self._arrivals[conn]
        has_ended = False
        try:
            while not arrival.is_complete and not has_ended:
                data = conn.sock.recv_early()
                arrival.add(data)
                self._buffered += len(data)
                has_ended = not data
        except BlockingIOError:
            pass
        except OSError:
            self._drop(conn)
            return
        if arrival.is_complete or (has_ended and arrival.size):
            self._dispatch(conn)
        elif has_ended:
            self._drop(conn)
        elif arrival.expects_continue:
            arrival.expects_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _dispatch(self, conn: TConn) -> None:
        """Have a thread answer a request."""
        arrival = self._take(conn)
        conn.sock.begin(arrival.early, time.monotonic() - arrival.begun)
        conn.data_ready = True
        pool = self._spare if arrival.is_health_check else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def _take(self, conn: TConn) -> Arrival:
        arrival = self._arrivals.pop(conn)
        self._buffered -= len(arrival.early)
        self.poller.unregister(conn.sock)
        return arrival

    def _drop(self, conn: TConn) -> None:
        if conn in self._arrivals:
            self._take(conn)
        elif self._ending.pop(conn, None) is not None:
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        until = time.monotonic() + DRAIN_SECONDS
        return keepalive and conn.parser.finish_body(deadline=until, max_bytes=DRAIN_BYTES)

    # --- ending: a client that does not close its end must not keep the event loop waiting ----------------

    def finish_request(self, conn: TConn, future: Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None and future.result():
            if conn.sock.early:
                self.enqueue_req(conn)
            else:
                super().finish_request(conn, future)
            return
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):
            self._drop(conn)
        else:
            self._ending[conn] = time.monotonic() + LINGER_SECONDS

    def _drain(self, conn: TConn, _socket: object) -> None:
        try:
            # At most once for each event: a client that sends without an end waits like the others.
            if not conn.sock.recv_early():
                self._drop(conn)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(conn)

    def _sweep(self) -> None:
        """End what takes too long, and make room for others."""
        now = time.monotonic()
        for conn, arrival in list(self._arrivals.items()):
            if now - arrival.begun > GRACE_SECONDS + arrival.size / LEAST_BYTES_A_SECOND:
                # With a head it gets a response, which says that it was too slow.
                self._dispatch(conn) if arrival.has_head else self._drop(conn)
            elif not self.alive and not arrival.size:
                self._drop(conn)
        for conn, until in list(self._ending.items()):
            if now > until:
                self._drop(conn)
        self._make_room()

    def _make_room(self) -> None:
        """Close what has waited longest: who sends a whole request has hardly waited at all."""
        while self.nr_conns >= self.worker_connections - ROOM or self._buffered > MOST_BUFFERED_BYTES:
            if conn := next(iter(self._ending), None) or next(iter(self._arrivals), None):
                self._drop(conn)
            elif self.keepalived_conns:
                conn = self.keepalived_conns.popleft()
                self.poller.unregister(conn.sock)
                self._drop(conn)
            else:
                return

    # --- sharing ------------------------------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        # All workers wake up for a new connection; accept() fails for all but the first.
        self._publish_count()
        if any(_NO_WORKER < count < self.nr_conns for count in _COUNTS):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self._publish_count()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self._publish_count()
        super().wait_for_and_dispatch_events(min(timeout, SWEEP_SECONDS) if self._arrivals else timeout)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            self._sweep()

    def forget(self) -> None:
        """Make sure that no worker waits for an ended one. Called in the process that started it."""
        _COUNTS[self._slot] = _NO_WORKER

    def _publish_count(self) -> None:
        _COUNTS[self._slot] = self.nr_conns if self._accepting else _NO_WORKER

    @property
    def _slot(self) -> int:
        # Workers are numbered in order of their start: the numbers of two live ones never differ by so many.
        return int(self.age) % len(_COUNTS)
