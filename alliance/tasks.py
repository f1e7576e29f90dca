"""Periodic jobs of the kernel."""

from datetime import timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from alliance import events
from alliance.api import idempotency
from alliance.database import partitions
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


@shared_task(acks_late=True)
def forget_old_events() -> int:
    """Delete what the outbox no longer needs. May run twice, side by side, or be killed."""
    return events.forget_old_events(now=timezone.now())


@shared_task(acks_late=True)
def forget_visits() -> int:
    """Delete sessions that are over and old records of log-ins. May run twice: it deletes what is left."""
    now = timezone.now()
    before = now - timedelta(days=settings.VISITS_KEPT_DAYS)
    gone = Session.objects.filter(expire_date__lt=now).delete()[0]
    for records in (AccessAttempt, AccessFailureLog, AccessLog):
        gone += records.objects.filter(attempt_time__lt=before).delete()[0]
    return gone
