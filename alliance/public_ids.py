"""Ids as programs see them: a kind of three letters and 13 letters and digits, such as cou_0h8r2m5x7kq1d.

They are made of the row's id alone, so that no look-up and no column is needed: its 64 bits are mixed (by the
finaliser of SplitMix64, which can be undone) and written in Crockford's base 32. They say nothing of how many
rows there are, but are no secret: who may read a row is decided by the actor and the policies.

The constants must never change: programs keep the ids.
"""

import hashlib
from enum import StrEnum
from functools import lru_cache
from typing import Final


class IdKind(StrEnum):
    """What has an id outside. Parcels have tracking numbers, manifests numbers, cities codes."""

    COURIER = "cou"
    MERCHANT = "mer"
    OFFER = "off"
    PICKUP_ADDRESS = "adr"
    RECIPIENT = "rcp"
    PICKUP = "pck"
    BOOKING_FILE = "bkf"
    ALLOCATION_RULE = "rul"
    EXCUSE = "exc"
    CREDIT_ENTRY = "cre"
    EXPORT = "exp"
    SURCHARGE = "sur"
    WEBHOOK_REPLAY = "rpl"


class InvalidPublicId(ValueError):
    """A text that is no id of the kind."""


LENGTH: Final = 13
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
PATTERN: Final = f"[0-9a-hjkmnp-tv-z]{{{LENGTH}}}"
_MASK: Final = (1 << 64) - 1
_MAX: Final = (1 << 63) - 1
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_UNDO_FIRST, _UNDO_SECOND = pow(_FIRST, -1, 1 << 64), pow(_SECOND, -1, 1 << 64)
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
# Each kind by its own, so that equal row ids of two kinds do not look alike.
_KEYS: Final = {
    kind: int.from_bytes(hashlib.sha256(kind.value.encode()).digest()[:8], "big") for kind in IdKind
}


@lru_cache(maxsize=16_384)
def public_id(kind: IdKind, pk: int) -> str:
    """Return the id outside of a row."""
    if not 0 < pk <= _MAX:
        raise ValueError(f"{pk} is no id of a row")
    mixed = pk ^ _KEYS[kind]
    mixed = (mixed ^ mixed >> 30) * _FIRST & _MASK
    mixed = (mixed ^ mixed >> 27) * _SECOND & _MASK
    mixed ^= mixed >> 31
    digits = "".join(_DIGITS[mixed >> place & 31] for place in range(60, -1, -5))
    return f"{kind.value}_{digits}"


def row_id(kind: IdKind, text: str) -> int:
    """Return the row's id. Raises InvalidPublicId for what is no id of this kind; the row may be missing."""
    prefix, _between, digits = text.strip().partition("_")
    if prefix != kind.value or len(digits) != LENGTH or not all(digit in _VALUES for digit in digits):
        raise InvalidPublicId(text)
    mixed = 0
    for digit in digits:
        mixed = mixed << 5 | _VALUES[digit]
    if mixed > _MASK:
        raise InvalidPublicId(text)
    mixed ^= mixed >> 31 ^ mixed >> 62
    mixed = mixed * _UNDO_SECOND & _MASK
    mixed ^= mixed >> 27 ^ mixed >> 54
    mixed = mixed * _UNDO_FIRST & _MASK
    mixed ^= mixed >> 30 ^ mixed >> 60
    pk = mixed ^ _KEYS[kind]
    if not 0 < pk <= _MAX:
        raise InvalidPublicId(text)
    return pk


def row_id_or_none(kind: IdKind, text: object) -> int | None:
    """Return the row's id, or None for what is no id of this kind."""
    try:
        return row_id(kind, text) if isinstance(text, str) else None
    except InvalidPublicId:
        return None


def pattern(kind: IdKind) -> str:
    """Return the regular expression of a kind's ids, for the schema."""
    return f"^{kind.value}_{PATTERN}$"
