"""Send Celery tasks by name when the current transaction is committed.

By name, because web processes import no task modules, and a service that imported its task would be a
circular import. tests/alliance/test_jobs.py checks that every name is a registered task.
"""

import time
from typing import Any, Final

import structlog
from celery import current_app
from django.db import InterfaceError, OperationalError, transaction
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

# Seconds for which nothing is sent after a failure; and what fails this quickly, as over a connection of
# before a restart, is sent once more.
RETRY_AFTER_SECONDS = 1.0
QUICKLY_SECONDS = 0.2
_state = {"away_until": 0.0}
# Options of a task that goes on within seconds after an outage of the database. Without them beat's sweeper
# hands the work out again, minutes later.
AFTER_OUTAGES: Final[dict[str, Any]] = {
    "autoretry_for": (OperationalError, InterfaceError),
    "max_retries": None,
    "retry_backoff": 2,
    "retry_backoff_max": 20,
}
log = structlog.get_logger(__name__)


def after_commit(task: str, *arguments: int) -> None:
    """Send a task to a worker when the current transaction commits; outside a transaction, at once.

    `task` must be a literal or a constant of the module, so that a test can find it.
    """
    # Robust: if the broker is down, the row is committed anyway, and beat's sweeper finds it later.
    transaction.on_commit(lambda: send(task, *arguments), robust=True)


def send(task: str, *arguments: int) -> None:
    """Send a task to a worker now, if the broker answers; if not, beat's sweeper finds the row later."""
    begun = time.monotonic()
    if begun < _state["away_until"]:
        log.warning("task_not_sent", task=task, reason="the broker was away a moment ago")
        return
    try:
        try:
            current_app.send_task(task, arguments)
        except (BrokerError, RedisError, OSError):
            if time.monotonic() - begun > QUICKLY_SECONDS:
                raise
            current_app.send_task(task, arguments)
    except (BrokerError, RedisError, OSError) as error:
        _state["away_until"] = time.monotonic() + RETRY_AFTER_SECONDS
        log.warning("task_not_sent", task=task, reason=str(error))
