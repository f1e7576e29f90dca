"""Tracking numbers as recipients paste them. Pure."""

import re
import unicodedata
from contextlib import suppress
from typing import Final

from django.utils.translation import gettext as _

from alliance.errors import NotFound
from alliance.identifiers import LENGTH, PREFIX, InvalidTrackingNumber, parse_tracking_number

BAD: Final = "bad_tracking_number"
# A number within other text; its groups may be set apart by spaces, dashes and dots.
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Z])C[ -]?A(?:[\s._\u2010-\u2015-]*[0-9A-Z]){14}(?![0-9A-Z])", re.IGNORECASE
)
# Typed without its first two letters, which are the same for all; an order number has no reason to fit, so
# the check character decides.
_WITHOUT_PREFIX: Final = re.compile(r"(?=.*[A-Z])(?=.*[0-9])[0-9A-Z]{14}", re.IGNORECASE)
# What may stand around a number that was copied with its sentence.
_AROUND: Final = " \t\r\n.,;:!?\"'()[]<>“”‘’「」《》【】。、"


def read_number(text: str) -> int:
    """Parse a tracking number as people paste it. Raises NotFound with BAD and an explanation."""
    # As it is printed: nothing to clean.
    number = text if len(text) == LENGTH and text.isascii() and text.isalnum() else number_in(text)
    try:
        return parse_tracking_number(number)
    except InvalidTrackingNumber as error:
        if _WITHOUT_PREFIX.fullmatch(number):
            with suppress(InvalidTrackingNumber):
                return parse_tracking_number(PREFIX + number)
        detail = str(error)
        if error.reason == "check":
            detail = _("One character of this number is mistyped. Compare it with the label.")
        elif not number.upper().startswith(PREFIX):
            detail = _(
                "This is no tracking number; it may be an order number. A tracking number starts with CA: "
                "look for it on the label or in the message from the shop."
            )
        raise NotFound(detail, code=BAD) from None


def number_in(text: str) -> str:
    """Return the tracking number in a pasted text: in quotes, in a sentence or in the page's address."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character) != "Cf"
    )
    if match := _NUMBER.search(plain):
        return re.sub("[^0-9A-Za-z]", "", match.group())
    bare = plain.strip(_AROUND)
    half = bare[: len(bare) // 2]
    if half + half == bare and _NUMBER.fullmatch(half):
        # Pasted twice.
        return half
    return bare
