"""Passwords that are among the first an attacker tries, by an estimate that needs no service."""

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Beyond what is tried at our log-in in years, and in a minute against a stolen hash.
LEAST_GUESSES: Final = 10**8
# The estimate takes longer the longer a text is; what follows adds little.
_READ: Final = 40


class GuessablePasswordValidator:
    """Refuses common and breached passwords, also with digits added, and keyboard rows, dates and repeats."""

    def validate(self, password: str, user: Any = None) -> None:
        # Here, because it takes a moment to import, and few requests need it.
        from zxcvbn import zxcvbn  # noqa: PLC0415

        known = [str(getattr(user, name, "")) for name in ("email", "name")]
        words = [word for text in known for word in text.replace("@", " ").replace(".", " ").split()]
        estimate = zxcvbn(password[:_READ], user_inputs=["courier", "alliance", *words])
        if estimate["guesses"] < LEAST_GUESSES:
            raise ValidationError(self.get_help_text(), code="password_guessable")

    def get_help_text(self) -> str:
        return _("This password is easy to guess. Use a few words that do not belong together.")
