"""What django-allauth leaves to us: how often a password may be guessed, and the addresses of clients."""

from contextlib import AbstractContextManager
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.utils import user_email
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse

from alliance.web.devices import device_of, remember_device
from alliance.web.guesses import Guess, guess
from alliance.web.http import client_address


def guess_at(request: HttpRequest, account: str) -> AbstractContextManager[Guess]:
    """Count a password that a request sends for an account. Raises TooManyGuesses."""
    return guess(account=account, address=client_address(request), device=device_of(request, account))


class AccountAdapter(DefaultAccountAdapter):
    """Counts wrong passwords of log-in and reauthentication; one rule for clients' addresses."""

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave counting to `authenticate`."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        account = str(credentials.get("email", ""))
        with guess_at(request, account) as this:
            user = super().authenticate(request, **credentials)
            this.was_wrong = user is None
        if user is not None:
            remember_device(request, account)
        return user

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse | None:
        # Made on the server's command line, as the first superuser is: no stranger has typed in the address.
        if not EmailAddress.objects.filter(user_id=user.pk).exists():
            email = user_email(user)
            EmailAddress.objects.create(user_id=user.pk, email=email, verified=True, primary=True)
        return super().pre_login(request, user, **options)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)
