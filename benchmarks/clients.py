"""Load from processes of its own, over loopback, bounded in count and time.

The client is as small as can be: on a machine that it shares with web server and database, what it
takes is missing there, in our figures and in the floor's.
"""

import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Nothing measured takes longer; a server that does not answer ends the run.
PATIENCE = 120


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    head: bytes

    @property
    def retry_after(self) -> float:
        """Seconds to wait, where it says that it was too much; else 0."""
        _before, found, after = self.head.lower().partition(b"\r\nretry-after:")
        if self.status not in (429, 503) or not found:
            return 0.0
        return max(0.05, float(after.split(b"\r\n", 1)[0]))


class Caller:
    """One connection that is kept alive, asking one thing after another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.refused = 0
        self._connect()

    def ask(self, request: bytes) -> Answer:
        """Send a whole request and read the answer. Reconnects when the server has closed."""
        try:
            self._socket.sendall(request)
            head = self._head()
        except (ConnectionError, BrokenPipeError):
            # Workers are replaced after so many requests, and close what is idle then.
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
        return Answer(int(head[9:12]), body, head)

    def must(self, request: bytes) -> bytes:
        """Send a request and return the answer's body. Raises RuntimeError for anything but success.

        Sent away with Retry-After it comes back, as a client should; `refused` counts how often.
        """
        until = time.monotonic() + PATIENCE
        answer = self.ask(request)
        while answer.retry_after and time.monotonic() < until:
            self.refused += 1
            time.sleep(answer.retry_after)
            answer = self.ask(request)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{answer.status}: {answer.body[:300]!r}")
        return answer.body

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def _more(self) -> None:
        received = self._socket.recv(262_144)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._rest += received

    def _head(self) -> bytes:
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self._rest = self._rest[: end + 2], self._rest[end + 4 :]
        return head

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._more()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

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
    """Spell a GET."""
    return _request("GET", path, headers, b"")


def post(path: str, body: bytes, *, token: str, content_type: str = "application/json") -> bytes:
    """Spell a POST by API key."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    return _request("POST", path, headers, body)


def _request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    given = {"Host": "127.0.0.1", **headers, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Done:
    """What one or several processes did: items, the seconds of the longest, seconds of each call."""

    items: int = 0
    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)
    # Items of the same kind that were worked on before the clock started.
    before: int = 0
    # Calls that were told to come again later.
    refused: int = 0

    @property
    def rate(self) -> float:
        return self.items / self.seconds if self.seconds else 0.0

    def milliseconds(self, share: float) -> float:
        """Return the time that this share of the calls took at most."""
        ordered = sorted(self.calls)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def latencies(self) -> dict[str, str]:
        found = {f"p{share:.0%}".rstrip("%"): f"{self.milliseconds(share):.1f} ms" for share in (0.5, 0.99)}
        # Rare where the machine is quiet; where it is not, this says so.
        return {**found, "sent away and come back": str(self.refused)} if self.refused else found


def added(parts: Iterable[Done]) -> Done:
    """Add up rounds of the same, one after the other."""
    total = Done()
    for part in parts:
        total.items += part.items
        total.seconds += part.seconds
        total.calls += part.calls
        total.before += part.before
        total.refused += part.refused
    return total


def timed(
    calls: Iterable[bytes], caller: Caller, *, seconds: float, items: Callable[[bytes], int] = lambda _body: 1
) -> Done:
    """Send calls one after the other until they, or the time, are over; `items` counts an answer's."""
    done, begun, refused = Done(), time.perf_counter(), caller.refused
    last = begun
    for call in calls:
        body = caller.must(call)
        now = time.perf_counter()
        done.calls.append(now - last)
        done.items += items(body)
        last = now
        if now - begun > seconds:
            break
    done.seconds = time.perf_counter() - begun
    done.refused = caller.refused - refused
    return done


def together(work: Callable[..., Done], jobs: Sequence[tuple[Any, ...]]) -> Done:
    """Run a process a job, all starting at once, and add up what they did in the time of the longest.

    `work(ready, *job)` prepares, calls `ready()` and returns what it did after that.
    """
    begun, done = side_by_side([(work, *job) for job in jobs])
    total = added(done)
    total.seconds = time.perf_counter() - begun
    return total


def side_by_side(jobs: Sequence[tuple[Any, ...]]) -> tuple[float, list[Done]]:
    """Run a process a job (its work first), all starting at once; return when, and what each did."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(jobs) + 1)
    queues = [context.SimpleQueue() for _job in jobs]
    processes = [
        context.Process(target=_job, args=(barrier, queue, *job), daemon=True)
        for queue, job in zip(queues, jobs, strict=True)
    ]
    for process in processes:
        process.start()
    # Broken by one that failed while it prepared: what it says comes below.
    with suppress(threading.BrokenBarrierError):
        barrier.wait(timeout=300)
    begun = time.perf_counter()
    done = [queue.get() for queue in queues]
    for process in processes:
        process.join()
    if failed := [error for error in done if isinstance(error, str)]:
        raise RuntimeError(min(failed, key=lambda error: error.startswith("BrokenBarrier")))
    return begun, done


def _job(barrier: Any, results: Any, work: Callable[..., Done], *job: Any) -> None:
    try:
        results.put(work(barrier.wait, *job))
    except Exception as error:  # noqa: BLE001 -- told to the parent, which stops
        barrier.abort()
        results.put(repr(error))
