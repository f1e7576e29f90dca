"""Load from client processes over loopback, limited in count and time.

The client is as small as possible: it runs on the same machine, so its processor time is missing for the web
server and the database, in our figures and in those of the floor.
"""

import itertools
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Seconds. Nothing measured takes longer; a server that does not respond ends the run.
PATIENCE = 120


class Response(NamedTuple):
    """A response."""

    status: int
    body: bytes
    head: bytes

    @property
    def retry_after(self) -> float:
        """Seconds to wait if the request was refused by 429 or 503; else 0."""
        _before, header, after = self.head.lower().partition(b"\r\nretry-after:")
        if self.status not in (429, 503) or not header:
            return 0.0
        return max(0.05, float(after.split(b"\r\n", 1)[0]))


class Caller:
    """One keep-alive connection that sends one request after another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.refused = 0
        self._connect()

    def ask(self, request: bytes) -> Response:
        """Send a request and read the response. Reconnects if the server has closed the connection."""
        try:
            self._socket.sendall(request)
            head = self._head()
        except (ConnectionError, BrokenPipeError):
            # Workers are replaced after a number of requests, and then close idle connections.
            self._connect()
            self._socket.sendall(request)
            head = self._head()
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = self._chunks()
        else:
            _name, _colon, rest = lower.partition(b"content-length:")
            body = self._take(int(rest.split(b"\r\n", 1)[0])) if rest else b""
        if b"connection: close" in lower:
            self._connect()
        return Response(int(head[9:12]), body, head)

    def must(self, request: bytes) -> bytes:
        """Send a request and return the body of the response. Raises RuntimeError unless it succeeds.

        After a refusal with Retry-After it tries again, as a client should; `refused` counts these.
        """
        until = time.monotonic() + PATIENCE
        response = self.ask(request)
        while response.retry_after and time.monotonic() < until:
            self.refused += 1
            time.sleep(response.retry_after)
            response = self.ask(request)
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{response.status}: {response.body[:300]!r}")
        return response.body

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def _more(self) -> None:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._rest += data

    def _head(self) -> bytes:
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self._rest = self._rest[: end + 2], self._rest[end + 4 :]
        return head

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._more()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._rest:
                self._more()
            line, _end, self._rest = self._rest.partition(b"\r\n")
            size = int(line, 16)
            body += self._take(size + 2)[:size]
            if not size:
                return body


def get(path: str, **headers: str) -> bytes:
    """Return the bytes of a GET request."""
    return _request("GET", path, headers, b"")


def post(path: str, body: bytes, *, token: str, content_type: str = "application/json") -> bytes:
    """Return the bytes of a POST request with an API key."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    return _request("POST", path, headers, body)


def _request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    all_headers = {"Host": "127.0.0.1", **headers, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class LoadResult:
    """The result of one or more clients: items, seconds of the slowest client, seconds of each call."""

    items: int = 0
    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)
    # Items of the same kind before the measurement started.
    before: int = 0
    # Calls that were refused with Retry-After.
    refused: int = 0
    # Processor seconds of the clients.
    processor: float = 0.0

    @property
    def rate(self) -> float:
        return self.items / self.seconds if self.seconds else 0.0

    def milliseconds(self, share: float) -> float:
        """Return a quantile of the calls' durations."""
        durations = sorted(self.calls)
        return 1000 * durations[min(len(durations) - 1, int(share * len(durations)))]

    @property
    def latencies(self) -> dict[str, str]:
        quantiles = {
            f"p{share:.0%}".rstrip("%"): f"{self.milliseconds(share):.1f} ms" for share in (0.5, 0.99)
        }
        # Refusals are rare on a quiet machine, so they show that it was busy.
        return {**quantiles, "sent away and come back": str(self.refused)} if self.refused else quantiles


def sum_of(parts: Iterable[LoadResult]) -> LoadResult:
    """Return the sum of consecutive results."""
    total = LoadResult()
    for part in parts:
        total.items += part.items
        total.seconds += part.seconds
        total.calls += part.calls
        total.before += part.before
        total.refused += part.refused
        total.processor += part.processor
    return total


def send_calls(
    calls: Iterable[bytes], caller: Caller, *, seconds: float, items: Callable[[bytes], int] = lambda _body: 1
) -> LoadResult:
    """Send calls one after another until the end of the calls or of the time.

    `items` counts the items of a response body.
    """
    result, begun, refused = LoadResult(), time.perf_counter(), caller.refused
    last, processor = begun, time.process_time()
    for call in calls:
        body = caller.must(call)
        now = time.perf_counter()
        result.calls.append(now - last)
        result.items += items(body)
        last = now
        if now - begun > seconds:
            break
    result.seconds = time.perf_counter() - begun
    result.processor = time.process_time() - processor
    result.refused = caller.refused - refused
    return result


def keep_calling(
    port: int, calls: Sequence[Sequence[bytes]], *, seconds: float, once: bool = False
) -> LoadResult:
    """Send calls for some time, from a process and over a connection each; `once` ends at the last one.

    The first call of each connection is not counted: in it, threads connect to the database.
    """
    return run_parallel(_call_in_a_row, [(port, in_a_row, seconds, once) for in_a_row in calls])


def run_parallel(work: Callable[..., LoadResult], jobs: Sequence[tuple[Any, ...]]) -> LoadResult:
    """Run each job in a process, all starting at once; return the sum, with the time of the slowest.

    `work(ready, *job)` prepares, calls `ready()` and returns the result of its work after that.
    """
    begun, results = run_jobs([(work, *job) for job in jobs])
    total = sum_of(results)
    total.seconds = time.perf_counter() - begun
    return total


def run_jobs(jobs: Sequence[tuple[Any, ...]]) -> tuple[float, list[LoadResult]]:
    """Run each job (a function and its arguments) in a process; return the start time and the results."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(jobs) + 1)
    queues = [context.SimpleQueue() for _job in jobs]
    processes = [
        context.Process(target=_job, args=(barrier, queue, *job), daemon=True)
        for queue, job in zip(queues, jobs, strict=True)
    ]
    for process in processes:
        process.start()
    # The barrier breaks if a job fails during its preparation: its error is raised below.
    with suppress(threading.BrokenBarrierError):
        barrier.wait(timeout=300)
    begun = time.perf_counter()
    results = [queue.get() for queue in queues]
    for process in processes:
        process.join()
    if errors := [error for error in results if isinstance(error, str)]:
        raise RuntimeError(min(errors, key=lambda error: error.startswith("BrokenBarrier")))
    return begun, results


# --- in client processes ---------------------------------------------------------------------


def _call_in_a_row(
    ready: Callable[[], Any], port: int, calls: Sequence[bytes], seconds: float, once: bool
) -> LoadResult:
    caller = Caller(port)
    caller.must(calls[0])
    ready()
    result = send_calls(calls[1:] if once else itertools.cycle(calls), caller, seconds=seconds)
    result.before = 1
    return result


def _job(barrier: Any, queue: Any, work: Callable[..., LoadResult], *job: Any) -> None:
    try:
        queue.put(work(barrier.wait, *job))
    except Exception as error:  # noqa: BLE001 -- reported to the parent, which stops
        barrier.abort()
        queue.put(repr(error))
