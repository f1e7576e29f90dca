"""Send Celery tasks by name when the current transaction is committed.

By name, because web processes import no task modules, and a service that imported its task would be a
circular import. tests/alliance/test_jobs.py checks that every name is a registered task.
"""

from celery import current_app
from django.db import transaction


def after_commit(task: str, *arguments: int) -> None:
    """Send a task to a worker when the current transaction commits; outside a transaction, at once.

    `task` must be a literal or a constant of the module, so that a test can find it.
    """
    # Robust: if the broker is down, the row is committed anyway, and beat's sweeper finds it later.
    transaction.on_commit(lambda: send(task, *arguments), robust=True)


def send(task: str, *arguments: int) -> None:
    """Send a task to a worker now."""
    current_app.send_task(task, arguments)
