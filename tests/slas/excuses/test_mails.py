"""Mails about exemptions: to ops when one is requested, to couriers when theirs are decided."""

from datetime import timedelta

import pytest
from django.core import mail

from alliance import mails
from alliance.models import OutgoingMail, User
from alliance.tenancy import Actor, Scope, scope
from slas.excuses.services.mails import QUIET_FOR
from tests import factories
from tests.slas.helpers.commitments import HOUR, NOON, Lane
from tests.slas.helpers.excuses import agent_of, claimed, decided, late_parcel, service_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]


def sent_now() -> list[tuple[str, str]]:
    """Send the mails that wait; return the address and subject of each."""
    with scope(Scope.everything()):
        ids = list(OutgoingMail.objects.order_by("pk").values_list("pk", flat=True))
    mail.outbox.clear()
    for mail_id in ids:
        mails.send_mail(mail_id=mail_id)
    return sorted((sent.to[0], sent.subject) for sent in mail.outbox)


def speaks_chinese(user: User) -> User:
    user.language = "zh-hans"
    user.save()
    return user


def test_who_may_decide_is_told_of_a_request_once_an_hour(lane: Lane, ops_user: User) -> None:
    speaks_chinese(service_user("cs@alliance.example"))
    factories.staff_user("ops2@alliance.example")
    agent = agent_of(lane.courier)
    claimed(agent, late_parcel(lane))
    claimed(agent, late_parcel(lane))
    name = lane.courier.name
    assert sent_now() == [
        ("cs@alliance.example", f"{name}申请免责"),
        (ops_user.email, f"Exemption requested by {name}"),
    ]
    claimed(agent, late_parcel(lane), now=NOON + 2 * HOUR + QUIET_FOR + timedelta(seconds=1))
    assert len(sent_now()) == 2


def test_courier_gets_one_mail_of_a_bulk_decision(lane: Lane, ops_user: User) -> None:
    owner = speaks_chinese(factories.member_user("owner@courier.example", lane.courier))
    factories.member_user("viewer@courier.example", lane.courier, "viewer")
    claims = [claimed(agent_of(lane.courier), late_parcel(lane)) for _time in range(3)]
    sent_now()
    with scope(Scope.everything()):
        decided(Actor.system("test"), claims, "grant")
    assert [address for address, _subject in sent_now()] == [owner.email]
    [message] = mail.outbox
    assert message.subject.startswith("3 项免责申请")
    assert all(claim.number in str(message.body) for claim in claims)
    assert "/excuses/" in str(message.body)
