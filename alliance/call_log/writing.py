"""Writes the log: a thread of each web process, every few seconds, in batches."""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from prometheus_client import Counter as Count
from redis import Redis
from redis.exceptions import RedisError

from alliance.call_log.buffer import BUFFER, Buffer, Call
from alliance.call_log.days import day_of, make_day, table_of
from alliance.call_log.rules import RANDOM_BITS, id_at, masked_path, masked_problem, moment_of
from alliance.members.services.key_holders import write_uses
from alliance.tenancy import Scope, limited, scope

log = structlog.get_logger(__name__)

CALLS_WRITTEN = Count("alliance_call_log_written", "Calls of the API written to the request log")
CALLS_SAMPLED = Count("alliance_call_log_sampled", "Calls that another one in the request log stands for")
CALLS_DROPPED = Count(
    "alliance_call_log_dropped", "Calls missing in the request log, as they could not be written in time"
)

ROWS_A_STATEMENT: Final = 1_000
# Seconds of one statement, and of a lock: the log waits for nobody for long.
_STATEMENT_SECONDS, _LOCK_SECONDS = 5.0, 1.0
# Between two writes, where calls are not kept.
_OTHERWISE: Final = 5.0
# Between two tries while the database is away: twice as long each time.
_LONGEST_PAUSE: Final = 60.0
# All processes together may write so much in one window.
_WINDOW_SECONDS: Final = 10
_COLUMNS: Final = {
    "id": "bigint",
    "organisation_id": "bigint",
    "api_key_id": "bigint",
    "method": "text",
    "path": "text",
    "route": "text",
    "status": "smallint",
    "duration_ms": "integer",
    "request_id": "text",
    "problem": "text",
    "body": "jsonb",
    "address": "inet",
    "stands_for": "integer",
}


class Writer:
    """Writes what a buffer has. What cannot be written stays there, as long as there is room."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._days: set[date] = set()
        self._pause = 0.0
        self._is_away = False

    def begin(self) -> None:
        """Have calls noted, and a thread write them, and when keys were used, until the process ends."""
        if self._thread is None:
            self._buffer.is_open = settings.CALL_LOG_SECONDS > 0
            self._thread = threading.Thread(target=self._run, name="call-log", daemon=True)
            self._thread.start()

    def end(self, *, seconds: float) -> None:
        """Write what is left, for so long at most."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            # At other moments than other processes, which begin together.
            wait = (settings.CALL_LOG_SECONDS or _OTHERWISE) * random.uniform(0.8, 1.2)  # noqa: S311 -- no secret
            is_last = self._stop.wait(max(wait, self._pause))
            self.write_all()
            if is_last:
                connection.close()
                return

    def write_all(self) -> int:
        """Write everything; return how many rows. Never raises: a log that cannot be written ends nothing."""
        taken: list[Call] = []
        written = 0
        try:
            close_old_connections()
            with limited(statement_seconds=_STATEMENT_SECONDS, lock_seconds=_LOCK_SECONDS):
                write_uses()
                taken = within_budget(self._buffer.take())
                while taken:
                    batch = taken[:ROWS_A_STATEMENT]
                    self._write([_row(call) for call in batch])
                    # What was written is not put back when the next statement fails.
                    del taken[: len(batch)]
                    written += len(batch)
            self._note_success()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next call is answered
            self._note_failure(error, taken)
        self._count(written)
        return written

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        for day, of_day in groupby(sorted(rows), key=lambda row: _day_of_id(row[0])):
            with scope(Scope.everything()):
                if day not in self._days:
                    make_day(day)
                    self._days = {day, *sorted(self._days)[-2:]}
                insert(day, [*of_day])

    def _note_success(self) -> None:
        if self._is_away:
            log.info("call_log_written_again")
        self._is_away, self._pause = False, 0.0

    def _note_failure(self, error: Exception, taken: list[Call]) -> None:
        if isinstance(error, OperationalError | InterfaceError):
            self._buffer.put_back(taken)
        else:
            # What the database will never take must not keep the rest from it.
            self._buffer.dropped += len(taken)
        self._days.clear()
        self._pause = min(max(self._pause * 2, settings.CALL_LOG_SECONDS), _LONGEST_PAUSE)
        # Once an outage, not once a try.
        if not self._is_away:
            log.warning("call_log_not_written", error=f"{type(error).__name__}: {error}".split("\n")[0][:200])
        self._is_away = True
        if not connection.in_atomic_block:
            connection.close()

    def _count(self, written: int) -> None:
        buffer = self._buffer
        CALLS_WRITTEN.inc(written)
        sampled, buffer.sampled = buffer.sampled, 0
        dropped, buffer.dropped = buffer.dropped, 0
        CALLS_SAMPLED.inc(sampled)
        CALLS_DROPPED.inc(dropped)


WRITER: Final = Writer(BUFFER)


def insert(day: date, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows of one day. Twice changes nothing: of a batch it may be unknown whether it was committed."""
    columns = ", ".join(_COLUMNS)
    arrays = ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    statement = (
        f"INSERT INTO {table_of(day)} ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608 -- constants
        # Without the column: naming it would need a policy for reading.
        " ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _row(call: Call) -> tuple[Any, ...]:
    problem, body = masked_problem(_read(call.body))
    return (
        id_at(call.at, random.getrandbits(RANDOM_BITS)),  # noqa: S311 -- to be unlike others
        call.organisation_id,
        call.api_key_id,
        call.method[:10],
        masked_path(call.path, call.query),
        call.route[:160],
        call.status,
        min(int(call.seconds * 1000 + 0.5), 2**31 - 1),
        call.request_id[:64],
        problem,
        json.dumps(body).replace("\\u0000", "") if body else None,
        call.address or None,
        call.stands_for,
    )


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _day_of_id(call_id: int) -> date:
    return day_of(moment_of(call_id))


# --- the budget of all processes --------------------------------------------------------------------------


def within_budget(calls: list[Call]) -> list[Call]:
    """Return what may be written now: so many calls a second that succeed, and as many that fail.

    All processes count together in Redis; without it each may write as much as all would in a second.
    """
    succeeded = [call for call in calls if call.status < 400]
    failed = [call for call in calls if call.status >= 400]
    return [*_thinned("good", succeeded), *_thinned("bad", failed)]


def _thinned(kind: str, calls: list[Call]) -> Iterator[Call]:
    if not calls:
        return
    room = _room(kind, len(calls))
    if room >= len(calls):
        yield from calls
        return
    CALLS_SAMPLED.inc(len(calls) - room)
    for call in random.sample(calls, room):
        yield call._replace(stands_for=max(1, call.stands_for * len(calls) // room))


def _room(kind: str, wanted: int) -> int:
    """Count rows of this window, and return for how many of them there is room."""
    most = settings.CALL_LOG_ROWS_PER_SECOND
    window = int(time.time() // _WINDOW_SECONDS)
    name = f"call-log:{kind}:{window}"
    try:
        used = int(_redis().incrby(name, wanted))
        if used == wanted:
            _redis().expire(name, _WINDOW_SECONDS * 3)
    except (RedisError, ConnectionError):
        return most
    return min(max(most * _WINDOW_SECONDS - (used - wanted), 0), wanted)


@lru_cache(maxsize=1)
def _redis() -> Redis:
    return Redis.from_url(settings.REDIS_URL, **settings.REDIS_OPTIONS)
