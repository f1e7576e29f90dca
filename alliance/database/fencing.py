"""Fence off a worker of a cluster that says nothing, so that nobody waits for it.

A worker that is dead refuses connections, and what needs it fails at once. Of one whose processes are frozen,
or whose disk hangs, the connections stay open: a session of the coordinator waits for it, and neither a
timeout nor pg_terminate_backend() ends that, as Citus first sends the worker a cancel and waits for its end.

So beat asks each worker for a new connection, every second. One that has said nothing several times in a row
is fenced off: on the coordinator it gets an address where nothing listens (pg_dist_poolinfo, which is for
poolers), so what needs it fails at once. What waits already is cut off by its own process (silence.py); its
session ends once the worker goes on, or is killed. When the worker answers, the fence is taken away.
"""

import threading
from collections import Counter
from contextlib import suppress
from typing import Final

import structlog
from django.db import Error, ProgrammingError, connection

from alliance.database.cluster import is_distributed
from alliance.database.postgresql.silence import answers_within

LOOK_AGAIN_SECONDS: Final = 1.0
# Seconds that a worker has for its answer; how often in a row it has to say nothing.
ANSWER_SECONDS, SILENCES = 3, 2
_WORKERS: Final = """
    SELECT nodeid, nodename || ':' || nodeport FROM pg_dist_node
    WHERE groupid <> 0 AND isactive AND noderole = 'primary' ORDER BY 1
"""
_ASK: Final = "SELECT alliance_ask_worker(%s, %s, %s)"
log = structlog.get_logger(__name__)


class Watch:
    """Looks at the workers, and remembers which of them have said nothing."""

    def __init__(self) -> None:
        self._silences: Counter[int] = Counter()

    def look(self) -> None:
        """Ask each worker; put up and take away fences."""
        # In a new session: one that has a connection to a worker would ask by that one.
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(_WORKERS)
            workers = cursor.fetchall()
        for node, name in workers:
            is_due = self._silences[node] + 1 >= SILENCES
            if not self._is_silent(node, fence=is_due):
                if self._silences.pop(node, 0) >= SILENCES:
                    log.warning("worker_answers_again", worker=name)
                continue
            self._silences[node] += 1
            if self._silences[node] == SILENCES:
                log.warning("worker_fenced_off", worker=name)

    def _is_silent(self, node: int, *, fence: bool) -> bool:
        with answers_within(ANSWER_SECONDS + 2.0), connection.cursor() as cursor:
            cursor.execute(_ASK, [node, ANSWER_SECONDS * 1000, fence])
            return bool(cursor.fetchone()[0])


def keep_watch() -> None:
    """Look at the workers all the time. Returns if there is no cluster, or no right to fence them off."""
    watch, pause = Watch(), threading.Event()
    while not pause.wait(LOOK_AGAIN_SECONDS):
        try:
            if not is_distributed():
                return
            watch.look()
        except ProgrammingError as error:
            log.warning("workers_cannot_be_fenced_off", problem=str(error).strip())
            return
        except Error:
            # The coordinator is away, or hangs itself; or it has an error of Citus's own. The watch goes on.
            with suppress(Error):
                connection.close()
