"""The web server's worker, in which no thread waits for a slow client.

A thread that waits for a client's bytes is not free for others, and gunicorn's own worker waits without a
limit. So the event loop receives heads and ordinary bodies, and threads begin when these are complete; large
bodies they receive themselves, within limits. A proxy that buffers whole requests would prevent this, too,
but may be missing.

The workers also divide connections evenly: connections are kept alive, so a worker with most of them would
have most of the work while another one idles.

A connection stays registered with the event loop while a thread answers its request, and the thread itself
notes that it is idle again: so a request takes one turn of the loop, and one wake-up of a thread.
"""

import mmap
import os
import resource
import socket
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ

import django
from gunicorn import util
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from alliance.web.arrivals import Arrival
from alliance.web.board import BOARD
from alliance.web.connections import GRACE_SECONDS, LEAST_BYTES_A_SECOND, ImpatientSocket
from alliance.web.threads import Threads
from alliance.web.unparsed import send_problem

# Bytes received for all requests of a worker that no thread has yet.
MOST_BUFFERED_BYTES = 128 * 1024 * 1024
# Seconds that an ended connection waits for the client to close its end.
LINGER_SECONDS = 2.0
# Of a body that nobody read, as of an upload that found no space: what is thrown away, so that the connection
# can be kept, as the answer has promised.
DRAIN_SECONDS, DRAIN_BYTES = 5.0, 64 * 1024 * 1024
SWEEP_SECONDS = 0.25
# Seconds between two signs of life to gunicorn's arbiter, and looks at whether that lives itself.
NOTICE_SECONDS = 0.5
# Connections that can be accepted at any time, and open files of a worker.
ROOM, MOST_FILES = 50, 8192
SPARE_THREADS = 4
# A worker whose memory has grown beyond so many megabytes is replaced; looked at every so many seconds.
MOST_MEMORY_MB = int(os.environ.get("WEB_MEMORY_MB", "512"))
MEMORY_SECONDS = 10.0
# Seconds that a worker leaves a new connection to one with fewer, which may be too busy to accept it.
YIELD_SECONDS = 0.001
# Seconds between two checks of the gate.
GATE_SECONDS = 0.02
# Connections of each worker, in shared memory: this module is imported before the workers are forked.
_COUNTS = memoryview(mmap.mmap(-1, 4 * 256)).cast("i")
_NO_WORKER = -1
for _slot in range(len(_COUNTS)):
    _COUNTS[_slot] = _NO_WORKER


def memory_of_process() -> float:
    """Return the resident megabytes of this process; 0 where the system does not tell."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    return 0.0


# In place of a page in HTML: what cannot be parsed is mostly a program's.
util.write_error = send_problem


class PatientWorker(ThreadWorker):
    """Gunicorn's threaded worker with ImpatientSocket, and with its share of the connections."""

    # Whether it takes more requests.
    alive: bool

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
        # Those whose request a thread answers; and of them, those that have sent more, or hung up, meanwhile.
        self._busy: set[TConn] = set()
        self._impetuous: set[TConn] = set()
        # Those whose answer is held back: until when, and whether the connection is kept after it.
        self._held: dict[TConn, tuple[float, bool]] = {}
        self._buffered = 0
        self._next_sweep = self._next_notice = 0.0
        # At other moments than the other workers, which start together.
        self._next_weighing = time.monotonic() + MEMORY_SECONDS * (1 + self.age % 8 / 8)
        # Health checks are answered when all other threads wait.
        self._spare = Threads(SPARE_THREADS)
        BOARD.take_row(self.age)
        super().init_process()

    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads)

    def notify(self) -> None:
        # Gunicorn does so, by system calls, at every turn of the event loop.
        if time.monotonic() >= self._next_notice:
            self._next_notice = time.monotonic() + NOTICE_SECONDS
            super().notify()

    # --- arriving: the event loop receives requests, so that no thread waits for a client's bytes ----------

    def enqueue_req(self, conn: TConn) -> None:
        """Receive the first request of a new connection; gunicorn calls this when it has accepted one."""
        conn.sock = ImpatientSocket.over(conn.sock)
        self._arrivals[conn] = Arrival()
        self._register(conn)
        self._receive(conn)

    def _register(self, conn: TConn) -> None:
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _on_readable(self, conn: TConn, _socket: object = None) -> None:
        if conn in self._busy:
            # It would be readable all the time until its request is answered.
            self.poller.unregister(conn.sock)
            self._impetuous.add(conn)
            if conn not in self._busy:
                # The thread has finished in between, and may have looked before.
                self._resume(conn)
        elif conn in self._ending:
            # Since what came before it in this turn of the loop.
            self._drain(conn)
        elif conn in self._arrivals:
            self._receive(conn)
        elif conn in self.keepalived_conns:
            self.keepalived_conns.remove(conn)
            self._arrivals[conn] = Arrival()
            self._receive(conn)

    def _resume(self, conn: TConn) -> None:
        """Go on with a connection that was readable while it was busy, unless that has been done."""
        if conn in self._impetuous:
            self._impetuous.discard(conn)
            self._register(conn)

    def _receive(self, conn: TConn) -> None:
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
        self._busy.add(conn)
        pool = self._spare if arrival.is_health_check else self.tpool
        pool.submit(partial(self._answer, conn))

    def _take(self, conn: TConn) -> Arrival:
        arrival = self._arrivals.pop(conn)
        self._buffered -= len(arrival.early)
        return arrival

    def _drop(self, conn: TConn) -> None:
        if conn in self._arrivals:
            self._take(conn)
        self._ending.pop(conn, None)
        self._held.pop(conn, None)
        self._impetuous.discard(conn)
        with suppress(KeyError, ValueError, OSError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    # --- answering: in a thread ---------------------------------------------------------------------------

    def _answer(self, conn: TConn) -> None:
        try:
            keep = bool(self.handle(conn))
            if conn.sock.hold:
                self.method_queue.defer(self._hold, conn, keep)
                return
            conn.sock.flush()
        except BaseException:  # noqa: BLE001 -- gunicorn has logged what the application raised
            keep = False
        if keep and not conn.sock.early and not conn.parser.unreader.buf.getvalue():
            conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
            self.keepalived_conns.append(conn)
            # From here on the event loop may have another thread answer the next request.
            self._busy.discard(conn)
            if conn in self._impetuous:
                self.method_queue.defer(self._resume, conn)
        else:
            self.method_queue.defer(self.finish_request, conn, keep)

    def _hold(self, conn: TConn, keep: bool) -> None:
        """Have the event loop send an answer later: meanwhile it takes no thread."""
        self._held[conn] = (time.monotonic() + conn.sock.hold, keep)

    def _release(self, conn: TConn) -> None:
        _until, keep = self._held.pop(conn)
        try:
            conn.sock.release()
        except OSError:
            keep = False
        self.finish_request(conn, keep)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        # Before anything is drained: the client may wait for its answer before it sends on.
        conn.sock.flush()
        until = time.monotonic() + DRAIN_SECONDS
        return keepalive and conn.parser.finish_body(deadline=until, max_bytes=DRAIN_BYTES)

    # --- ending: a client that does not close its end must not keep the event loop waiting ----------------

    def finish_request(self, conn: TConn, keep: bool) -> None:
        """Go on with the next request if a part of it has arrived; else end the connection."""
        self._busy.discard(conn)
        self._resume(conn)
        if keep:
            # A client may send its next request before it has the response to this one.
            arrival = Arrival(conn.parser.unreader.buf.getvalue())
            arrival.add(conn.sock.early)
            self._buffered += len(conn.sock.early)
            self._arrivals[conn] = arrival
            self._receive(conn)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.modify(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):
            self._drop(conn)
        else:
            self._ending[conn] = time.monotonic() + LINGER_SECONDS

    def _drain(self, conn: TConn, _socket: object = None) -> None:
        if conn not in self._ending:
            return
        try:
            # At most once for each event: a client that sends without an end waits like the others.
            if not conn.sock.recv_early():
                self._drop(conn)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        # A copy: threads add to the original.
        for conn in tuple(self.keepalived_conns):
            conn.timeout = min(conn.timeout, deadline)

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
        for conn, (until, _keep) in list(self._held.items()):
            if now > until or not self.alive:
                self._release(conn)
        self._make_room()
        if now >= self._next_weighing:
            self._next_weighing = now + MEMORY_SECONDS
            self._end_if_grown()

    def _end_if_grown(self) -> None:
        """End like after a signal, all requests answered, when the process has too much memory.

        Not while it is the only one that accepts connections: the one before it is being replaced.
        """
        accepting = sum(count != _NO_WORKER for count in _COUNTS)
        if self.alive and (accepting > 1 or self.cfg.workers == 1):
            megabytes = memory_of_process()
            if megabytes > MOST_MEMORY_MB:
                self.log.warning("A worker with %d MB of memory is replaced (WEB_MEMORY_MB).", megabytes)
                self.alive = False

    def _make_room(self) -> None:
        """Close what has waited longest: who sends a whole request has hardly waited at all."""
        while self.nr_conns >= self.worker_connections - ROOM or self._buffered > MOST_BUFFERED_BYTES:
            if conn := next(iter(self._ending), None) or next(iter(self._arrivals), None):
                self._drop(conn)
            elif self.keepalived_conns:
                self._drop(self.keepalived_conns.popleft())
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
        waiting = self._arrivals or self._held
        super().wait_for_and_dispatch_events(min(timeout, SWEEP_SECONDS) if waiting else timeout)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            self._sweep()

    def forget(self) -> None:
        """Make sure that no worker waits for an ended one. Called in the process that started it."""
        _COUNTS[self._slot] = _NO_WORKER
        BOARD.clear(self.age)

    def _publish_count(self) -> None:
        _COUNTS[self._slot] = self.nr_conns if self._accepting else _NO_WORKER

    @property
    def _slot(self) -> int:
        # Workers are numbered in order of their start: the numbers of two live ones never differ by so many.
        return int(self.age) % len(_COUNTS)
