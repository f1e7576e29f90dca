"""Calls of this process that are not written yet. Noting one is all that a request does for the log."""

from collections import deque
from datetime import datetime
from random import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.utils import timezone

from alliance.call_log.rules import ONE_IN, keeps_whole

if TYPE_CHECKING:
    from django.http import HttpResponseBase

    from alliance.tenancy import Actor

# Problem bodies that are kept for the log: larger ones only by status.
MOST_BODY_BYTES: Final = 8192
_PROBLEM: Final = "application/problem+json"


class Call(NamedTuple):
    """A call as it was, before anything of it is masked: that is the writer's work."""

    at: datetime
    organisation_id: int
    api_key_id: int
    method: str
    path: str
    query: str
    route: str
    status: int
    seconds: float
    request_id: str
    body: bytes
    address: str
    stands_for: int


class Buffer:
    """The newest calls, as many as fit. Adding one takes no lock, as a deque needs none."""

    def __init__(self) -> None:
        # Without somebody who writes, calls are not noted: they would only be kept until the process ends.
        self.is_open = False
        self.calls: deque[Call] = deque(maxlen=settings.CALL_LOG_BUFFER)
        # Calls that another one stands for, and those that were pushed out, since they were last asked for.
        self.sampled = 0
        self.dropped = 0

    def add(self, call: Call) -> None:
        if len(self.calls) == self.calls.maxlen:
            self.dropped += 1
        self.calls.append(call)

    def take(self) -> list[Call]:
        """Return what is there, and empty it. Others may be adding meanwhile."""
        return [self.calls.popleft() for _place in range(len(self.calls))]

    def put_back(self, calls: list[Call]) -> None:
        """Take back what could not be written: the newest of it for which there is room."""
        room = max((self.calls.maxlen or 0) - len(self.calls), 0)
        kept = calls[max(len(calls) - room, 0) :]
        self.calls.extendleft(reversed(kept))
        self.dropped += len(calls) - len(kept)


BUFFER: Final = Buffer()
# Whose credentials were seen by this process: a call may be refused before it is looked up whose they are.
_known: dict[int, tuple[int, int]] = {}
_MOST_KNOWN: Final = 10_000


def note_caller(credentials: str, actor: "Actor") -> None:
    """Remember whose credentials these are."""
    key = _key_of(actor)
    if key is not None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[hash(credentials)] = key


def _key_of(actor: "Actor") -> tuple[int, int] | None:
    if actor.refusal is not None:
        return actor.refusal.organisation_id, actor.refusal.api_key_id
    if actor.api_key_id is None or actor.organisation_id is None:
        return None
    return actor.organisation_id, actor.api_key_id


def note_call(request: Any, response: "HttpResponseBase", *, seconds: float, address: str) -> None:
    """Note a call that was answered, if its key is known."""
    if not BUFFER.is_open:
        return
    environ = request.META
    caller = getattr(request, "caller", None)
    credentials = environ.get("HTTP_AUTHORIZATION")
    key = _key_of(caller) if caller is not None else _known.get(hash(credentials)) if credentials else None
    if key is None:
        return
    status, stands_for = response.status_code, 1
    limit, left, _reset = getattr(request, "rate_limit", (0, 0, 0))
    if not keeps_whole(status, limit - left):
        if random() * ONE_IN >= 1:  # noqa: S311 -- a sample
            BUFFER.sampled += 1
            return
        stands_for = ONE_IN
    body = b""
    if status >= 400 and not response.streaming:
        content = response.content  # type: ignore[attr-defined]
        if len(content) <= MOST_BODY_BYTES and response.get("Content-Type") == _PROBLEM:
            body = content
    match = request.resolver_match
    BUFFER.add(
        Call(
            timezone.now(),
            *key,
            request.method,
            request.path,
            environ.get("QUERY_STRING", ""),
            match.route if match else "",
            status,
            seconds,
            request.request_id,
            body,
            address,
            stands_for,
        )
    )
