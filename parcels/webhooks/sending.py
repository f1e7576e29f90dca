"""Send messages: the wire, and nothing else. No database, no decision on what an answer means.

Connections are made to the address that was checked, never to a name that is resolved once more; a redirect
is an answer like any other; an answer is read up to a few kilobytes and never unpacked.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
from anyio import CancelScope
from django.utils.translation import gettext_noop
from standardwebhooks import Webhook

from parcels.webhooks.addresses import may_connect
from parcels.webhooks.rules import ANSWER_BYTES
from parcels.webhooks.signing import headers_of

# For one attempt, from looking up the name to the last byte read.
SECONDS: Final = 15.0
CONNECTIONS: Final = 2
# An unused connection is closed after so long.
IDLE_SECONDS: Final = 20.0
# Addresses of a name that are tried, one after the other.
MOST_ADDRESSES: Final = 3
# Names that are looked up at once: a resolver that hangs occupies a thread.
_RESOLVERS: Final = 64
# Failures of the connection after which the rest of a batch waits.
_FAILURES_A_BATCH: Final = 2
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"user-agent", b"courier-alliance-webhooks/1"),
    (b"accept", b"*/*"),
    # We would not unpack it.
    (b"accept-encoding", b"identity"),
]
# Words of the log, told in the language of whoever reads it.
ERRORS: Final = {
    "timeout": gettext_noop("No complete answer within 15 seconds"),
    "name": gettext_noop("The name of the server is unknown"),
    "refused_address": gettext_noop("The name leads to an address that is not public"),
    "connection": gettext_noop("No connection"),
    "tls": gettext_noop("No trusted TLS connection"),
    "protocol": gettext_noop("The answer is not HTTP"),
}
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one endpoint."""

    key: tuple[int, int]
    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt: a status, or a word of ERRORS."""

    message: Message
    at: datetime
    milliseconds: int
    status: int | None = None
    error: str = ""
    body: bytes = b""
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class RefusedAddress(httpcore.ConnectError):
    """A name that resolves to what must not be connected to."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up once, and connects to no address but those that were found and checked."""

    def __init__(self) -> None:
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in (await _checked(host, port))[:MOST_ADDRESSES]:
            try:
                return _Stream(
                    await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise RefusedAddress(path)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is given up, which the pool knows nothing of."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            with CancelScope(shield=True):
                await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _checked(host: str, port: int) -> list[str]:
    """Return the addresses of a name. One that must not be connected to spoils all: it is no server's."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for _family, _type, _protocol, _name, address in found))
    if not all(map(may_connect, addresses)):
        raise RefusedAddress(host)
    return addresses


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Line:
    """The connections to one endpoint, two at most. Lives in the sender's thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = httpcore.URL(url)
        self._host = parts.netloc.encode()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=GuardedBackend(),
        )

    async def send_all(
        self, messages: Sequence[Message], signers: Sequence[Webhook], *, seconds: float
    ) -> list[Answer]:
        """Send messages, two at a time, and return the answers of those that were sent.

        Stops when the time is up, and when the endpoint does not answer, or says that it will not.
        """
        waiting, answers, until = iter(messages), list[Answer](), time.monotonic() + seconds

        def may_go_on() -> bool:
            silent = sum(each.status is None for each in answers)
            refused = any(each.retry_after or each.status == 410 for each in answers)
            return not refused and silent < _FAILURES_A_BATCH and time.monotonic() < until

        async def work() -> None:
            while may_go_on():
                if (message := next(waiting, None)) is None:
                    return
                answers.append(await self._send(message, signers))

        await asyncio.gather(*(work() for _connection in range(CONNECTIONS)))
        return answers

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _send(self, message: Message, signers: Sequence[Webhook]) -> Answer:
        at, begun = datetime.now(UTC), time.monotonic()
        said: dict[str, Any]
        try:
            async with asyncio.timeout(SECONDS):
                said = await self._post(message, headers_of(message.id, at, message.body, signers))
        except TimeoutError:
            said = {"error": "timeout"}
        except Exception as error:
            said = {"error": _word(error)}
            if said["error"] == "":
                raise
        return Answer(message, at, round((time.monotonic() - begun) * 1000), **said)

    async def _post(self, message: Message, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        content = message.body.encode()
        length = (b"content-length", str(len(content)).encode())
        head = [(b"host", self._host), *_HEADERS, length, *headers]
        async with self._pool.stream("POST", self._url, headers=head, content=content) as response:
            read = b""
            async for part in response.aiter_stream():
                read += part
                if len(read) > ANSWER_BYTES:
                    break
            return {
                "status": response.status,
                "body": read[:ANSWER_BYTES],
                "retry_after": _retry_after(response.status, response.headers),
            }


def _word(error: Exception) -> str:
    """Return a word of ERRORS, "" for what is a fault of ours."""
    if isinstance(error, RefusedAddress):
        return "refused_address"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name"
    if isinstance(error, httpcore.ProtocolError):
        return "protocol"
    if isinstance(error, httpcore.NetworkError):
        return "tls" if _is_of_tls(error) else "connection"
    if isinstance(error, httpcore.TimeoutException):
        return "timeout"
    return "tls" if isinstance(error, ssl.SSLError) else "connection" if isinstance(error, OSError) else ""


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(status: int, headers: Iterable[tuple[bytes, bytes]]) -> timedelta | None:
    """Return how long an answer asks to wait, in seconds or until a date; None unless it is a refusal."""
    if status < 400:
        return None
    text = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return timedelta(seconds=int(text))
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime(text)
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
        return wait if wait > timedelta(0) else None
    return None


class Sender:
    """A thread with an event loop, in which messages to many endpoints are sent at once."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[str, Line]] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for endpoint_id in [*self._lines]:
            self.forget(endpoint_id)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self._loop.close()

    def send(
        self,
        endpoint_id: int,
        url: str,
        messages: Sequence[Message],
        signers: Sequence[Webhook],
        *,
        seconds: float,
    ) -> "Future[list[Answer]]":
        """Begin to send some messages to an endpoint; one call of each endpoint at a time."""
        known = self._lines.get(endpoint_id)
        if known and known[0] != url:
            self.forget(endpoint_id)
            known = None
        line = known[1] if known else Line(url)
        self._lines[endpoint_id] = (url, line)
        work = line.send_all(messages, signers, seconds=seconds)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def forget(self, endpoint_id: int) -> None:
        """Close the connections to an endpoint."""
        if (known := self._lines.pop(endpoint_id, None)) is not None:
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(known[1].aclose(), self._loop).result(timeout=2)
