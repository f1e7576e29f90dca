"""Tasks of the kernel: mails, and periodic tasks."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from alliance import backups, disks, events, mails
from alliance.api import idempotency
from alliance.call_log import days
from alliance.database import partitions
from alliance.health import note_heartbeat
from alliance.members.services import invitations, key_endings
from alliance.web import sessions


@shared_task(acks_late=True)
def beat() -> None:
    """Record that beat and a worker are alive. May run twice: it writes the time."""
    note_heartbeat("beat")


@shared_task(bind=True, acks_late=True, max_retries=5)
def send_mail(self: Any, mail_id: int) -> None:
    """Send one mail. May run twice: a mail is claimed before, and deleted after it was sent."""
    try:
        mails.send_mail(mail_id=mail_id)
    except OSError as error:
        raise self.retry(exc=error, countdown=min(10 * 2**self.request.retries, 240)) from error


@shared_task(acks_late=True)
def send_waiting_mails() -> int:
    """Send mails whose task was lost. May run twice: each mail is claimed before it is sent."""
    return mails.send_waiting_mails()


@shared_task(acks_late=True)
def watch_disks() -> None:
    """Log what is full or nearly so. May run twice: it only looks."""
    disks.warn()


@shared_task(acks_late=True)
def watch_backups() -> None:
    """Log how late backups are. May run twice: it only looks."""
    backups.warn()


@shared_task(acks_late=True)
def make_partitions() -> int:
    """Create the coming months. May run twice and concurrently: it creates only missing ones."""
    return partitions.ensure_months_ahead()


@shared_task(acks_late=True)
def forget_idempotency_keys() -> int:
    """Delete stored responses older than a day. May run twice: it deletes the rest."""
    return idempotency.forget_old(now=timezone.now())


@shared_task(acks_late=True)
def forget_old_events() -> int:
    """Delete old events of the outbox. May run twice, concurrently, or be killed."""
    return events.forget_old_events(now=timezone.now())


@shared_task(acks_late=True)
def forget_visits() -> int:
    """Delete expired sessions, also from users' lists, and old invitations. May run twice."""
    now = timezone.now()
    invitations.forget_old(before=now - timedelta(days=settings.INVITATIONS_KEPT_DAYS))
    return sessions.forget_ended(now=now)


@shared_task(acks_late=True)
def drop_old_calls() -> int:
    """Drop old days of the request log. May run twice: it drops what is there."""
    return days.drop_old_days()


@shared_task(acks_late=True)
def warn_of_ending_keys() -> int:
    """Write mails about API keys that end soon. May run twice: a key is marked with its mails."""
    return key_endings.warn_of_ends()
