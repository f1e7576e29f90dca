"""What is noted of a log-in: when it was, and the language of the user's mails."""

from functools import partial
from typing import Any

from django.contrib.auth.models import update_last_login
from django.utils import translation

from alliance.figures import unless_away
from alliance.members.models import User

# On a cluster that an earlier release distributed, users have a copy on every node until `distribute` is
# called again, so nothing of them can be written while a worker is away: people log in all the same.


def note_language(*, user: User, **_signal: Any) -> None:
    """Keep the language of a log-in for mails that no page of the user triggers."""
    language = translation.get_language() or user.language
    if user.language != language:
        user.language = language
        unless_away(partial(user.save, update_fields=["language"]), otherwise=None)


def note_moment(*, sender: Any, user: User, **_signal: Any) -> None:
    """Keep when a user logged in last."""
    unless_away(partial(update_last_login, sender, user), otherwise=None)
