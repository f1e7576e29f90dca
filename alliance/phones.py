"""Phone numbers as people write them: checked, and which digits prove that a person knows one. Pure.

A cell may hold two numbers, and a number an extension: 0571-85011104 ext. 12, 13800011101转8001 (the number
of a platform that connects to the recipient's).
"""

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers
from django.utils.translation import gettext as _
from phonenumbers import NumberParseException

from alliance.csv_cells import read_cell
from alliance.errors import FieldError
from alliance.texts import plain

COUNTRY: Final = "CN"
_COUNTRY_CODE: Final = 86
LENGTH: Final = 40
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_MOBILE_HEAD: Final = re.compile(r"\(?(?:\+?86|0086)?\)?[ -]?1[3-9]")
# A spreadsheet turns 13800011101 into 13800011101.0 or 1.38E+10.
_FLOAT: Final = re.compile(r"([0-9]{5,15})\.0+")
_SHORTENED: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+")
_LABEL: Final = re.compile(
    r"(?:tel|phone|mobile|mob|cell|手机号?|电话|座机|固话|联系方式)[ :.]*", re.IGNORECASE
)
_BETWEEN: Final = re.compile(r"[/,、|&]|;(?!ext)|\bor\b|或|和", re.IGNORECASE)
# As shops' exports hide them: 138****5678, 138xxxx5678.
_MASKED: Final = re.compile(r"(?<=[0-9])[*＊•#xX]{2,}|^[*＊•]{2,}")
# Left behind by a program that had nothing to put after it.
_TRAILING: Final = re.compile(r"(?<=[0-9])[-_/,;、|]+$")
_EXTENSION: Final = re.compile(
    r"(?<=[0-9)]) ?(?:;?(?:extension|ext|x|#|p|转接?|轉|分机号?)[ .:=]*|[\[(_-])(?P<digits>[0-9]{1,6})[\])]?",
    re.IGNORECASE,
)
# Here a dash and a few digits at the end are an extension, however long the number may be.
_COMPLETE: Final = re.compile(r"\(?0[0-9]{2,3}\)?[ -]?[0-9]{8}|400[ -]?[0-9]{3}[ -]?[0-9]{4}|1[3-9][0-9]{9}")
_WRITTEN: Final = re.compile(r"\(?\+?[0-9() .\-\u2010-\u2015]+")
# A landline number of China with its area code; numbers that are not known to be given out can be real.
_LANDLINE: Final = re.compile(r"0[1-9][0-9]{8,10}")
# A number of China with its country's code, as far as its digits tell.
_FROM_ABROAD: Final = re.compile(r"(?:00)?86(?=[1-9][0-9]{9,10}\Z)")
# Mobile phones and hotlines, which have no area code.
_WITHOUT_AREA: Final = re.compile(r"1[3-9][0-9]{9}|[48]00[0-9]{7}")
# Of a second group that is too short to be a number: 0571-85011106/07, 13800011101,8001.
_ADDED: Final = 4
_PROOF: Final = 4


def read_phone(text: str) -> str:
    """Return a phone number as it is stored: as written, on one line, in ASCII digits and signs."""
    cell = _TRAILING.sub("", plain(read_cell(text)))
    number = _FLOAT.fullmatch(cell)
    return number[1] if number else cell


def phone_problems(pointer: str, phone: str) -> Iterator[FieldError]:
    """Yield the problem of a number that read_phone() returned: each number in it must be one to dial."""
    if not phone or _MOBILE.fullmatch(phone):
        return
    if _SHORTENED.fullmatch(phone):
        message = _("A spreadsheet has shortened this number.")
        yield FieldError(pointer, message, "shortened")
    elif len(phone) <= LENGTH and not main_numbers(phone):
        if _MASKED.search(phone):
            yield FieldError(pointer, _("Digits of this number are hidden: nobody can dial it."), "masked")
            return
        message = _(
            "Enter a phone number with its area code, and its country code if it is not +86: 138 1234 5678."
        )
        yield FieldError(pointer, message, "invalid")


def proofs_of(phone: str) -> list[str]:
    """Return the digits that prove knowledge of a number: the last four of each, without extensions."""
    numbers = main_numbers(phone) or ("".join(filter(str.isdigit, plain(phone))),)
    return [number[-_PROOF:] for number in numbers if len(number) >= _PROOF]


def main_numbers(phone: str) -> tuple[str, ...]:
    """Return the digits of each number in a text, without extensions; none if a part of it is no number."""
    numbers: list[str] = []
    for part in _BETWEEN.split(_LABEL.sub(";", read_phone(phone))):
        written = _without_extension(part.strip())
        digits = re.sub("[^0-9]", "", written)
        if not written or (numbers and _WRITTEN.fullmatch(written) and len(digits) <= _ADDED):
            continue
        if _can_be_dialled(written):
            numbers.append(digits)
        elif " " in written and all(map(_can_be_dialled, written.split())):
            numbers += [re.sub("[^0-9]", "", one) for one in written.split()]
        else:
            return ()
    return tuple(numbers)


def national_numbers(phone: str) -> tuple[str, ...]:
    """The same, alike however the country's code is written: +86 571 ..., 0086571... and 0571-... are one."""
    # Most are mobile numbers, and a library takes a third of a millisecond to say so.
    if _MOBILE.fullmatch(bare := phone.replace(" ", "").replace("-", "")):
        return (bare,)
    return tuple(map(national, main_numbers(phone)))


def national(digits: str) -> str:
    """The digits of one number as they are dialled within China; of another country, with its code."""
    rest = _FROM_ABROAD.sub("", digits)
    if rest == digits:
        return digits.removeprefix("00")
    return rest if _WITHOUT_AREA.fullmatch(rest) else f"0{rest}"


def _without_extension(text: str) -> str:
    """Drop an extension at the end; what is left can be dialled, or the text is no number with one."""
    for match in _EXTENSION.finditer(text):
        before = text[: match.start()].strip()
        if match.end() < len(text):
            continue
        if _COMPLETE.fullmatch(before) or (not _can_be_dialled(text) and _can_be_dialled(before)):
            return before
    return text


def _can_be_dialled(text: str) -> bool:
    if not _WRITTEN.fullmatch(text):
        return False
    try:
        number = phonenumbers.parse(text, COUNTRY)
    except NumberParseException:
        return False
    national = str(number.national_number)
    if number.country_code != _COUNTRY_CODE:
        return phonenumbers.is_possible_number(number)
    # A mobile number of China with a digit less is as long as a landline number.
    if _MOBILE.fullmatch(national) or _MOBILE_HEAD.match(text):
        return _MOBILE.fullmatch(national) is not None
    digits = re.sub("[^0-9]", "", text)
    return _LANDLINE.fullmatch(digits) is not None or phonenumbers.is_valid_number(number)
