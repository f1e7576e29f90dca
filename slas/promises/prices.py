"""Prices of parcels, and money as text. Amounts are whole fen, a hundredth of a yuan."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from django.utils.translation import gettext as _

# Of all amounts.
CURRENCY: Final = "CNY"

# Ten million yuan: more than any amount here, and within a 32-bit column.
MAX_FEN = 1_000_000_000
_AMOUNT = re.compile(r"(?P<yuan>[0-9]{1,12})(?:\.(?P<fen>[0-9]{1,2}))?")
_TOO_LARGE = re.compile(r"[0-9]{13,}(\.[0-9]*)?")
_TOO_FINE = re.compile(r"[0-9]+\.[0-9]{3,}")


class WeightBand(NamedTuple):
    """The surcharge of parcels up to a weight, itself included, on top of the offer's price."""

    up_to_g: int
    surcharge_fen: int


# Default; each tier version has its own.
DEFAULT_WEIGHT_BANDS: tuple[WeightBand, ...] = (
    WeightBand(1_000, 0),
    WeightBand(3_000, 300),
    WeightBand(5_000, 600),
    WeightBand(10_000, 1_500),
    WeightBand(20_000, 3_500),
    WeightBand(30_000, 6_000),
)


class TooHeavy(Exception):
    """The parcel weighs more than the tier carries."""

    def __init__(self, weight_g: int, limit_g: int) -> None:
        super().__init__(f"{weight_g} g is over the limit of {limit_g} g")
        self.weight_g = weight_g
        self.limit_g = limit_g


class InvalidAmount(ValueError):
    """A text that is not an amount of money; carries a message for the person who wrote it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def fee_fen(base_fen: int, bands: Sequence[WeightBand], weight_g: int) -> int:
    """The price of a parcel: the base plus the surcharge of the first band that fits it.

    Bands ascend, see check_bands(); without bands the price is flat. Raises TooHeavy above the last band, and
    ValueError for a weight below 1 g.
    """
    if weight_g <= 0:
        raise ValueError("A parcel weighs something")
    for band in bands:
        if weight_g <= band.up_to_g:
            return base_fen + band.surcharge_fen
    if bands:
        raise TooHeavy(weight_g, bands[-1].up_to_g)
    return base_fen


def check_bands(bands: Sequence[WeightBand]) -> None:
    """Raise ValueError unless weights ascend and a heavier parcel is never cheaper."""
    previous_band = WeightBand(0, 0)
    for band in bands:
        if band.up_to_g <= previous_band.up_to_g:
            message = _("The band up to %(grams)d g must be above %(previous)d g.")
            raise ValueError(message % {"grams": band.up_to_g, "previous": previous_band.up_to_g})
        if band.surcharge_fen < previous_band.surcharge_fen:
            message = _("The band up to %(grams)d g must not cost less than a lighter one.")
            raise ValueError(message % {"grams": band.up_to_g})
        previous_band = band


def yuan(fen: int) -> str:
    """An amount as sent and shown: 1250 is "12.50"."""
    sign = "-" if fen < 0 else ""
    whole, hundredths = divmod(abs(fen), 100)
    return f"{sign}{whole}.{hundredths:02d}"


def fen_from_yuan(text: str) -> int:
    """Parse an amount written by a person or in a file: "12.5" is 1250. Raises InvalidAmount.

    ASCII digits and a point only: a comma may separate thousands or decimals, so it is refused.
    """
    stripped = text.strip()
    match = _AMOUNT.fullmatch(stripped)
    if match is None:
        raise _refusal(stripped)
    fen = int(match["yuan"]) * 100 + int((match["fen"] or "0").ljust(2, "0"))
    if fen > MAX_FEN:
        raise InvalidAmount("too_large", _("The amount is too large."))
    return fen


def signed_fen_from_yuan(text: str) -> int:
    """Parse an amount that may be negative: "-12.5" is -1250. Raises InvalidAmount."""
    # As word processors write it.
    stripped = text.strip().replace("\N{MINUS SIGN}", "-")
    if stripped.startswith("--"):
        raise InvalidAmount("invalid", _("Enter the amount in digits, such as 12.50."))
    return -fen_from_yuan(stripped[1:]) if stripped.startswith("-") else fen_from_yuan(stripped)


def _refusal(text: str) -> InvalidAmount:
    if not text:
        return InvalidAmount("blank", _("Enter an amount, such as 12.50."))
    if _TOO_FINE.fullmatch(text):
        return InvalidAmount("too_precise", _("An amount has at most two decimal places."))
    if text.startswith("-"):
        return InvalidAmount("negative", _("An amount cannot be negative."))
    if _TOO_LARGE.fullmatch(text):
        return InvalidAmount("too_large", _("The amount is too large."))
    return InvalidAmount("invalid", _("Enter the amount in digits, such as 12.50."))
