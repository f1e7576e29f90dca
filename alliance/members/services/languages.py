"""The language of a user's mails."""

from typing import Any

from django.utils import translation

from alliance.members.models import User


def note_language(*, user: User, **_signal: Any) -> None:
    """Keep the language of a log-in for mails that no page of the user triggers."""
    language = translation.get_language() or user.language
    if user.language != language:
        user.language = language
        user.save(update_fields=["language"])
