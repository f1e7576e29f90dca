"""A merchant's booking request, and the checks that need no database. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from alliance.errors import FieldError
from alliance.phones import LENGTH as PHONE_LENGTH
from alliance.phones import phone_problems, read_phone
from alliance.text_faults import fault_of
from alliance.texts import one_line
from slas.allocation.rules import Sent
from slas.promises.checks import ready_problems, value_problems, weight_problems

if TYPE_CHECKING:
    from alliance.models import City

BATCH_LIMIT = 1_000
# Of one order: labels and files have two digits for them.
MOST_PIECES = 99
# The columns' widths.
REFERENCE_LENGTH = 64
NAME_LENGTH = 120
ADDRESS_LENGTH = 300
# As shops' exports, and our own pages, hide a part.
_MASKED = "***"


class IfFull(StrEnum):
    """What to do when the preferred courier or day is full."""

    NEXT = "next"  # the next courier, then the next day, as the quote says
    # The next courier on the same day: a promise later than the quote's must be requested.
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Recipient:
    name: str
    phone: str
    address: str

    @classmethod
    def written(cls, name: str, phone: str, address: str) -> "Recipient":
        """A recipient as somebody typed it, at whichever door."""
        return cls(one_line(name), read_phone(phone), one_line(address))


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """One parcel to book. Without a courier, the quote's recommendation is used.

    With what a quote said (`expected_...`), it is booked only if a quote would say so now.
    With a courier, only that courier on the promised day is booked.
    The parcels of one order (`piece` of `pieces`) stand one after the other, and differ in weight and
    expected price only.
    """

    tier: str
    origin: "City"
    destination: "City"
    weight_g: int
    ready_at: datetime
    recipient: Recipient
    courier: str = ""
    reference: str = ""
    pickup_address_id: int | None = None
    expected_deliver_by: datetime | None = None
    expected_pickup_by: datetime | None = None
    # The whole fee: the offer's price and the surcharge of the weight.
    expected_price_fen: int | None = None
    if_full: IfFull = IfFull.REFUSE
    declared_value_fen: int | None = None
    piece: int = 1
    pieces: int = 1

    @property
    def sent(self) -> Sent:
        """What the merchant's rules ask of it. Without a reference, a share is drawn by the recipient."""
        recipient = self.recipient
        drawn_by = self.reference or f"{recipient.name}\n{recipient.phone}\n{recipient.address}"
        return Sent(self.weight_g, self.reference, drawn_by, self.declared_value_fen or 0)

    @property
    def is_pinned(self) -> bool:
        return bool(self.courier) or self.if_full is IfFull.REFUSE


def orders_of(requests: Sequence[BookingRequest]) -> list[range]:
    """Return the places of each order's parcels among the requests."""
    orders: list[range] = []
    place = 0
    while place < len(requests):
        order = range(place, place + requests[place].pieces)
        numbers = [(request.piece, request.pieces) for request in requests[order.start : order.stop]]
        if numbers != [(n, len(order)) for n in range(1, len(order) + 1)]:
            raise ValueError(f"The pieces of an order must stand one after the other, not as {numbers}.")
        orders.append(order)
        place = order.stop
    return orders


def problems_of(request: BookingRequest, *, at: datetime, value_limit_fen: int) -> Iterator[FieldError]:
    """Yield the errors of a request, each with its JSON pointer."""
    recipient = request.recipient
    yield from name_problems("/recipient/name", recipient.name, NAME_LENGTH)
    yield from text_problems("/recipient/phone", recipient.phone, PHONE_LENGTH)
    yield from phone_problems("/recipient/phone", recipient.phone)
    yield from name_problems("/recipient/address", recipient.address, ADDRESS_LENGTH)
    if _MASKED in recipient.address:
        message = _("A part of this address is hidden: nobody can find it.")
        yield FieldError("/recipient/address", message, "masked")
    yield from text_problems("/reference", request.reference, REFERENCE_LENGTH, required=False)
    yield from weight_problems("/weight_g", request.weight_g)
    yield from value_problems("/declared_value", request.declared_value_fen, limit_fen=value_limit_fen)
    yield from ready_problems("/ready_at", request.ready_at, at=at)
    for name in ("expected_deliver_by", "expected_pickup_by"):
        moment = getattr(request, name)
        if moment is not None and moment.utcoffset() is None:
            yield FieldError(f"/{name}", _("Include the UTC offset."), "naive")


def pickup_problems(pointer: str, address_city_id: int | None, origin: "City") -> Iterator[FieldError]:
    """Yield why parcels from `origin` are not picked up at an address, of which the city is given.

    None stands for an address that the merchant does not have.
    """
    if address_city_id is None:
        yield FieldError(pointer, _("Unknown pickup address."), "unknown")
    elif address_city_id != origin.pk:
        yield FieldError(pointer, _("The pickup address is not in the origin city."), "other_city")


def text_problems(pointer: str, text: str, limit: int, *, required: bool = True) -> Iterator[FieldError]:
    """Yield the reasons why a text cannot be stored in a column of this width."""
    if not text:
        if required:
            yield FieldError(pointer, _("This field is required."), "required")
    elif len(text) > limit:
        yield FieldError(pointer, _("Use at most %d characters.") % limit, "max_length")
    if fault := fault_of(text):
        yield FieldError(pointer, fault.message, fault.code)


def name_problems(pointer: str, text: str, limit: int) -> Iterator[FieldError]:
    """Like text_problems(), of a name or address: it must say something."""
    yield from text_problems(pointer, text, limit)
    if text and not any(map(str.isalnum, text)):
        yield FieldError(pointer, _("Enter a text with letters or digits."), "no_letters")
