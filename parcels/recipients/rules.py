"""What a recipient in an address book consists of, and how one is found and shown. Pure."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from alliance.errors import FieldError
from alliance.phones import LENGTH as PHONE_LENGTH
from alliance.phones import national, national_numbers, phone_problems, read_phone
from alliance.texts import one_line
from parcels.bookings.rules import ADDRESS_LENGTH, NAME_LENGTH, name_problems, text_problems

if TYPE_CHECKING:
    from alliance.models import City

# A search reads all of a merchant's, and a page of suggestions is asked for while somebody types.
MOST_SAVED: Final = 50_000
REMARK_LENGTH: Final = 200
_DIGITS_LENGTH: Final = 60
# Fewer digits are in every other phone, and a name may have them.
_LEAST_DIGITS: Final = 4
_PHONE_LIKE: Final = re.compile(r"\(?\+?[0-9() .\-\u2010-\u2015]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A recipient as it is saved."""

    name: str
    phone: str
    city: "City"
    address: str
    remark: str = ""

    @classmethod
    def written(cls, *, name: str, phone: str, city: "City", address: str, remark: str = "") -> "Entry":
        """A recipient as somebody typed it, at whichever door."""
        return cls(one_line(name), read_phone(phone), city, one_line(address), one_line(remark))

    @property
    def digits(self) -> str:
        return digits_of(self.phone)

    @property
    def digest(self) -> str:
        """The same for recipients that are the same, however their phone is written."""
        text = "\n".join((self.name, self.digits or self.phone, str(self.city.pk), self.address))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def problems_of(entry: Entry) -> Iterator[FieldError]:
    """Yield what is wrong with a recipient, each with the pointer of its field."""
    yield from name_problems("/name", entry.name, NAME_LENGTH)
    yield from text_problems("/phone", entry.phone, PHONE_LENGTH)
    yield from phone_problems("/phone", entry.phone)
    yield from name_problems("/address", entry.address, ADDRESS_LENGTH)
    yield from text_problems("/remark", entry.remark, REMARK_LENGTH, required=False)


@lru_cache(maxsize=1024)
def digits_of(phone: str) -> str:
    """The digits of each number in a phone, without extensions and China's country code."""
    return " ".join(national_numbers(phone))[:_DIGITS_LENGTH]


def digits_sought(text: str) -> str:
    """The digits that a search looks for in phones; "" for a text that is part of a name."""
    phone = read_phone(text)
    digits = re.sub("[^0-9]", "", phone)
    if len(digits) < _LEAST_DIGITS:
        return ""
    if not _PHONE_LIKE.fullmatch(phone):
        # One with an extension, or two of them, as it may be copied from an order.
        return next(iter(national_numbers(phone)), "")
    return national(digits)


def full_text() -> str:
    """Why no more recipients are saved."""
    return _(
        "Your address book has %(most)s recipients, which is the most. Remove some that you no longer need."
    ) % {"most": f"{MOST_SAVED:,}"}
