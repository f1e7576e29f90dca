"""Logging in at any door: where it leads, and what wrong passwords cost."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from alliance.demo_logins import DEMO_LOGINS
from alliance.errors import Unavailable
from alliance.models import User
from alliance.web import hashers
from alliance.web.devices import COOKIE
from alliance.web.guesses import ACCOUNT, ADDRESS
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
ATTACKER, OWNER = "198.51.100.7", "203.0.113.9"


def log_in(client: Client, email: str, password: str, *, at: str = "account_login", address: str = "") -> Any:
    extra = {"REMOTE_ADDR": address} if address else {}
    return client.post(reverse(at), {"login": email, "password": password}, **extra)


def guess_in_vain(email: str, *, times: int = ADDRESS.free, at: str = "account_login") -> None:
    for number in range(times):
        assert log_in(Client(), email, f"wrong-{number}", at=at, address=ATTACKER).status_code == 200


@pytest.mark.parametrize("door", ["account_login", "admin:login"])
def test_wrong_passwords_of_staff_are_counted_at_both_doors(door: str, ops_user: User) -> None:
    guess_in_vain(ops_user.email, at=door)
    for other in ("account_login", "admin:login"):
        refused = log_in(Client(), ops_user.email, factories.PASSWORD, at=other, address=ATTACKER)
        assert refused.status_code == 429
        assert 0 < int(refused["Retry-After"]) <= ADDRESS.first_wait
        assert "Too many wrong passwords" in html_of(refused)
    assert log_in(Client(), ops_user.email, factories.PASSWORD, address=OWNER).status_code == 302


def test_everybody_logs_in_on_one_page(client: Client, ops_user: User) -> None:
    page = html_of(client.get("/admin/", follow=True))
    assert 'name="login"' in page
    assert '<input type="hidden" name="next" value="/admin/"' in page
    response = client.post(
        reverse("account_login"),
        {"login": ops_user.email, "password": factories.PASSWORD, "next": "/admin/slas/"},
    )
    assert response["Location"] == "/admin/slas/"
    assert client.get(reverse("admin:login"))["Location"] == "/admin/"


@pytest.mark.parametrize("door", ["account_login", "account_signup", "admin:login"])
@pytest.mark.parametrize(
    "following",
    [
        "//[::1",
        "//evil.example/",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "//\uff3b::1",
    ],
)
def test_nobody_is_led_to_another_site(
    following: str, door: str, client: Client, merchant_user: User
) -> None:
    assert client.get(reverse(door), {"next": following}).status_code == 200
    if door != "account_signup":
        data = {"login": merchant_user.email, "password": factories.PASSWORD, "next": following}
        assert client.post(reverse(door), data)["Location"] == "/"


def test_members_are_refused_by_the_admin_instead_of_asked_again(merchant_client: Client) -> None:
    assert merchant_client.get("/admin/", follow=True).status_code == 403


def test_the_admin_changes_passwords_on_the_portals_page(ops_client: Client) -> None:
    assert ops_client.get("/admin/password_change/")["Location"] == reverse("account_change_password")


def test_many_accounts_from_one_address_are_one_count(merchant_user: User) -> None:
    for number in range(ADDRESS.free):
        log_in(Client(), f"nobody{number}@case.example", "wrong", address=ATTACKER)
    assert log_in(Client(), merchant_user.email, factories.PASSWORD, address=ATTACKER).status_code == 429
    assert log_in(Client(), merchant_user.email, factories.PASSWORD, address=OWNER).status_code == 302


@pytest.mark.parametrize(("proxies", "refused"), [(0, True), (1, False)])
def test_addresses_are_told_by_trusted_proxies_only(
    proxies: int, refused: bool, merchant_user: User, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies

    def try_from(forwarded: str, password: str) -> int:
        data = {"login": merchant_user.email, "password": password}
        response = Client().post(reverse("account_login"), data, HTTP_X_FORWARDED_FOR=forwarded)
        return response.status_code

    for number in range(ADDRESS.free):
        # What the client invents stands before what the proxy adds.
        assert try_from(f"192.0.2.{number}, {ATTACKER}", "wrong") == 200
    assert try_from(f"192.0.2.99, {ATTACKER}", factories.PASSWORD) == 429
    assert try_from(OWNER, factories.PASSWORD) == (429 if refused else 302)


def test_owner_whose_browser_is_known_gets_in_while_many_guess(merchant_user: User) -> None:
    known = Client()
    assert log_in(known, merchant_user.email, factories.PASSWORD, address=OWNER).status_code == 302
    cookie = known.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/accounts/")
    known.logout()
    known.cookies[COOKIE] = cookie.value
    for number in range(ACCOUNT.free):
        log_in(Client(), merchant_user.email, "wrong", address=f"192.0.2.{number}")
    assert log_in(Client(), merchant_user.email, factories.PASSWORD, address=OWNER).status_code == 429
    assert log_in(known, merchant_user.email, factories.PASSWORD, address=OWNER).status_code == 302


def test_a_cookie_of_another_account_or_a_made_up_one_opens_nothing(merchant_user: User) -> None:
    attacker = Client()
    factories.user("attacker@alliance.example")
    log_in(attacker, "attacker@alliance.example", factories.PASSWORD, address=ATTACKER)
    own = attacker.cookies[COOKIE].value
    guess_in_vain(merchant_user.email)
    for value in (own, "made:up", ""):
        client = Client()
        client.cookies[COOKIE] = value
        assert log_in(client, merchant_user.email, factories.PASSWORD, address=ATTACKER).status_code == 429


def test_a_new_password_by_mail_makes_the_browser_known(merchant_user: User) -> None:
    owner = Client()
    owner.post(reverse("account_reset_password"), {"email": merchant_user.email})
    link = next(word for word in str(mail.outbox[-1].body).split() if "/password/reset/key/" in word)
    form = owner.get("/" + link.split("/", 3)[3])["Location"]
    new = "another-long-passphrase"
    assert owner.post(form, {"password1": new, "password2": new}).status_code == 302
    for number in range(ACCOUNT.free):
        log_in(Client(), merchant_user.email, "wrong", address=f"192.0.2.{number}")
    assert log_in(owner, merchant_user.email, new).status_code == 302


@pytest.mark.parametrize("door", ["account_change_password", "account_reauthenticate"])
def test_passwords_are_not_guessed_by_a_session_left_open(door: str, merchant_client: Client) -> None:
    new = "another-long-passphrase"
    for number in range(ADDRESS.free + 1):
        wrong = f"wrong-{number}"
        data = {"oldpassword": wrong, "password": wrong, "password1": new, "password2": new}
        response = merchant_client.post(reverse(door), data)
    assert response.status_code == 429


def test_first_superuser_needs_no_mail_to_log_in(client: Client) -> None:
    user = User.objects.create_superuser("root@alliance.example", factories.PASSWORD)
    response = log_in(client, user.email, factories.PASSWORD)
    assert (response.status_code, mail.outbox) == (302, [])
    assert EmailAddress.objects.get(user=user).verified


@pytest.mark.parametrize(
    ("told", "settings_of_server", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, {}, 302),
        ({"REMOTE_ADDR": "::1"}, {}, 302),
        ({"REMOTE_ADDR": ""}, {}, 302),
        ({"REMOTE_ADDR": OWNER}, {}, 403),
        ({"REMOTE_ADDR": OWNER}, {"PUBLIC_DEMO": True}, 302),
        # A proxy on the demo's machine, named or not.
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": OWNER}, {}, 403),
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": OWNER}, {"TRUSTED_PROXIES": 1}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"TRUSTED_PROXIES": 1}, 302),
    ],
)
def test_public_password_of_the_demo_works_on_its_own_machine_only(
    told: dict[str, str], settings_of_server: dict[str, Any], status: int, settings: Any
) -> None:
    for name, value in settings_of_server.items():
        setattr(settings, name, value)
    demo = DEMO_LOGINS[0]
    user = factories.user(demo.email)
    user.set_password(demo.password)
    user.save()
    data = {"login": demo.email.upper(), "password": demo.password}
    assert Client().post(reverse("account_login"), data, **told).status_code == status


def test_nobody_signs_up_on_a_public_demo(client: Client, settings: Any) -> None:
    settings.PUBLIC_DEMO = True
    data = {"kind": "merchant", "email": "new@alliance.example"}
    data |= {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    assert "This is a public demo" in html_of(client.post(reverse("account_signup"), data))
    assert not User.objects.exists()


def test_sign_up_still_needs_the_mail(client: Client) -> None:
    data = {"kind": "merchant", "email": "new@alliance.example"}
    data |= {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    client.post(reverse("account_signup"), data)
    response = log_in(Client(), "new@alliance.example", factories.PASSWORD)
    assert response["Location"] == reverse("account_email_verification_sent")


def test_server_that_hashes_enough_says_so(
    client: Client, merchant_user: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PASSWORD_HASHERS = ["alliance.web.hashers.BoundedArgon2PasswordHasher"]
    merchant_user.set_password(factories.PASSWORD)
    merchant_user.save()

    class Full:
        def place(self, _tenant: str) -> Any:
            raise Unavailable(code="overloaded")

    monkeypatch.setattr(hashers, "_gate", Full)
    response = log_in(client, merchant_user.email, factories.PASSWORD)
    assert response.status_code == 503
    assert response["Retry-After"]


@pytest.mark.parametrize(("door", "times"), [("account_reset_password", 5), ("account_signup", 20)])
def test_mail_that_anybody_may_have_sent_is_limited(door: str, times: int, client: Client) -> None:
    data = {"email": "victim@alliance.example", "kind": "merchant"}
    answers = [client.post(reverse(door), data).status_code for _try in range(times + 1)]
    assert answers[-1] == 429
    assert 429 not in answers[:-1]
