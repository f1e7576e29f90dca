"""The forms of django-allauth without placeholders, which would repeat the labels."""

from collections.abc import Mapping
from typing import Any, ClassVar

from allauth.account import forms as account
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from alliance.portal.account_adapter import guess_at
from alliance.portal.memberships import invited_address
from alliance.portal.onboarding import KIND_KEY, DoorField, requested_kind
from alliance.web.devices import remember_device
from alliance.web.sessions import begin_session

# A summary of settings.AUTH_PASSWORD_VALIDATORS; each validator has its own error message.
PASSWORD_HELP = _("At least 12 characters, not only digits, and not a common password.")


# Where an account has a password already: the package writes every word with a capital letter.
NEW_PASSWORD_LABELS = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password (again)"),
}


class TidyForm(forms.Form):
    """A form without placeholders that repeat labels, and with short help for new passwords."""

    labels: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        if "password1" in self.fields:
            self.fields["password1"].help_text = PASSWORD_HELP
        for name in {"login", "email"} & set(self.fields):
            self.fields[name].label = _("E-mail")
        for name in set(self.labels) & set(self.fields):
            self.fields[name].label = self.labels[name]


class LoginForm(TidyForm, account.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The page has this link below the card.
        self.fields["password"].help_text = ""
        if "remember" in self.fields:
            self.fields["remember"].label = _("Stay logged in")

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        response: HttpResponse = super().login(request, redirect_url)
        if request.user.is_authenticated:
            # allauth has just given the session a lifetime of its own.
            begin_session(request, request.user)
        return response


class SignupForm(TidyForm, account.SignupForm):
    """Sign-up with the kind of organisation, stored in the session until the address is confirmed."""

    kind = DoorField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["kind", "email", "password1", "password2"])
        self.fields["kind"].initial = requested_kind(context.request)
        if address := invited_address(context.request):
            # The invited person joins an organisation, and may found one later.
            del self.fields["kind"]
            self.fields["email"].initial = address

    def try_save(self, request: HttpRequest) -> tuple[AbstractBaseUser | None, HttpResponse | None]:
        if self.account_already_exists:
            # As a new account's password would be: otherwise a quick answer tells that there is an account.
            make_password(self.cleaned_data["password1"])
        saved: tuple[AbstractBaseUser | None, HttpResponse | None] = super().try_save(request)
        return saved

    def save(self, request: HttpRequest) -> AbstractBaseUser:
        if "kind" in self.cleaned_data:
            request.session[KIND_KEY] = self.cleaned_data["kind"]
        user: AbstractBaseUser = super().save(request)
        return user


class AddEmailForm(TidyForm, account.AddEmailForm):
    def save(self, request: HttpRequest) -> EmailAddress:
        """Add the address, and tell the main one: any confirmed address can log in and set a new password."""
        address: EmailAddress = super().save(request)
        text = {"added_email": address.email}
        get_adapter().send_notification_mail("account/email/email_added", self.user, text)
        return address


class ChangePasswordForm(TidyForm, account.ChangePasswordForm):
    labels = NEW_PASSWORD_LABELS

    def clean_oldpassword(self) -> str:
        """Count a wrong password like one of the log-in: a session left open must not allow guessing."""
        with guess_at(context.request, self.user.email) as this:
            this.was_wrong = True
            password: str = super().clean_oldpassword()
            this.was_wrong = False
        return password


class SetPasswordForm(TidyForm, account.SetPasswordForm):
    pass


class ResetPasswordForm(TidyForm, account.ResetPasswordForm):
    def save(self, request: HttpRequest, **options: Any) -> str:
        """Send the mail; for an address without an account, after the same work."""
        if not self.users:
            account.EmailAwarePasswordResetTokenGenerator().make_token(get_user_model()(pk=0))
        address: str = super().save(request, **options)
        return address


class ResetPasswordKeyForm(TidyForm, account.ResetPasswordKeyForm):
    labels = NEW_PASSWORD_LABELS

    def save(self) -> None:
        super().save()
        # Who reads the account's mail must get in, however many others are guessing.
        remember_device(context.request, self.user.email)


class ReauthenticateForm(TidyForm, account.ReauthenticateForm):
    pass
