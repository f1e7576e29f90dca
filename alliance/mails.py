"""Mails: written in the transaction of their cause, sent by a task right after its commit.

A mail is a row until it was sent, so that neither a lost task nor a mail server that is down loses it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone, translation

from alliance.jobs import after_commit
from alliance.models import OutgoingMail
from alliance.tenancy import Scope, scope

log = structlog.get_logger(__name__)

# Longer than any mail server takes: the worker of an older claim has died.
CLAIM_FOR = timedelta(minutes=10)
# The task of a newer mail may still be queued; after three days a mail is out of date, and deleted.
SWEEP_FROM, SWEEP_UNTIL = timedelta(minutes=2), timedelta(days=3)
SWEEP_AT_ONCE = 100


def write_mails(
    *, to: Iterable[tuple[str, str]], template: str, context: Mapping[str, Any], path: str = ""
) -> int:
    """Write a mail to each address in its language, given as pairs; return how many.

    `template` is the folder and name of the templates of subject and text. They get the context and the
    `url` of a path of ours.
    """
    languages = {address.lower(): language for address, language in to if address}
    for address, language in languages.items():
        with translation.override(language or settings.LANGUAGE_CODE):
            values = {**context, "url": settings.PUBLIC_URL.rstrip("/") + path}
            subject = " ".join(render_to_string(f"{template}.subject.txt", values).split())
            text = render_to_string(f"{template}.txt", values).strip()
        # No tenant reads mails, not even those it causes.
        with scope(Scope.everything()):
            mail = OutgoingMail.objects.create(to=address, subject=subject[:300], text=text)
        after_commit("alliance.tasks.send_mail", mail.pk)
    return len(languages)


def send_mail(*, mail_id: int, now: datetime | None = None) -> bool:
    """Send one mail; return whether it was sent.

    A mail that was sent, or is being sent, is not sent again. An error of the mail server releases the claim
    and is raised.
    """
    moment = now or timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=moment - CLAIM_FOR)
    with scope(Scope.everything()):
        if not OutgoingMail.objects.filter(free, pk=mail_id).update(claimed_at=moment):
            return False
        mail = OutgoingMail.objects.get(pk=mail_id)
    try:
        sent = _message(mail).send() > 0
    except Exception:
        with scope(Scope.everything()):
            OutgoingMail.objects.filter(pk=mail_id).update(claimed_at=None)
        raise
    with scope(Scope.everything()):
        OutgoingMail.objects.filter(pk=mail_id).delete()
    return sent


def send_waiting_mails(*, now: datetime | None = None) -> int:
    """Send mails whose tasks were lost; return how many. Delete those that are out of date."""
    moment, sent = now or timezone.now(), 0
    with scope(Scope.everything()):
        OutgoingMail.objects.filter(created_at__lt=moment - SWEEP_UNTIL).delete()
        waiting = list(
            OutgoingMail.objects.filter(created_at__lt=moment - SWEEP_FROM)
            .order_by("created_at")
            .values_list("pk", flat=True)[:SWEEP_AT_ONCE]
        )
    for mail_id in waiting:
        try:
            sent += send_mail(mail_id=mail_id, now=moment)
        except Exception:
            # The next sweep tries again; one bad address must not block the others.
            log.exception("a mail failed", mail_id=mail_id)
    return sent


def without_links(text: str) -> str:
    """Return a name that people typed so that no mail program makes a link of it."""
    return re.sub(r"(?<=\w)([.:])(?=[\w/])", r"\1 ", text)


def _message(mail: OutgoingMail) -> EmailMultiAlternatives:
    # The same Message-ID for the same mail: if it is sent twice after all, readers see one.
    headers = {"Message-ID": f"<mail-{mail.pk}-{mail.created_at:%Y%m%d%H%M%S}@courier-alliance>"}
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[mail.to], headers=headers)
    html = render_to_string("alliance/mail/page.html", {"text": mail.text, "subject": mail.subject})
    message.attach_alternative(html, "text/html")
    return message
