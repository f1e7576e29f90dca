"""Translations that are remembered.

Django looks a message up in the catalogue of each app, one after the other, and in those of English in vain:
15 us of a light call that says five sentences, and more than any other part of a page.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from django.utils import translation
from django.utils.translation import trans_real

# Messages of ours are some thousands in each language; what a program or a person names is looked up, too.
_MOST: Final = 20_000
Gettext = Callable[[Any], str]


def remembering(look_up: Gettext) -> Gettext:
    """Return a `gettext` that looks each message up once in each language."""

    # By type: a safe text and another one are equal, and only the first stays safe.
    @lru_cache(maxsize=_MOST, typed=True)
    def in_language(_language: str | None, message: Any) -> str:
        return look_up(message)

    def gettext(message: Any) -> str:
        return in_language(translation.get_language(), message)

    return gettext


def remember_texts() -> None:
    """Have Django's functions remember what they find."""
    gettext = remembering(trans_real.gettext)
    # Both: that of the module is called by the others there.
    for place in (trans_real, translation._trans):  # type: ignore[attr-defined]  # noqa: SLF001
        # A plain assignment is refused by the type checker: functions of modules do not change.
        setattr(place, "gettext", gettext)  # noqa: B010
