"""Periodic tasks of the kernel."""

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
    """Record that beat and a worker are alive. May run twice: it writes the time."""
    note_heartbeat("beat")


@shared_task(acks_late=True)
def make_partitions() -> int:
    """Create the coming months. May run twice and concurrently: it creates only missing ones."""
    return partitions.ensure_months_ahead()


@shared_task(acks_late=True)
def forget_idempotency_keys() -> int:
    """Delete stored responses older than a day. May run twice: it deletes the rest."""
    with scope(Scope.everything()):
        return idempotency.forget_old(now=timezone.now())


@shared_task(acks_late=True)
def forget_old_events() -> int:
    """Delete old events of the outbox. May run twice, concurrently, or be killed."""
    return events.forget_old_events(now=timezone.now())


@shared_task(acks_late=True)
def forget_visits() -> int:
    """Delete expired sessions and old records of log-ins. May run twice: it deletes the rest."""
    now = timezone.now()
    before = now - timedelta(days=settings.VISITS_KEPT_DAYS)
    count = Session.objects.filter(expire_date__lt=now).delete()[0]
    for records in (AccessAttempt, AccessFailureLog, AccessLog):
        count += records.objects.filter(attempt_time__lt=before).delete()[0]
    return count
