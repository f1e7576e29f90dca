"""Rows of a booking file: read cells into booking requests, and explain errors and their remedies."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.cities import CityFinder, UnknownCity
from alliance.csv_cells import read_cell, read_code
from alliance.csv_files import records
from alliance.csv_files.records import MAX_ROW_BYTES, Record, detail_of
from alliance.errors import AllianceError, FieldError, InvalidInput
from alliance.models import City
from alliance.numbers import whole_number
from alliance.phones import read_phone
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import Actor
from alliance.texts import one_line
from alliance.workbooks.cells import MARK, CellKind, mark_of, text_in
from parcels.bookings.models import PickupAddress
from parcels.bookings.rules import MOST_PIECES, BookingRequest, IfFull, Recipient
from slas.promises.prices import InvalidAmount, fen_from_yuan
from slas.promises.tiers import tier_named

# A spreadsheet turns a long number into 1.38123E+10, and keeps 15 digits of it: the others become zeros.
_SHORTENED: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE]\+[0-9]+|(?=.*000$)[1-9][0-9]{14}0+")
# What keeps a spreadsheet from taking a cell for a number: all its digits are there.
_AS_TEXT: Final = ("=", "'")
# Cells that are read as people typed them; the others are numbers, codes and names of ours.
_FREE_TEXT: Final = frozenset({"recipient_name", "recipient_address", "pickup_address"})
_OF_RECIPIENT: Final = ("recipient_name", "recipient_phone", "recipient_address")
_MOST_WEIGHT: Final = 999_999_999

# Error messages that follow from the code alone, or from column and code.
_DETAILS: Final[Mapping[str, str | Promise]] = {
    **records.DETAILS,
    "required": gettext_lazy("This field is required."),
    "unprintable": gettext_lazy("Remove the characters that cannot be printed."),
    "cell_error": gettext_lazy("This cell has an error, or a formula without a result, not a value."),
    "no_letters": gettext_lazy("Enter a text with letters or digits."),
    "shortened": gettext_lazy("A spreadsheet has shortened this number."),
    "number_cell": gettext_lazy("This cell is a number: zeros at its beginning may be lost."),
    "date_cell": gettext_lazy("This cell is a date, not a text."),
    "hidden_row": gettext_lazy("This row is hidden in the workbook."),
    "no_recipient": gettext_lazy("This row has no recipient: no name, no phone, no address."),
    "order_closed": gettext_lazy("The shop says that this order is cancelled, not paid, or sent already."),
    "time": gettext_lazy("This is not a valid date and time."),
    "naive": gettext_lazy("Include the UTC offset."),
    "weight_g invalid": gettext_lazy("Enter the weight in whole grams, such as 800."),
    "recipient_phone invalid": gettext_lazy(
        "Enter a phone number with its area code, and its country code if it is not +86: 138 1234 5678."
    ),
    "recipient_phone masked": gettext_lazy("Digits of this number are hidden: nobody can dial it."),
    "recipient_address masked": gettext_lazy("A part of this address is hidden: nobody can find it."),
    "pickup_address unknown": gettext_lazy("Unknown pickup address."),
    "pieces invalid": gettext_lazy("Enter how many parcels these are, from 1 to 99."),
}
# How to fix a problem, by its code.
_REMEDIES: Final[Mapping[str, str | Promise]] = {
    **records.REMEDIES,
    "required": gettext_lazy("Fill in this cell."),
    "max_length": gettext_lazy("Shorten the text."),
    "unprintable": gettext_lazy("Type the text instead of pasting it."),
    "garbled": gettext_lazy("Type the text again, or save the file as “CSV UTF-8”."),
    "shortened": gettext_lazy("Format the column as text, then enter the number again."),
    "masked": gettext_lazy("Export the orders with recipients in full, or enter it in full."),
    "number_cell": gettext_lazy("Format the column as text, then check the number."),
    "date_cell": gettext_lazy("Format the column as text, then enter it again."),
    "cell_error": gettext_lazy("Open the workbook, correct the cell, and save it."),
    "hidden_row": gettext_lazy("Show the row to book it, or delete it."),
    "no_recipient": gettext_lazy(
        "Nothing to do if it is no parcel, such as a total; otherwise fill in the recipient."
    ),
    "order_closed": gettext_lazy(
        "Nothing to do; to send it all the same, upload its row from the rejected rows."
    ),
    "unknown_city": gettext_lazy("Enter the city's code, such as CN-HGH."),
    "ambiguous_city": gettext_lazy("Enter the city's code, such as CN-HGH."),
    "naive": gettext_lazy("Enter it as 2026-11-22T10:00:00+08:00."),
    "time": gettext_lazy("Enter it as 2026-11-22T10:00:00+08:00."),
    "past": gettext_lazy("Leave it empty for “now”, or enter a later time."),
    "too_far_ahead": gettext_lazy("Book it later, or enter an earlier time."),
    "capacity_full": gettext_lazy(
        "Book it for another day, or set if_full to “next” for the next day with capacity."
    ),
    "promise_changed": gettext_lazy("Leave expected_deliver_by empty, or enter the current promise."),
    "price_changed": gettext_lazy("Leave expected_price empty, or enter the current price."),
    "over_limit": gettext_lazy("Declare a lower value, or leave it empty."),
    "ruled_out": gettext_lazy("Change that allocation rule or switch it off, and upload the row again."),
    "not_offered": gettext_lazy("Choose another tier, or leave the courier empty."),
    "too_heavy": gettext_lazy("Check that the weight is in grams; split heavier parcels."),
    "booked_before": gettext_lazy(
        "Nothing to do if it is the same parcel; otherwise give it its own reference."
    ),
    "reference_of_another": gettext_lazy("Give each parcel a reference of its own."),
    "order_refused": gettext_lazy("Correct the row that is named, and upload all rows of the order again."),
    "row_repeated": gettext_lazy(
        "If it is a copy, delete it. If it is one more parcel, enter 1 in its column “pieces”; "
        "add the column if the file has none."
    ),
    "order_mixed": gettext_lazy(
        "Give the rows of one order the same recipient, cities and service, or each a reference of its own."
    ),
    "order_booked": gettext_lazy("Book further parcels under a reference of their own."),
    "too_many_pieces": gettext_lazy("Split the order: give some of the rows another reference."),
    "not_done": gettext_lazy("Upload this row again; contact us if it happens twice."),
}
_OTHERWISE: Final = gettext_lazy("Correct this cell and upload the row again.")


# What the mark of a workbook's cell says of it.
_CODES: Final = {
    CellKind.NUMBER: "number_cell",
    CellKind.SHORTENED: "shortened",
    CellKind.DATE: "date_cell",
    CellKind.ERROR: "cell_error",
    CellKind.HIDDEN_ROW: "hidden_row",
    CellKind.CLOSED_ROW: "order_closed",
}


class Rows:
    """Reads the rows of one file, by its columns and the merchant's addresses."""

    def __init__(self, actor: Actor, columns: Sequence[str]) -> None:
        self.columns = columns
        self._cities = CityFinder()
        addresses = PickupAddress.objects.visible_to(actor).select_related("city").order_by("-pk")
        self._addresses: dict[str, PickupAddress] = {}
        for address in addresses:
            self._addresses[one_line(address.name).casefold()] = address
        self._addresses.update(
            {public_id(IdKind.PICKUP_ADDRESS, address.pk): address for address in addresses}
        )

    def cells(self, record: Record) -> dict[str, str]:
        """The row's cells by column, with white space collapsed; none for an unreadable row."""
        # Most cells need no collapsing: isalnum() is a cheap check.
        return {
            name: text if text.isalnum() and text.isascii() else _read(name, text)
            for name, text in zip(self.columns, record.cells, strict=False)
        }

    def starts_order(self, record: Record, last: Record) -> bool:
        """Whether a row is no parcel of the order that the row before it belongs to."""
        reference = self.cells(record).get("reference", "")
        return not reference or reference != self.cells(last).get("reference", "")

    def count(self, record: Record) -> int:
        """How many parcels a row stands for."""
        if "pieces" not in self.columns:
            return 1
        return min(max(whole_number(self.cells(record).get("pieces", "")) or 1, 1), MOST_PIECES)

    def read(self, record: Record, cells: Mapping[str, str], *, at: datetime) -> BookingRequest:
        """Return a row's booking request. Raises InvalidInput with all errors of its cells."""
        if problem := record.problem_among(self.columns):
            raise InvalidInput(errors=[FieldError("", detail_of(problem), problem.value)])
        errors: list[FieldError] = []
        damaged = _damage(self.columns, record.cells)
        if not any(map(cells.get, _OF_RECIPIENT)):
            # A total, a note, the end of a list: to name all that it lacks would say nothing.
            raise InvalidInput(errors=[FieldError("", _message("no_recipient"), "no_recipient")])
        origin, address_id = self._origin(cells, errors)
        destination = self._city("destination", cells, errors)
        request = BookingRequest(
            tier=_tier(cells, errors),
            # Placeholders after an error: nothing is booked.
            origin=origin or _NOWHERE,
            destination=destination or _NOWHERE,
            weight_g=_weight(cells, errors),
            ready_at=_moment("ready_at", cells, errors) or at,
            recipient=Recipient(
                cells.get("recipient_name", ""),
                cells.get("recipient_phone", ""),
                cells.get("recipient_address", ""),
            ),
            courier=cells.get("courier", ""),
            reference=self._reference(record, cells, errors),
            pickup_address_id=address_id,
            expected_deliver_by=_moment("expected_deliver_by", cells, errors),
            expected_price_fen=_amount("expected_price", cells, errors),
            if_full=_if_full(cells, errors),
            declared_value_fen=_amount("declared_value", cells, errors) or None,
            # So many parcels that are alike: see `orders`.
            pieces=_pieces(cells, errors),
        )
        if errors or damaged:
            others = [error for error in errors if column_of(error.pointer) not in damaged]
            raise InvalidInput(errors=[*damaged.values(), *others])
        return request

    def _origin(self, cells: Mapping[str, str], errors: list[FieldError]) -> tuple[City | None, int | None]:
        """Origin and pickup address; without an origin, the address's city is used."""
        text = cells.get("pickup_address", "")
        address = self._addresses.get(text.casefold()) if text else None
        if text and address is None:
            errors.append(_wrong("pickup_address", "unknown"))
        if address is not None and not cells.get("origin"):
            return address.city, address.pk
        return self._city("origin", cells, errors), address.pk if address else None

    def _reference(self, record: Record, cells: Mapping[str, str], errors: list[FieldError]) -> str:
        text = cells.get("reference", "")
        if _SHORTENED.fullmatch(text):
            cell = record.cells[self.columns.index("reference")].strip()
            if not cell.startswith(_AS_TEXT):
                errors.append(_wrong("reference", "shortened"))
        return text

    def _city(self, name: str, cells: Mapping[str, str], errors: list[FieldError]) -> City | None:
        text = cells.get(name, "")
        if not text:
            errors.append(_missing(name))
            return None
        try:
            return self._cities.find(text)
        except UnknownCity as unknown:
            errors.append(_error(name, str(unknown), unknown.code))
            return None


def explain(refusal: AllianceError) -> tuple[str, str, str, str]:
    """Return the columns of an error, its codes, its messages and its remedies."""
    errors = refusal.errors or [FieldError("", refusal.detail, refusal.reason)]
    columns = [column_of(error.pointer) for error in errors]
    if len(errors) == 1:
        detail = errors[0].message
    else:
        detail = " ".join(f"{column}: {error.message}" for column, error in zip(columns, errors, strict=True))
    codes = list(dict.fromkeys(error.code for error in errors))
    return " ".join(dict.fromkeys(columns)), " ".join(codes), detail, _remedies(codes)


def translate_row(row: Mapping[str, str]) -> dict[str, str]:
    """Translate a row of the results to the reader's language, as far as its columns and codes allow.

    Messages with names or numbers stay in the uploader's language.
    """
    columns, codes = row.get("column", "").split(), row.get("problem", "").split()
    if codes == ["booked_before"]:
        detail = booked_before(row.get("tracking_number", ""))[2]
    else:
        detail = _details(columns, codes) or row.get("detail", "")
    return {**row, "detail": detail, "what_to_do": _remedies(codes)}


def column_of(pointer: str) -> str:
    """The column of a booking's JSON pointer: /recipient/name is recipient_name."""
    return pointer.strip("/").replace("/", "_")


def booked_before(number: str) -> tuple[str, str, str, str]:
    """Like explain(), for a reference that already has a parcel."""
    detail = _("A parcel with this reference is already booked: %(number)s.") % {"number": number}
    return "reference", "booked_before", detail, str(_REMEDIES["booked_before"])


def _remedies(codes: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(str(_REMEDIES.get(code, _OTHERWISE)) for code in codes))


def _details(columns: Sequence[str], codes: Sequence[str]) -> str:
    """The details as explain() writes them; "" if columns and codes do not determine them completely."""
    if len(codes) != 1:
        return ""
    messages = [_message(codes[0], column=column) for column in columns or [""]]
    if len(messages) == 1:
        return messages[0]
    detail = " ".join(f"{column}: {text}" for column, text in zip(columns, messages, strict=True))
    return detail if all(messages) else ""


def _message(code: str, *, column: str = "") -> str:
    text = _DETAILS.get(f"{column} {code}") or _DETAILS.get(code) or ""
    return str(text) % {"most": f"{MAX_ROW_BYTES:,}"}


def _damage(columns: Sequence[str], cells: Sequence[str]) -> dict[str, FieldError]:
    """What is wrong with the cells of a workbook's row, by their columns. Raises InvalidInput for the row."""
    result: dict[str, FieldError] = {}
    for name, cell in zip(columns, cells, strict=False):
        kind = mark_of(cell) if cell[:1] == MARK else None
        if kind is None:
            continue
        code = _CODES.get(kind) or text_in(cell)
        if kind in (CellKind.HIDDEN_ROW, CellKind.CLOSED_ROW, CellKind.UNREADABLE_ROW):
            raise InvalidInput(errors=[FieldError("", _message(code) or code, code)])
        result[name] = _wrong(name, code)
    return result


def _read(name: str, cell: str) -> str:
    cell = text_in(cell)
    if name == "recipient_phone":
        return read_phone(cell)
    return one_line(read_cell(cell)) if name in _FREE_TEXT else read_code(cell)


_NOWHERE: Final = City()


def _error(column: str, message: str, code: str) -> FieldError:
    return FieldError(f"/{column}", message, code)


def _wrong(column: str, code: str) -> FieldError:
    return _error(column, _message(code, column=column), code)


def _missing(column: str) -> FieldError:
    return _wrong(column, "required")


def _tier(cells: Mapping[str, str], errors: list[FieldError]) -> str:
    text = cells.get("tier", "")
    if not text:
        errors.append(_missing("tier"))
    return tier_named(text)


def _weight(cells: Mapping[str, str], errors: list[FieldError]) -> int:
    text = cells.get("weight_g", "")
    grams = whole_number(text)
    if grams is not None and grams <= _MOST_WEIGHT:
        return grams
    if text:
        errors.append(_wrong("weight_g", "invalid"))
    else:
        errors.append(_missing("weight_g"))
    return 0


def _pieces(cells: Mapping[str, str], errors: list[FieldError]) -> int:
    text = cells.get("pieces", "")
    if not text:
        return 1
    count = whole_number(text)
    if count is None or not 1 <= count <= MOST_PIECES:
        errors.append(_wrong("pieces", "invalid"))
        return 1
    return count


def _moment(name: str, cells: Mapping[str, str], errors: list[FieldError]) -> datetime | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        errors.append(_wrong(name, "time"))
        return None
    if moment.utcoffset() is None:
        errors.append(_wrong(name, "naive"))
        return None
    return moment


def _amount(name: str, cells: Mapping[str, str], errors: list[FieldError]) -> int | None:
    """An amount in fen."""
    text = cells.get(name, "")
    if not text:
        return None
    try:
        return fen_from_yuan(text)
    except InvalidAmount as refusal:
        errors.append(_error(name, refusal.message, refusal.code))
        return None


def _if_full(cells: Mapping[str, str], errors: list[FieldError]) -> IfFull:
    text = cells.get("if_full", "").lower()
    if not text:
        return IfFull.REFUSE
    try:
        return IfFull(text)
    except ValueError:
        message = _("Enter one of: %(options)s.") % {"options": ", ".join(IfFull)}
        errors.append(_error("if_full", message, "choice"))
        return IfFull.REFUSE
