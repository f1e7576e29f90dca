"""Periodic jobs of the kernel."""

from celery import shared_task
from django.utils import timezone

from alliance import partitions
from alliance.api import idempotency
from alliance.health import note_heartbeat
from alliance.tenancy import Scope, scope


@shared_task(acks_late=True)
def beat() -> None:
    """Note that beat and a worker are alive. May run twice: it writes the time."""
    note_heartbeat("beat")


@shared_task(acks_late=True)
def make_partitions() -> int:
    """Make the months ahead. May run twice and side by side: it makes what is missing."""
    return partitions.ensure_months_ahead()


@shared_task(acks_late=True)
def forget_idempotency_keys() -> int:
    """Delete stored answers older than a day. May run twice: it deletes what is left."""
    with scope(Scope.everything()):
        return idempotency.forget_old(now=timezone.now())
