"""Requests on their way in: how much of one has arrived, and whether a thread can begin with it."""

import re
import time

# Bodies of at least this size are read by threads, which limit them by tenant; see settings.HEAVY_BODY_BYTES.
WHOLE_BYTES = 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_END = b"\r\n\r\n"


class Arrival:
    """The bytes of one request, as far as they have arrived.

    `known`: bytes that the parser already has, from a request before on the same connection.
    """

    def __init__(self, known: bytes = b"") -> None:
        self.begun = time.monotonic()
        self._known = len(known)
        self._bytes = bytearray(known)
        # Where the body begins, once the head is there; and how long the body is.
        self._body_at = 0
        self._length = 0
        self._is_chunked = False
        self.expects_continue = False
        self._look_at_head(0)

    def add(self, data: bytes) -> None:
        before = len(self._bytes)
        self._bytes += data
        if not self._body_at:
            self._look_at_head(max(before - len(_END), 0))

    @property
    def early(self) -> bytes:
        """What the parser has not read yet."""
        return bytes(memoryview(self._bytes)[self._known :])

    @property
    def size(self) -> int:
        return len(self._bytes)

    @property
    def has_head(self) -> bool:
        return bool(self._body_at)

    @property
    def is_complete(self) -> bool:
        """Whether a thread would not wait for more of it, or has to do the waiting."""
        if not self._body_at:
            return self.size >= WHOLE_BYTES
        if self._length >= WHOLE_BYTES or self.size - self._body_at >= WHOLE_BYTES:
            return True
        if not self._is_chunked:
            return self.size - self._body_at >= self._length
        body = memoryview(self._bytes)[self._body_at :]
        # The last chunk, which has no length, or what looks like it.
        return bytes(body[-4:]) == _END and (
            bytes(body[:3]) == b"0\r\n" or self._bytes.find(b"\r\n0\r\n", self._body_at) >= 0
        )

    @property
    def is_health_check(self) -> bool:
        return self._bytes.startswith((b"GET /healthz", b"GET /readyz"))

    def _look_at_head(self, begin: int) -> None:
        # Empty lines before a request are allowed, and are no head.
        at = self._bytes.find(_END, begin)
        if at < 0 or not self._bytes[:at].strip():
            return
        self._body_at = at + len(_END)
        head = bytes(self._bytes[: self._body_at])
        if length := _LENGTH.search(head):
            self._length = int(length[1])
        self._is_chunked = bool(_CHUNKED.search(head))
        self.expects_continue = bool(_EXPECTS.search(head)) and not self.is_complete
