"""Rows of a booking file: from cells to what is to be booked, and from what went wrong to what to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.cities import MOST_LETTERS, CityFinder, UnknownCity
from alliance.csv_cells import text_of_cell
from alliance.errors import AllianceError, FieldError, InvalidInput
from alliance.models import City
from alliance.tenancy import Actor
from parcels.booking_files.records import MAX_ROW_BYTES, Record, RowProblem
from parcels.bookings.models import PickupAddress
from parcels.bookings.rules import BookingRequest, IfFull, Recipient, one_line

# 1.38123E+10: what a spreadsheet makes of a long number.
_SHORTENED: Final = ("E+", "e+")
_MOST_WEIGHT_DIGITS: Final = 9

# What is wrong, where the code tells all of it, or the column and the code do.
_DETAILS: Final[Mapping[str, str | Promise]] = {
    RowProblem.TOO_LONG.value: gettext_lazy("The row is longer than %(most)s bytes."),
    RowProblem.OPEN_QUOTE.value: gettext_lazy("A quotation mark is opened and never closed."),
    RowProblem.QUOTES.value: gettext_lazy("There is a quotation mark in the wrong place."),
    RowProblem.NOT_TEXT.value: gettext_lazy("The line is not text in the encoding of the rest of the file."),
    "too_many_cells": gettext_lazy("This row has more cells than there are columns."),
    "required": gettext_lazy("This field is required."),
    "unprintable": gettext_lazy("Remove the characters that cannot be printed."),
    "shortened": gettext_lazy("A spreadsheet has shortened this number."),
    "time": gettext_lazy("This is no date and time."),
    "naive": gettext_lazy("Give the time with its UTC offset."),
    "weight_g invalid": gettext_lazy("Give the weight in whole grams, such as 800."),
    "recipient_phone invalid": gettext_lazy("Give a phone number with its digits."),
    "pickup_address unknown": gettext_lazy("You have no such pickup address."),
}
# What to do about a problem, by its code.
_REMEDIES: Final[Mapping[str, str | Promise]] = {
    RowProblem.TOO_LONG.value: gettext_lazy("Look for a missing line break or quotation mark in this line."),
    RowProblem.OPEN_QUOTE.value: gettext_lazy("Close it, or write a quotation mark within a cell twice."),
    RowProblem.QUOTES.value: gettext_lazy(
        "Put the whole cell in quotation marks, and those within it twice."
    ),
    RowProblem.NOT_TEXT.value: gettext_lazy("Save the file as “CSV UTF-8”."),
    "required": gettext_lazy("Fill in this cell."),
    "max_length": gettext_lazy("Shorten the text."),
    "unprintable": gettext_lazy("Type the text anew instead of pasting it."),
    "too_many_cells": gettext_lazy("Put cells with a comma in quotation marks."),
    "shortened": gettext_lazy("Format the column as text, then enter the number again."),
    "unknown_city": gettext_lazy("Give the city's code, such as CN-HGH."),
    "ambiguous_city": gettext_lazy("Give the city's code, such as CN-HGH."),
    "naive": gettext_lazy("Write it as 2026-11-22T10:00:00+08:00."),
    "time": gettext_lazy("Write it as 2026-11-22T10:00:00+08:00."),
    "past": gettext_lazy("Leave it empty for “now”, or give a later time."),
    "too_far_ahead": gettext_lazy("Book it later, or give an earlier time."),
    "capacity_full": gettext_lazy("Book it another day; “next” under if_full takes the next day with room."),
    "promise_changed": gettext_lazy("Leave expected_deliver_by empty, or write the promise that holds now."),
    "not_offered": gettext_lazy("Choose another tier, or leave the courier empty."),
    "too_heavy": gettext_lazy("Check that the weight is in grams; split what is heavier."),
    "booked_before": gettext_lazy("Nothing, if it is the same parcel; else give it a reference of its own."),
    "not_done": gettext_lazy("Upload this row again; tell us if it happens twice."),
}
_OTHERWISE: Final = gettext_lazy("Correct this cell and upload the row again.")


class Rows:
    """The rows of one file, read with its columns and the merchant's places."""

    def __init__(self, actor: Actor, columns: Sequence[str]) -> None:
        self.columns = columns
        self._cities = CityFinder()
        addresses = PickupAddress.objects.visible_to(actor).select_related("city").order_by("-pk")
        self._addresses: dict[str, PickupAddress] = {}
        for address in addresses:
            self._addresses[one_line(address.name).casefold()] = address
        self._addresses.update({str(address.pk): address for address in addresses})

    def cells(self, record: Record) -> dict[str, str]:
        """The row's cells by column, white space folded; of a row that cannot be read there are none."""
        # Most cells have no white space to fold, and a look tells.
        return {
            name: text if text.isalnum() else one_line(text_of_cell(text))
            for name, text in zip(self.columns, record.cells, strict=False)
        }

    def read(self, record: Record, cells: Mapping[str, str], *, at: datetime) -> BookingRequest:
        """Return what a row asks for. Raises InvalidInput with all that is wrong with its cells."""
        if record.problem:
            raise InvalidInput(errors=[FieldError("", _said(record.problem.value), record.problem.value)])
        if any(record.cells[len(self.columns) :]):
            raise InvalidInput(errors=[FieldError("", _said("too_many_cells"), "too_many_cells")])
        errors: list[FieldError] = []
        origin, address_id = self._origin(cells, errors)
        destination = self._city("destination", cells, errors)
        request = BookingRequest(
            tier=_tier(cells, errors),
            # Stand-ins after an error: nothing is booked.
            origin=origin or _NOWHERE,
            destination=destination or _NOWHERE,
            weight_g=_weight(cells, errors),
            ready_at=_moment("ready_at", cells, errors) or at,
            recipient=Recipient(
                cells.get("recipient_name", ""),
                _whole("recipient_phone", cells, errors),
                cells.get("recipient_address", ""),
            ),
            courier=cells.get("courier", ""),
            reference=_whole("reference", cells, errors),
            pickup_address_id=address_id,
            expected_deliver_by=_moment("expected_deliver_by", cells, errors),
            if_full=_if_full(cells, errors),
        )
        if errors:
            raise InvalidInput(errors=errors)
        return request

    def _origin(self, cells: Mapping[str, str], errors: list[FieldError]) -> tuple[City | None, int | None]:
        """Origin and pickup address; the origin may be left to the address."""
        text = cells.get("pickup_address", "")
        address = self._addresses.get(text.casefold()) if text else None
        if text and address is None:
            errors.append(_wrong("pickup_address", "unknown"))
        if address is not None and not cells.get("origin"):
            return address.city, address.pk
        return self._city("origin", cells, errors), address.pk if address else None

    def _city(self, name: str, cells: Mapping[str, str], errors: list[FieldError]) -> City | None:
        text = cells.get(name, "")
        if not text:
            errors.append(_missing(name))
            return None
        try:
            return self._cities.find(text[:MOST_LETTERS])
        except UnknownCity as unknown:
            errors.append(_error(name, str(unknown), unknown.code))
            return None


def explain(error: AllianceError) -> tuple[str, str, str, str]:
    """Say which column a refusal is about, its code, what is wrong, and what to do about it."""
    errors = error.errors or [FieldError("", error.detail, error.reason)]
    columns = [column_of(found.pointer) for found in errors]
    if len(errors) == 1:
        detail = errors[0].message
    else:
        detail = " ".join(f"{column}: {found.message}" for column, found in zip(columns, errors, strict=True))
    codes = list(dict.fromkeys(found.code for found in errors))
    return " ".join(dict.fromkeys(columns)), " ".join(codes), detail, _remedies(codes)


def retold(row: Mapping[str, str]) -> dict[str, str]:
    """A row of the results in the language of whoever reads it, as far as its columns and codes tell.

    What was said of names and numbers stays in the words of whoever uploaded it.
    """
    columns, codes = row.get("column", "").split(), row.get("problem", "").split()
    if codes == ["booked_before"]:
        detail = booked_before(row.get("tracking_number", ""))[2]
    else:
        detail = _details(columns, codes) or row.get("detail", "")
    return {**row, "detail": detail, "what_to_do": _remedies(codes)}


def column_of(pointer: str) -> str:
    """The column that a booking's JSON pointer stands for: /recipient/name is recipient_name."""
    return pointer.strip("/").replace("/", "_")


def booked_before(number: str) -> tuple[str, str, str, str]:
    """As explain(), of a reference that has a parcel already."""
    detail = _("A parcel with this reference was booked before: %(number)s.") % {"number": number}
    return "reference", "booked_before", detail, str(_REMEDIES["booked_before"])


def _remedies(codes: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(str(_REMEDIES.get(code, _OTHERWISE)) for code in codes))


def _details(columns: Sequence[str], codes: Sequence[str]) -> str:
    """As explain() spells them; "" where the codes do not tell which is whose, or not all of it."""
    if len(codes) != 1:
        return ""
    said = [_said(codes[0], column=column) for column in columns or [""]]
    if len(said) == 1:
        return said[0]
    told = " ".join(f"{column}: {text}" for column, text in zip(columns, said, strict=True))
    return told if all(said) else ""


def _said(code: str, *, column: str = "") -> str:
    text = _DETAILS.get(f"{column} {code}") or _DETAILS.get(code) or ""
    return str(text) % {"most": f"{MAX_ROW_BYTES:,}"}


_NOWHERE: Final = City()


def _error(column: str, message: str, code: str) -> FieldError:
    return FieldError(f"/{column}", message, code)


def _wrong(column: str, code: str) -> FieldError:
    return _error(column, _said(code, column=column), code)


def _missing(column: str) -> FieldError:
    return _wrong(column, "required")


def _tier(cells: Mapping[str, str], errors: list[FieldError]) -> str:
    text = cells.get("tier", "")
    if not text:
        errors.append(_missing("tier"))
    return text.lower().replace(" ", "_").replace("-", "_")


def _weight(cells: Mapping[str, str], errors: list[FieldError]) -> int:
    text = cells.get("weight_g", "")
    if text.isdigit() and text.isascii() and len(text) <= _MOST_WEIGHT_DIGITS:
        return int(text)
    if text:
        errors.append(_wrong("weight_g", "invalid"))
    else:
        errors.append(_missing("weight_g"))
    return 0


def _whole(name: str, cells: Mapping[str, str], errors: list[FieldError]) -> str:
    """A number that is kept as text, if no spreadsheet has shortened it."""
    text = cells.get(name, "")
    if any(mark in text for mark in _SHORTENED) and _is_number(text):
        errors.append(_wrong(name, "shortened"))
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _moment(name: str, cells: Mapping[str, str], errors: list[FieldError]) -> datetime | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        errors.append(_wrong(name, "time"))
        return None
    if found.utcoffset() is None:
        errors.append(_wrong(name, "naive"))
        return None
    return found


def _if_full(cells: Mapping[str, str], errors: list[FieldError]) -> IfFull:
    text = cells.get("if_full", "").lower()
    if not text:
        return IfFull.REFUSE
    try:
        return IfFull(text)
    except ValueError:
        message = _("Write one of: %(options)s.") % {"options": ", ".join(IfFull)}
        errors.append(_error("if_full", message, "choice"))
        return IfFull.REFUSE
