"""Seals of cursors: a cursor holds only for the list, order, filters and organisation it was made for.

A place in a list is a row's values: in another list, or in another order, the same text may be read as a
place, too, and the reader would miss rows without a word. A seal protects from mistakes; what rows may be
read is decided by the actor and the policies alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.utils.crypto import constant_time_compare, salted_hmac

from alliance.tenancy import Actor

_SALT: Final = "alliance.cursors"
_LENGTH: Final = 12
_BETWEEN: Final = "~"


@dataclass(frozen=True, slots=True)
class Seal:
    """What a cursor was made for, as text."""

    made_for: str

    @classmethod
    def of(cls, actor: Actor, listing: str, filters: Mapping[str, Iterable[str]], sort: str = "") -> "Seal":
        """Return the seal of a list; empty filters are none."""
        pairs = sorted((name, value) for name, values in filters.items() for value in values if value)
        tenant = "staff" if actor.organisation_id is None else str(actor.organisation_id)
        return cls("\n".join((listing, tenant, sort, urlencode(pairs))))

    def mark(self, text: str) -> str:
        """Return the mark that belongs to a text."""
        return salted_hmac(_SALT, f"{self.made_for}\n{text}", algorithm="sha256").hexdigest()[:_LENGTH]

    def fits(self, mark: str, text: str) -> bool:
        return constant_time_compare(mark, self.mark(text))

    def close(self, text: str) -> str:
        """Return the text with its mark, for a URL; "" for none."""
        return f"{text}{_BETWEEN}{self.mark(text)}" if text else ""

    def open(self, sealed: str) -> str | None:
        """Return the text that was sealed; None if it was made for something else, or by somebody else."""
        text, _between, mark = sealed.rpartition(_BETWEEN)
        return text if text and self.fits(mark, text) else None
