"""Commands of the server that make superusers and set passwords: in the audit, as the admin's changes are."""

import io
from typing import Any

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from alliance.models import AuditEntry, User
from alliance.tenancy import Scope, scope
from tests import factories

pytestmark = pytest.mark.django_db
STRONG = "another-long-passphrase"


def entries() -> list[AuditEntry]:
    with scope(Scope.everything()):
        return list(AuditEntry.objects.filter(object_type="user"))


def create(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    call_command("createsuperuser", "--noinput", "--email", "Root@alliance.example", stdout=io.StringIO())


def test_new_superuser_is_in_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    create(STRONG, monkeypatch)
    user = User.objects.get(email="root@alliance.example")
    assert user.is_superuser
    [entry] = entries()
    assert (entry.verb, entry.object_id, entry.user_id) == ("user.added", str(user.pk), None)
    assert entry.actor_label.startswith("command line")
    assert entry.detail == {"email": user.email, "is_superuser": True}


def test_an_address_is_one_account_in_whatever_case(monkeypatch: pytest.MonkeyPatch) -> None:
    create(STRONG, monkeypatch)
    with pytest.raises(CommandError, match="already taken"):
        create(STRONG, monkeypatch)
    assert User.objects.get_by_natural_key("ROOT@alliance.example").is_superuser
    with pytest.raises(IntegrityError, match="user_email_in_lower_case"):
        User.objects.update(email="Root@alliance.example")


@pytest.mark.parametrize("password", ["short", "123456789012", "password1234", "root@alliance.example"])
def test_weak_password_of_the_environment_is_refused(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError):
        create(password, monkeypatch)
    assert not User.objects.exists()
    assert entries() == []


def test_password_set_on_the_server_is_in_the_audit(
    merchant_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changepassword.getpass, "getpass", lambda **_options: STRONG)
    client = factories.logged_in(merchant_user)
    call_command("changepassword", merchant_user.email, stdout=io.StringIO())
    merchant_user.refresh_from_db()
    assert merchant_user.check_password(STRONG)
    assert client.get("/members/").status_code == 302
    [entry] = entries()
    assert (entry.verb, entry.object_id) == ("user.password_set", str(merchant_user.pk))


@pytest.mark.parametrize("arguments", [[], ["nobody@alliance.example"]])
def test_password_of_nobody_is_not_set(arguments: list[Any]) -> None:
    with pytest.raises(CommandError):
        call_command("changepassword", *arguments, stdout=io.StringIO())
    assert entries() == []
