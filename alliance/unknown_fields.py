"""Unknown fields and parameters: refused by name, because a misspelt one would silently be ignored."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

from django.utils.translation import gettext as _

from alliance.errors import FieldError

CODE: Final = "unknown_field"
# Limits on the names in an error: a body may have thousands, or very long ones.
_MOST_NAMES: Final = 20
_MOST_LETTERS: Final = 64


def unknown_fields(names: Iterable[str], known: Collection[str], *, pointer: str = "") -> list[FieldError]:
    """Return an error for each name that is not known, up to a limit; `pointer` is that of the object."""
    unknown = (str(name) for name in names if name not in known)
    return [
        FieldError(f"{pointer}/{pointer_step(name)}", unknown_field(name, known), CODE)
        for name in islice(unknown, _MOST_NAMES)
    ]


def unknown_field(name: str, known: Collection[str]) -> str:
    """The sentence for one name, with the known name that was probably meant."""
    if meant := _meant(name, known):
        return _("Unknown field. Did you mean “%(name)s”?") % {"name": meant}
    return _("Unknown field.")


def unknown_parameters(names: Iterable[str], known: Collection[str]) -> list[FieldError]:
    """The same for the query parameters of a call."""
    unknown = [str(name) for name in names if name not in known]
    return [
        FieldError(f"/{pointer_step(name)}", _unknown_parameter(name, known), "unknown")
        for name in unknown[:_MOST_NAMES]
    ]


def _unknown_parameter(name: str, known: Collection[str]) -> str:
    if meant := _meant(name, known):
        return _("Unknown parameter. Did you mean “%(name)s”?") % {"name": meant}
    return _("Unknown parameter.")


def _meant(name: str, known: Collection[str]) -> str:
    """The known name that was probably meant, "" if there is none like it."""
    return next(iter(get_close_matches(name[:_MOST_LETTERS].lower(), known, n=1)), "")


def pointer_step(name: str) -> str:
    """A name as a step of a JSON pointer (RFC 6901)."""
    return name[:_MOST_LETTERS].replace("~", "~0").replace("/", "~1")
