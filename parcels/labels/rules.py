"""What a label says, and in which sizes and formats it comes. Pure.

A label shows no more of a recipient than its reader may see, and no digit of a phone in a text where it does
not belong: people write their phone into names and references.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parcels.choices import LabelFormat, LabelSize
from parcels.masking import HIDDEN, mask_address, mask_name, mask_phone

DEFAULT_SIZE: Final = LabelSize.NARROW
# Dots an inch of a printer, and dots a millimetre.
DOTS: Final = {203: 8.0, 300: 300 / 25.4}
DEFAULT_DPI: Final = 203
MOST_LABELS: Final = 1_000
# Width and height in millimetres.
MILLIMETRES: Final = {LabelSize.NARROW: (76.0, 130.0), LabelSize.WIDE: (100.0, 150.0)}
CONTENT_TYPES: Final = {LabelFormat.PDF: "application/pdf", LabelFormat.ZPL: "application/zpl"}
# As many digits of a phone in a row tell whose it is.
_TELLING: Final = 6
_HOME: Final = "CN-"


@dataclass(frozen=True, slots=True)
class LabelStyle:
    """How labels are made: on which paper, for which printer."""

    format: LabelFormat = LabelFormat.PDF
    size: LabelSize = DEFAULT_SIZE
    dpi: int = DEFAULT_DPI

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.format]


@dataclass(frozen=True, slots=True)
class Place:
    """A city on a label: the code that parcels are sorted by, and its names, the reader's first."""

    code: str
    name: str
    other_name: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """All that one label says, in the reader's language."""

    number: str
    # What the QR code opens.
    address: str
    courier: str
    tier: str
    hour: str
    zone: str
    origin: Place
    destination: Place
    recipient: str
    phone: str
    recipient_address: str
    sender: str
    reference: str
    # Which of how many parcels of one order.
    n: int = 1
    m: int = 1
    is_reprint: bool = False
    # It brings another parcel back; the sender is whom it is collected from, and the number of that parcel.
    is_return: bool = False
    # With a declared value; the amount is nobody's business who only sees the parcel.
    has_declared_value: bool = False
    # Of test mode: nobody may carry it.
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a label shows of a recipient and of a merchant's reference."""

    recipient: str
    phone: str
    address: str
    reference: str


def shown(*, name: str, phone: str, address: str, reference: str, is_masked: bool) -> Shown:
    """Return the texts of a recipient for a label, without what has no shape.

    Masked, neither name nor address has a digit, and the reference none of the phone's.
    """
    name, phone, address, reference = map(clean, (name, phone, address, reference))
    if not is_masked:
        return Shown(name, phone, address, reference)
    return Shown(
        recipient=without_digits(mask_name(name)),
        phone=mask_phone(phone),
        address=without_digits(mask_address(address)),
        reference=without_phone(reference, phone),
    )


def sort_code(city_code: str) -> str:
    """The code in large letters: HGH for Hangzhou (CN-HGH), the whole code for a city abroad."""
    return city_code.removeprefix(_HOME)


def grouped(number: str) -> str:
    """A tracking number in groups of four, as it is read aloud."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def clean(text: str) -> str:
    """A text without what has no shape: controls become spaces, marks of direction and joiners go."""
    kept = (" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join("".join(character for character in kept if not _is_shapeless(character)).split())


def without_digits(text: str) -> str:
    """Hide every digit, in whatever script: none belongs into a name."""
    return "".join(HIDDEN if _is_digit(character) else character for character in text)


def without_phone(text: str, phone: str) -> str:
    """Hide the digits of a phone in a text that may have them, such as a reference.

    So are those of any other mobile phone: people write two.
    """
    text = _MOBILE.sub(lambda found: HIDDEN * len(found[0]), text)
    digits = [(place, value) for place, character in enumerate(text) if (value := _spelled(character))]
    written = "".join(digit for _place, digit in digits)
    known = "".join(map(_spelled, phone))
    hidden: set[int] = set()
    for start in range(len(written) - _TELLING + 1):
        if written[start : start + _TELLING] in known:
            hidden.update(place for place, _digit_ in digits[start : start + _TELLING])
    return "".join(HIDDEN if place in hidden else character for place, character in enumerate(text))


def file_name(numbers: Sequence[str], form: LabelFormat = LabelFormat.PDF) -> str:
    """The name of a file of labels: of one its number, of several how many; nothing of a recipient."""
    suffix = form.value
    return f"label-{numbers[0]}.{suffix}" if len(numbers) == 1 else f"labels-{len(numbers)}.{suffix}"


def _is_digit(character: str) -> bool:
    # Also full-width, circled and Arabic ones.
    return unicodedata.category(character) in ("Nd", "No")


def _spelled(character: str) -> str:
    """The digit that a character stands for, also one spelled in Chinese; "" for none."""
    if (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    return str(_VALUES[character]) if character in _VALUES else ""


_MOBILE: Final = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_SPELLED: Final = ("〇零", "一壹幺", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
_VALUES: Final = {letter: value for value, letters in enumerate(_SPELLED) for letter in letters}
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def _is_shapeless(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or bool(_SELECTORS.match(character))
