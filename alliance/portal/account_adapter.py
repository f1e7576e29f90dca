"""What django-allauth leaves to us: how often a password may be guessed, and the addresses of clients."""

from contextlib import AbstractContextManager
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.utils import user_email
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from alliance.demo_logins import is_public_password
from alliance.errors import NotPermitted
from alliance.web.devices import device_of, remember_device
from alliance.web.guesses import Guess, guess
from alliance.web.http import client_address, is_from_here

log = structlog.get_logger(__name__)


def guess_at(request: HttpRequest, account: str) -> AbstractContextManager[Guess]:
    """Count a password that a request sends for an account. Raises TooManyGuesses."""
    return guess(account=account, address=client_address(request), device=device_of(request, account))


def public_url(link: str) -> str:
    """Return a link of ours with the site's own address."""
    parts = urlsplit(link)
    return settings.PUBLIC_URL.rstrip("/") + urlunsplit(("", "", parts.path, parts.query, parts.fragment))


def refuse_public_password(request: HttpRequest, account: str, password: str) -> None:
    """Raise NotPermitted for a log-in of the demo from another machine, whichever server serves it."""
    if settings.PUBLIC_DEMO or not is_public_password(account, password) or is_from_here(request):
        return
    raise NotPermitted(
        str(_("The password of this demo log-in is public, so it works on the demo's own machine only.")),
        code="public_password",
    )


class AccountAdapter(DefaultAccountAdapter):
    """Counts wrong passwords of log-in and reauthentication; one rule for clients' addresses."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("The e-mail address or the password is wrong."),
        "incorrect_password": _("The password is wrong."),
    }

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave counting to `authenticate`."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        account = str(credentials.get("email", ""))
        refuse_public_password(request, account, str(credentials.get("password", "")))
        with guess_at(request, account) as this:
            user = super().authenticate(request, **credentials)
            this.was_wrong = user is None
        if user is None:
            log.warning("wrong_password")
        else:
            remember_device(request, account)
        return user

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse | None:
        # Made on the server's command line, as the first superuser is: no stranger has typed in the address.
        if not EmailAddress.objects.filter(user_id=user.pk).exists():
            email = user_email(user)
            EmailAddress.objects.create(user_id=user.pk, email=email, verified=True, primary=True)
        return super().pre_login(request, user, **options)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail with links to PUBLIC_URL: allauth makes them from the request's Host header."""
        links = {name: public_url(link) for name, link in context.items() if name.endswith("_url")}
        super().send_mail(template_prefix, email, {**context, **links, "site_address": settings.PUBLIC_URL})

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether people may sign up: not where everybody can log in as ops and read what they enter."""
        return not settings.PUBLIC_DEMO

    def is_safe_url(self, url: str | None) -> bool:
        """Whether to go on to an address that the client sent; False for what is no address at all."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            # Such as //[::1, which Python does not take apart.
            return False

    def get_client_ip(self, request: HttpRequest) -> str:
        # Behind a local socket there is none, and sessions need one.
        return client_address(request) or "0.0.0.0"  # noqa: S104
