"""How long a log-in lasts, what ends it, and what users see of their log-ins."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance import tasks
from alliance.database import slices
from alliance.models import User
from alliance.portal.browsers import browser_text
from alliance.web import sessions
from alliance.web.sessions import MEMBERS, NOTED_EVERY, STAFF, Lifetime
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
PAGE = "usersessions_list"
NEW = "another-long-passphrase"


class Hands:
    """The clock that sessions read."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    def go(self, by: timedelta) -> None:
        self.now += by.total_seconds()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(sessions, "time", hands)
    return hands


def logged_in(user: User, **extra: Any) -> Client:
    client = Client(**extra)
    data = {"login": user.email, "password": factories.PASSWORD}
    assert client.post(reverse("account_login"), data).status_code == 302
    return client


def is_logged_in(client: Client) -> bool:
    return client.get(reverse(PAGE)).status_code == 200


@pytest.mark.parametrize(("is_staff", "lifetime"), [(True, STAFF), (False, MEMBERS)])
def test_unused_log_in_ends(is_staff: bool, lifetime: Lifetime, clock: Hands) -> None:
    client = logged_in(factories.user("somebody@alliance.example", is_staff=is_staff))
    stored = Session.objects.get()
    assert stored.get_decoded()["_session_expiry"] == lifetime.idle.total_seconds()
    clock.go(lifetime.idle)
    assert is_logged_in(client)
    clock.go(lifetime.idle + timedelta(seconds=1))
    assert not is_logged_in(client)


@pytest.mark.parametrize(("is_staff", "lifetime"), [(True, STAFF), (False, MEMBERS)])
def test_used_log_in_ends_as_well(is_staff: bool, lifetime: Lifetime, clock: Hands) -> None:
    client = logged_in(factories.user("somebody@alliance.example", is_staff=is_staff))
    for _day in range(lifetime.at_most // lifetime.idle):
        clock.go(lifetime.idle)
        assert is_logged_in(client)
    clock.go(lifetime.at_most % lifetime.idle + timedelta(seconds=1))
    assert not is_logged_in(client)


def test_member_who_became_staff_has_the_shorter_time(merchant_user: User, clock: Hands) -> None:
    client = logged_in(merchant_user)
    User.objects.filter(pk=merchant_user.pk).update(is_staff=True)
    clock.go(STAFF.idle + timedelta(seconds=1))
    assert not is_logged_in(client)


def test_use_is_noted_now_and_then(merchant_user: User, clock: Hands) -> None:
    client = logged_in(merchant_user)
    clock.go(NOTED_EVERY)
    client.get(reverse(PAGE), REMOTE_ADDR="203.0.113.9")
    assert UserSession.objects.get().ip == "127.0.0.1"
    clock.go(timedelta(seconds=1))
    client.get(reverse(PAGE), REMOTE_ADDR="203.0.113.9")
    assert UserSession.objects.get().ip == "203.0.113.9"


def test_users_see_their_log_ins_and_end_the_others(merchant_user: User, ops_user: User) -> None:
    firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    here, there = logged_in(merchant_user), logged_in(merchant_user, HTTP_USER_AGENT=firefox)
    stranger = logged_in(ops_user)
    page = html_of(here.get(reverse(PAGE)))
    assert page.count('<li class="ca-address"') == 2
    assert "Firefox, Windows" in page
    assert here.post(reverse(PAGE)).status_code == 302
    assert [is_logged_in(client) for client in (here, there, stranger)] == [True, False, True]


@pytest.mark.parametrize("by_mail", [False, True])
def test_new_password_ends_all_other_log_ins(by_mail: bool, merchant_user: User, mailoutbox: Any) -> None:
    here, there = logged_in(merchant_user), logged_in(merchant_user)
    if by_mail:
        somewhere = Client()
        somewhere.post(reverse("account_reset_password"), {"email": merchant_user.email})
        link = next(word for word in mailoutbox[-1].body.split() if "/password/reset/key/" in word)
        form = somewhere.get("/" + link.split("/", 3)[3])["Location"]
        somewhere.post(form, {"password1": NEW, "password2": NEW})
    else:
        data = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
        assert here.post(reverse("account_change_password"), data).status_code == 302
    assert [is_logged_in(client) for client in (here, there)] == [False, False]
    assert mailoutbox[-1].to == [merchant_user.email]
    assert mailoutbox[-1].subject == "Your password was changed"


def test_ended_log_ins_are_forgotten(merchant_user: User) -> None:
    gone, kept = logged_in(merchant_user), logged_in(merchant_user)
    Session.objects.get(pk=gone.session.session_key).delete()
    assert tasks.forget_visits() == 1
    assert UserSession.objects.get().session_key == kept.session.session_key


def test_ended_log_ins_are_forgotten_a_slice_at_a_time(
    merchant_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sessions, slices):
        monkeypatch.setattr(module, "SLICE", 2)
    gone, kept = [logged_in(merchant_user) for _number in range(5)], logged_in(merchant_user)
    keys = [client.session.session_key for client in gone]
    Session.objects.filter(pk__in=keys).update(expire_date=timezone.now() - timedelta(seconds=1))
    # Each is a session and a line of the user's list.
    assert tasks.forget_visits() == 10
    assert UserSession.objects.get().session_key == kept.session.session_key


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "Mozilla/5.0 (Linux; Android 14) Chrome/126 Mobile Safari/537 MicroMessenger/8",
            "WeChat, Android",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/126 Safari/537 Edg/126", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17 Safari/604", "Safari, iPhone"),
        ("<script>", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_have_names(header: str, expected: str) -> None:
    assert browser_text(header) == expected
