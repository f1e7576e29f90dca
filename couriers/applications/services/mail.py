"""Mails about an application: claimed, sent outside any transaction, and then marked as sent."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from alliance.tenancy import Scope, scope
from couriers.applications.models import ApplicationEvent
from couriers.choices import ApplicationState

log = structlog.get_logger(__name__)

# Longer than any mail server takes: the worker of an older claim has died.
CLAIM_FOR = timedelta(minutes=10)
# The task of a newer event may still be queued; after three days a mail is out of date.
SWEEP_FROM, SWEEP_UNTIL = timedelta(minutes=2), timedelta(days=3)
SWEEP_AT_ONCE = 100


def send_application_mail(*, event_id: int, now: datetime | None = None) -> bool:
    """Mail the applicant about one change of state; return whether a mail was sent.

    A mail that was sent, or is being sent, is not sent again. An error of the mail server releases the claim
    and is raised.
    """
    moment = now or timezone.now()
    with scope(Scope.everything()):
        if not _claim(event_id, moment):
            return False
        event = ApplicationEvent.objects.select_related("application__created_by").get(pk=event_id)
        message = compose(event)
    try:
        sent = bool(message.to) and message.send() > 0
    except Exception:
        with scope(Scope.everything()):
            ApplicationEvent.objects.filter(pk=event_id).update(mail_claimed_at=None)
        raise
    with scope(Scope.everything()):
        ApplicationEvent.objects.filter(pk=event_id).update(mailed_at=timezone.now())
    return sent


def send_waiting_mails(*, now: datetime | None = None) -> int:
    """Send mails whose tasks were lost; return how many."""
    moment, sent = now or timezone.now(), 0
    with scope(Scope.everything()):
        waiting = list(
            ApplicationEvent.objects.filter(
                mailed_at=None, at__lt=moment - SWEEP_FROM, at__gt=moment - SWEEP_UNTIL
            )
            .order_by("at")
            .values_list("pk", flat=True)[:SWEEP_AT_ONCE]
        )
    for event_id in waiting:
        try:
            sent += send_application_mail(event_id=event_id, now=moment)
        except Exception:
            # The next sweep tries again; one bad address must not block the others.
            log.exception("mail about an application failed", event_id=event_id)
    return sent


def compose(event: ApplicationEvent) -> EmailMultiAlternatives:
    """Return the mail about a change of state, in the applicant's language."""
    application = event.application
    path = reverse("couriers:application_edit")
    with translation.override(application.language):
        context = {
            "application": application,
            "company": str(application),
            "event": event,
            "url": settings.PUBLIC_URL.rstrip("/") + path,
        }
        base = f"couriers/mail/{event.state}"
        subject = " ".join(render_to_string(f"{base}.subject.txt", context).split())
        text = render_to_string(f"{base}.txt", context)
        html = render_to_string("alliance/mail/page.html", {"text": text.strip(), "subject": subject})
    # The same Message-ID for the same event: if a mail is sent twice after all, readers see one.
    headers = {"Message-ID": f"<application-event-{event.pk}-{event.at:%Y%m%d%H%M%S}@courier-alliance>"}
    message = EmailMultiAlternatives(subject, text, to=_recipients(event), headers=headers)
    message.attach_alternative(html, "text/html")
    return message


def _recipients(event: ApplicationEvent) -> list[str]:
    """Return the applicant, and the contact once ops have read the application.

    Anybody's address can be typed in as the contact's: until then what strangers wrote is not mailed to it.
    """
    application = event.application
    applicant = application.created_by.email if application.created_by else ""
    contact = "" if event.state == ApplicationState.SUBMITTED else application.contact_email
    addresses = {address.lower(): address for address in (applicant, contact) if address}
    return list(addresses.values())


def _claim(event_id: int, now: datetime) -> bool:
    free = Q(mail_claimed_at=None) | Q(mail_claimed_at__lt=now - CLAIM_FOR)
    unsent = ApplicationEvent.objects.filter(free, pk=event_id, mailed_at=None)
    return unsent.update(mail_claimed_at=now) == 1
