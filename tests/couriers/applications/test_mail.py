"""Mails about an application: after the commit, once, in the applicant's language."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Retry
from django.core import mail as outbox
from django.utils import timezone

from alliance import jobs
from alliance.tenancy import Actor, Scope, scope
from couriers import tasks
from couriers.applications.services import applications, mail, reviews
from couriers.models import Application, ApplicationEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(submitted: Application) -> ApplicationEvent:
    with scope(Scope.everything()):
        return ApplicationEvent.objects.get()


@pytest.fixture
def asked(submitted: Application, ops: Actor) -> ApplicationEvent:
    with scope(Scope.everything()):
        reviews.request_more(actor=ops, application_id=submitted.pk, reason="Scan <b>it</b>.\nIn colour.")
        return ApplicationEvent.objects.get(state="more_needed")


def reread(event: ApplicationEvent) -> ApplicationEvent:
    with scope(Scope.everything()):
        event.refresh_from_db()
        return event


def fail(*args: Any, **kwargs: Any) -> None:
    raise ConnectionRefusedError("mail server away")


def test_the_mail_is_asked_for_after_the_commit(
    applicant: Actor,
    complete: Application,
    sent: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True), scope(Scope.of(applicant)):
        applications.submit_application(actor=applicant, application_id=complete.pk)
        assert sent == []
    with scope(Scope.everything()):
        assert sent == [("couriers.tasks.mail_application_event", ApplicationEvent.objects.get().pk)]


def test_a_broker_that_is_away_stops_nothing(
    applicant: Actor,
    complete: Application,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    monkeypatch.setattr(jobs, "send", fail)
    with django_capture_on_commit_callbacks(execute=True) as callbacks, scope(Scope.of(applicant)):
        applications.submit_application(actor=applicant, application_id=complete.pk)
    assert len(callbacks) == 1
    with scope(Scope.everything()):
        complete.refresh_from_db()
    assert complete.state == "submitted"


def test_the_mail_of_a_submission_goes_to_the_applicant_once(event: ApplicationEvent) -> None:
    tasks.mail_application_event(event.pk)
    tasks.mail_application_event(event.pk)
    (message,) = outbox.outbox
    assert message.to == ["owner@feiyan.example"]
    assert "杭州飞燕速递有限公司" in message.subject
    assert reread(event).mailed_at is not None


def test_the_contact_hears_from_us_once_ops_have_read_the_application(asked: ApplicationEvent) -> None:
    mail.send_application_mail(event_id=asked.pk)
    (message,) = outbox.outbox
    assert message.to == ["owner@feiyan.example", "chen@feiyan.example"]


@pytest.mark.parametrize(
    ("state", "verb", "says"),
    [
        ("more_needed", reviews.request_more, "submit again"),
        ("rejected", reviews.reject_application, "rejected it"),
        ("approved", reviews.approve_application, "active courier"),
    ],
)
def test_each_decision_has_its_mail_with_reason_and_link(
    submitted: Application, ops: Actor, settings: Any, state: str, verb: Callable[..., Any], says: str
) -> None:
    settings.PUBLIC_URL = "https://alliance.example/"
    with scope(Scope.everything()):
        verb(actor=ops, application_id=submitted.pk, reason="Seen by us.")
        event = ApplicationEvent.objects.get(state=state)
    assert mail.send_application_mail(event_id=event.pk)
    (message,) = outbox.outbox
    assert says in message.body
    assert "Seen by us." in message.body
    assert "https://alliance.example/application/" in message.body
    assert "\n" not in message.subject


def test_the_html_part_escapes_what_was_typed(asked: ApplicationEvent) -> None:
    mail.send_application_mail(event_id=asked.pk)
    (message,) = outbox.outbox
    ((html, content_type),) = message.alternatives
    assert content_type == "text/html"
    assert "<b>it</b>" in message.body
    assert "&lt;b&gt;it&lt;/b&gt;.<br>In colour." in html
    assert f'href="{URL}"' in html


URL = "http://127.0.0.1:8000/application/"


def test_the_mail_speaks_the_applicants_language(
    event: ApplicationEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[str | None] = []
    real = mail.render_to_string

    def render(*args: Any, **kwargs: Any) -> str:
        spoken.append(mail.translation.get_language())
        return real(*args, **kwargs)

    monkeypatch.setattr(mail, "render_to_string", render)
    with scope(Scope.everything()):
        Application.objects.update(language="zh-hans")
    mail.send_application_mail(event_id=event.pk)
    assert set(spoken) == {"zh-hans"}


def test_a_mail_that_another_worker_is_sending_is_left_to_it(event: ApplicationEvent) -> None:
    with scope(Scope.everything()):
        ApplicationEvent.objects.update(mail_claimed_at=timezone.now())
    assert not mail.send_application_mail(event_id=event.pk)
    later = timezone.now() + timedelta(minutes=11)
    assert mail.send_application_mail(event_id=event.pk, now=later)
    assert len(outbox.outbox) == 1


def test_a_mail_server_that_is_away_is_tried_again(
    event: ApplicationEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(mail.EmailMultiAlternatives, "send", fail)
        broken.setattr(tasks.mail_application_event, "retry", lambda **options: Retry())
        with pytest.raises(Retry):
            tasks.mail_application_event(event.pk)
    assert reread(event).mail_claimed_at is None
    assert mail.send_application_mail(event_id=event.pk)


def test_the_sweeper_sends_what_was_lost_and_nothing_twice(event: ApplicationEvent) -> None:
    # A fresh one is still on its way as a task.
    assert tasks.send_waiting_mails() == 0
    later = timezone.now() + timedelta(minutes=5)
    assert mail.send_waiting_mails(now=later) == 1
    assert mail.send_waiting_mails(now=later) == 0


def test_the_sweeper_goes_on_after_a_failure(
    event: ApplicationEvent, asked: ApplicationEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", fail)
    assert mail.send_waiting_mails(now=timezone.now() + timedelta(minutes=5)) == 0
    assert reread(event).mailed_at is None
    assert reread(asked).mailed_at is None


def test_after_three_days_a_mail_is_no_news(event: ApplicationEvent) -> None:
    assert mail.send_waiting_mails(now=timezone.now() + timedelta(days=4)) == 0


def test_an_applicant_who_left_gets_none(asked: ApplicationEvent) -> None:
    with scope(Scope.everything()):
        Application.objects.update(created_by=None)
    mail.send_application_mail(event_id=asked.pk)
    assert outbox.outbox[0].to == ["chen@feiyan.example"]


def test_tidying_up_after_uploads_may_run_on_nothing() -> None:
    assert tasks.forget_orphaned_files() == 0
