"""Numbers of manifests, limits, and what may become of a parcel of one. Pure."""

import secrets
from datetime import timedelta
from typing import Final

from django.utils.translation import gettext as _
from stdnum.exceptions import ValidationError as NumberError
from stdnum.iso7064 import mod_37_2

# A manifest has so many parcels at most, as its paper is drawn while somebody waits; a request picks up so
# many at once, a worker the others.
MOST_PARCELS: Final = 5_000
PARCELS_A_SLICE: Final = 2_000
# How long before the day of pickup parcels are looked for. Nearly all are booked on it or the day before.
LOOKED_BACK: Final = timedelta(days=14)
REMARK_LENGTH: Final = 500

# No tracking number begins like this, and none is as short.
PREFIX: Final = "MF"
CODE_BITS: Final = 50
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BODY_LENGTH: Final = CODE_BITS // 5
# As of tracking numbers: characters that are mistaken for others, and one that a person cannot say.
_AMBIGUOUS_CHECKS: Final = frozenset("ILOU*")
_READ: Final = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})


class InvalidManifestNumber(ValueError):
    """A text that is no number of a manifest."""


def new_code() -> int:
    """Draw the code of a new manifest."""
    while True:
        code = secrets.randbits(CODE_BITS)
        if mod_37_2.calc_check_digit(_body(code)) not in _AMBIGUOUS_CHECKS:
            return code


def manifest_number(code: int) -> str:
    """Return the number of a code: MF, ten digits of base 32 and a check character (ISO 7064 MOD 37-2)."""
    body = _body(code)
    return f"{PREFIX}{body}{mod_37_2.calc_check_digit(body)}"


def parse_manifest_number(text: str) -> int:
    """Return the code of a number in any case, with spaces or dashes. Raises InvalidManifestNumber."""
    folded = text.strip().upper()
    prefix, rest = folded[:2], folded[2:].translate(_READ)
    body = rest[:-1]
    if prefix != PREFIX or len(rest) != _BODY_LENGTH + 1 or not set(body) <= set(_DIGITS):
        message = _("The number of a manifest is %(prefix)s and %(count)d letters and digits.")
        raise InvalidManifestNumber(message % {"prefix": PREFIX, "count": _BODY_LENGTH + 1})
    try:
        mod_37_2.validate(rest)
    except NumberError:
        raise InvalidManifestNumber(_("This number contains a typing mistake.")) from None
    code = 0
    for digit in body:
        code = code * 32 + _DIGITS.index(digit)
    return code


def _body(code: int) -> str:
    if not 0 <= code < 1 << CODE_BITS:
        raise ValueError(f"{code} has more than {CODE_BITS} bits")
    return "".join(_DIGITS[code >> 5 * place & 31] for place in reversed(range(_BODY_LENGTH)))
