"""Changing the addresses of an account: with the password, and told to the old address."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.test import Client
from django.urls import reverse

from alliance.models import User
from tests import factories

pytestmark = pytest.mark.django_db
NEW = "new@alliance.example"
PAGE, DOOR = "account_email", "account_reauthenticate"


def prove(client: Client, answer: Any) -> Any:
    """Type in the password on the page that an answer leads to."""
    assert answer["Location"].startswith(reverse(DOOR))
    return client.post(answer["Location"], {"password": factories.PASSWORD})


@pytest.fixture
def second(merchant_user: User) -> EmailAddress:
    return EmailAddress.objects.create(user=merchant_user, email=NEW, verified=True)


@pytest.mark.parametrize("action", ["action_primary", "action_remove"])
def test_addresses_do_not_change_without_the_password(
    action: str, merchant_client: Client, second: EmailAddress
) -> None:
    answer = merchant_client.post(reverse(PAGE), {"email": NEW, action: ""})
    assert answer["Location"].startswith(reverse(DOOR))
    second.refresh_from_db()
    assert not second.primary


def test_address_is_added_after_the_password_without_typing_it_again(
    merchant_client: Client, merchant_user: User, mailoutbox: Any
) -> None:
    answer = merchant_client.post(reverse(PAGE), {"email": NEW, "action_add": ""})
    assert not EmailAddress.objects.filter(email=NEW).exists()
    prove(merchant_client, answer)
    assert EmailAddress.objects.filter(email=NEW, verified=False).exists()
    told = {message.to[0]: message.subject for message in mailoutbox}
    assert told == {
        NEW: "Confirm your e-mail address",
        merchant_user.email: "An e-mail address was added to your account",
    }


def test_the_old_address_is_told_of_the_new_one(
    merchant_client: Client, merchant_user: User, second: EmailAddress, mailoutbox: Any
) -> None:
    answer = merchant_client.post(reverse(PAGE), {"email": NEW, "action_primary": ""})
    prove(merchant_client, answer)
    second.refresh_from_db()
    assert second.primary
    [message] = mailoutbox
    assert message.to == [merchant_user.email]
    assert f"is now {NEW}" in message.body
    # Proved a moment ago: not asked again.
    merchant_client.post(reverse(PAGE), {"email": merchant_user.email, "action_remove": ""})
    assert not EmailAddress.objects.filter(email=merchant_user.email).exists()


def test_wrong_password_changes_nothing(merchant_client: Client, second: EmailAddress) -> None:
    answer = merchant_client.post(reverse(PAGE), {"email": NEW, "action_primary": ""})
    assert merchant_client.post(answer["Location"], {"password": "wrong"}).status_code == 200
    second.refresh_from_db()
    assert not second.primary


def test_an_account_has_a_few_addresses_only(merchant_client: Client, merchant_user: User) -> None:
    """Each added address gets a mail: anybody's would, and as many as one likes."""
    prove(merchant_client, merchant_client.post(reverse(PAGE), {"email": NEW, "action_add": ""}))
    for number in range(settings.ACCOUNT_MAX_EMAIL_ADDRESSES):
        merchant_client.post(reverse(PAGE), {"email": f"n{number}@alliance.example", "action_add": ""})
    addresses = EmailAddress.objects.filter(user=merchant_user)
    assert addresses.count() == settings.ACCOUNT_MAX_EMAIL_ADDRESSES
