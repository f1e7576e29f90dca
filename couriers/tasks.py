"""Tasks of couriers: mails to applicants, and clean-up of uploads."""

from typing import Any

from celery import shared_task

from couriers.applications.services import mail
from couriers.documents import services as documents


@shared_task(bind=True, acks_late=True, max_retries=5)
def mail_application_event(self: Any, event_id: int) -> None:
    """Mail the applicant about one change of state. May run twice: the event records the mail."""
    try:
        mail.send_application_mail(event_id=event_id)
    except OSError as error:
        raise self.retry(exc=error, countdown=min(10 * 2**self.request.retries, 240)) from error


@shared_task(acks_late=True)
def send_waiting_mails() -> int:
    """Send mails whose task was lost. May run twice: each mail is claimed before it is sent."""
    return mail.send_waiting_mails()


@shared_task(acks_late=True)
def forget_orphaned_files() -> int:
    """Delete files of rolled back uploads. May run twice: it deletes the rest."""
    return documents.forget_orphaned_files()
