"""Celery tasks, sent by name once the transaction that needs them is committed.

By name, because a web process imports no task modules, and a service that imported them would import
itself. tests/alliance/test_jobs.py checks that every name is a registered task.
"""

from celery import current_app
from django.db import transaction


def after_commit(task: str, *arguments: int) -> None:
    """Send a task to a worker when the current transaction commits; at once outside of one.

    `task` is a literal or a constant of the module, so that a test can read it.
    """
    # Robust: while the broker is away the row stands, and beat's sweeper of the same work finds it.
    transaction.on_commit(lambda: send(task, *arguments), robust=True)


def send(task: str, *arguments: int) -> None:
    """Send a task to a worker now."""
    current_app.send_task(task, arguments)
