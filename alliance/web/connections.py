"""Connections of clients that may be slow: waiting has a limit, and small pieces are sent together."""

import errno
import os
import select
import socket
import time
from contextlib import suppress
from typing import Any, Self

# Seconds that a thread waits for a request, and the least rate that extends this time.
GRACE_SECONDS = float(os.environ.get("WEB_SLOW_REQUEST_SECONDS", "10"))
LEAST_BYTES_A_SECOND = 16 * 1024
# Seconds that a thread waits for a client to read its response; the same rate extends them.
FETCH_SECONDS = 20.0
# The kernel may allow less, usually 400 KB.
SEND_BYTES = 512 * 1024
# Bytes received at once for a request.
EARLY_BYTES = 64 * 1024
# Smaller pieces are kept until flush(): head and body of an answer are one message, and one system call.
TOGETHER_BYTES = 64 * 1024
# Seconds that a refusal is held back from whoever sends more than they may. Sent without a wait, a thousand
# refusals a second to one tenant would take as long as the work of all others.
HOLD_SECONDS = 0.5


class ImpatientSocket(socket.socket):
    """A connection that sums up its waiting time, and acts as closed when that is too long.

    Never blocks in the kernel, but waits by itself where that is asked for: what gunicorn sets as blocking or
    as a timeout is only noted, which saves a system call each time.
    """

    _limit: float | None = None
    _waited = _sending = 0.0
    _received = _sent = 0
    # Bytes that have arrived and were not read yet, and bytes of the answer that were not sent yet.
    early = b""
    _late = b""
    # Seconds that the answer to this request is held back.
    hold = 0.0

    @classmethod
    def over(cls, plain: socket.socket) -> Self:
        """Return a socket that replaces a plain one."""
        # A client that does not read its response holds no thread, unless the response is larger than this.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        made = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        socket.socket.setblocking(made, False)
        return made

    def setblocking(self, flag: bool) -> None:
        self._limit = None if flag else 0.0

    def settimeout(self, value: float | None) -> None:
        self._limit = value

    def gettimeout(self) -> float | None:
        return self._limit

    def begin(self, early: bytes = b"", waited: float = 0.0) -> None:
        """Expect a new request, of which some bytes have arrived already."""
        self.early, self._waited, self._received = early, waited, len(early)
        self._sending, self._sent, self.hold = 0.0, 0, 0.0

    def recv_early(self) -> bytes:
        """Return what is there, without waiting. Raises BlockingIOError if nothing is."""
        return super().recv(EARLY_BYTES)

    def recv(self, *args: Any) -> bytes:
        if self.early and not args[1:]:
            data, self.early = self.early[: args[0]], self.early[args[0] :]
            return data
        # The client may wait for what we have to say.
        self.flush()
        remaining = GRACE_SECONDS + self._received / LEAST_BYTES_A_SECOND - self._waited
        # Gunicorn has a shorter limit for draining unread data.
        until = time.monotonic() + (remaining if self._limit is None else min(remaining, self._limit))
        begun = time.monotonic()
        while True:
            try:
                data = super().recv(*args)
                break
            except BlockingIOError:
                if not self._wait(select.POLLIN, until):
                    # Gunicorn treats this as a disconnected client, and logs no error.
                    raise ConnectionResetError(errno.ECONNRESET, "the request came in too slowly") from None
        self._waited += time.monotonic() - begun
        self._received += len(data)
        return data

    def sendall(self, data: Any, *flags: int) -> None:
        if self._late or len(data) < TOGETHER_BYTES:
            self._late += data
            data = b""
        if len(self._late) >= TOGETHER_BYTES:
            self.flush()
        if data:
            self._send(data)

    def flush(self) -> None:
        """Send what was kept, unless it is held back."""
        if self._late and not self.hold:
            data, self._late = self._late, b""
            self._send(data)

    def release(self) -> None:
        """Send what was held back, without waiting; raises OSError if the client does not take all of it."""
        data, self._late, self.hold = self._late, b"", 0.0
        if self.send(data) < len(data):
            raise BrokenPipeError(errno.EPIPE, "the response is not read")

    def _send(self, data: Any) -> None:
        begun, rest = time.monotonic(), memoryview(data)
        self._sent += len(rest)
        until = begun + max(FETCH_SECONDS + self._sent / LEAST_BYTES_A_SECOND - self._sending, 0.001)
        while rest:
            try:
                rest = rest[self.send(rest) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT, until):
                    raise BrokenPipeError(errno.EPIPE, "the response is read too slowly") from None
        self._sending += time.monotonic() - begun

    def _wait(self, event: int, until: float) -> bool:
        """Wait until the socket is ready; return whether it is."""
        seconds = until - time.monotonic()
        if seconds <= 0:
            return False
        poll = select.poll()
        poll.register(self.fileno(), event)
        return bool(poll.poll(seconds * 1000))

    def shutdown(self, how: int) -> None:
        with suppress(OSError):
            self.flush()
        super().shutdown(how)
