"""Rows of a file as orders: rows of one reference that stand together are parcels of one order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from django.utils.translation import gettext as _

from alliance.csv_files.columns import REMARK
from alliance.csv_files.records import Record
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput
from alliance.identifiers import tracking_number
from parcels.booking_files.services.references import Earlier
from parcels.bookings.rules import MOST_PIECES, BookingRequest
from parcels.bookings.services.refusals import OrderRefused
from parcels.bookings.services.writing import Booked

# What the parcels of one order have in common, with the column that says it.
_COMMON: Final = {
    "origin": "origin",
    "destination": "destination",
    "tier": "tier",
    "pickup_address_id": "pickup_address",
    "ready_at": "ready_at",
    "courier": "courier",
    "expected_deliver_by": "expected_deliver_by",
    "if_full": "if_full",
}
_OF_RECIPIENT: Final = {
    "name": "recipient_name",
    "phone": "recipient_phone",
    "address": "recipient_address",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was not booked because a parcel already has its reference."""

    parcel_id: int

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


Result = Booked | Known | AllianceError


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read: a request, for as many parcels as its `pieces` say, or what is wrong with it."""

    record: Record
    reference: str
    read: BookingRequest | AllianceError
    cells: Mapping[str, str]

    @property
    def count(self) -> int:
        return self.read.pieces if isinstance(self.read, BookingRequest) else 1

    @property
    def is_counted(self) -> bool:
        """Whether it says itself for how many parcels it stands."""
        return bool(self.cells.get("pieces"))

    @property
    def said(self) -> frozenset[tuple[str, str]]:
        """What is in its cells; the remarks of ours among rejected rows are no part of it."""
        return frozenset((name, text) for name, text in self.cells.items() if text and name != REMARK)


@dataclass(slots=True)
class Order:
    """Rows that are booked together, or none of them. A row alone is an order, mostly of one parcel."""

    rows: list[Row]
    # Of each parcel, in the order of the rows, once it is known; of each row if that is why none is booked.
    results: list[Result] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return self.rows[0].reference

    @property
    def count(self) -> int:
        return sum(row.count for row in self.rows)

    @property
    def first(self) -> BookingRequest:
        [first] = islice((row.read for row in self.rows if isinstance(row.read, BookingRequest)), 1)
        return first

    def takes(self, row: Row) -> bool:
        """Whether a row that follows belongs to it; one that cannot be read does, by its reference."""
        if not row.reference or row.reference != self.reference:
            return False
        requests = [each.read for each in (*self.rows, row) if isinstance(each.read, BookingRequest)]
        if len(requests) < 2 or requests[-1] is not row.read:
            return True
        first = requests[0].recipient
        return not Earlier(0, first.name, first.phone).is_for_another(requests[-1].recipient)

    def check(self) -> None:
        """Refuse it whole if one of its rows is wrong, or says other than the first."""
        wrong = {
            place: row.read for place, row in enumerate(self.rows) if isinstance(row.read, AllianceError)
        }
        if not wrong and self.count > MOST_PIECES:
            message = _("An order has at most %(most)d parcels: this one has %(count)d.")
            text = message % {"most": MOST_PIECES, "count": self.count}
            problem = FieldError("/reference", text, "too_many_pieces")
            wrong = {place: InvalidInput(errors=[problem]) for place in range(len(self.rows))}
        self._refuse(wrong or dict(self._mixed()))

    def refuse_repeated(self) -> bool:
        """Refuse it whole if one of its rows says the same as another one; return whether one does.

        It may be one more parcel, or copied by mistake: a row that says for how many parcels it stands is
        none of the latter.
        """
        seen: dict[frozenset[tuple[str, str]], int] = {}
        wrong: dict[int, AllianceError] = {}
        for place, row in enumerate(self.rows) if len(self.rows) > 1 else ():
            first = seen.setdefault(row.said, place)
            if first < place and not row.is_counted:
                wrong[place] = _repeated(self.rows[first])
        self._refuse(wrong)
        return bool(wrong)

    def _refuse(self, wrong: Mapping[int, AllianceError]) -> None:
        if wrong:
            reason = _refused_with(self.rows[min(wrong)])
            self.results = [wrong.get(place) or reason for place in range(len(self.rows))]

    def requests(self) -> list[BookingRequest]:
        """One for each parcel."""
        reads = [row.read for row in self.rows for _time in range(row.count)]
        return [
            replace(read, piece=n, pieces=len(reads))
            for n, read in enumerate(reads, start=1)
            if isinstance(read, BookingRequest)
        ]

    def answer(self, earlier: Earlier) -> None:
        """Answer with the parcels that have its reference already, or with why they are not its own."""
        if earlier.is_for_another(self.first.recipient):
            self.results = [_of_another(earlier)] * len(self.rows)
        elif earlier.pieces.keys() >= {*range(1, self.count + 1)}:
            self.results = [Known(earlier.pieces[n]) for n in range(1, self.count + 1)]
        elif self.count == 1:
            self.results = [Known(earlier.parcel_id)]
        elif not self.refuse_repeated():
            self.results = [_booked_with_fewer(earlier)] * len(self.rows)

    def outcomes(self) -> Iterator[tuple[Record, str, Result]]:
        """Yield a row with the result of each of its parcels; once, if it was refused."""
        is_by_row = len(self.results) == len(self.rows)
        rest = iter(self.results)
        told = [(row, _telling([*islice(rest, 1 if is_by_row else row.count)])) for row in self.rows]
        reason = next((row for row, results in told if _is_reason(results[0])), None)
        for row, results in told:
            for result in results:
                if isinstance(result, OrderRefused) and reason is not None:
                    yield row.record, row.reference, _refused_with(reason)
                else:
                    yield row.record, row.reference, result

    def _mixed(self) -> Iterator[tuple[int, AllianceError]]:
        first = self.first
        for place, row in enumerate(self.rows):
            if isinstance(row.read, BookingRequest) and (columns := _differences(first, row.read)):
                text = _("Line %(line)d of this order says otherwise: its parcels go together.")
                message = text % {"line": self.rows[0].record.line}
                yield (
                    place,
                    InvalidInput(errors=[FieldError(f"/{name}", message, "order_mixed") for name in columns]),
                )


def orders_in(rows: Sequence[Row]) -> list[Order]:
    """Return the rows as orders, in their order; what is wrong with them is checked."""
    orders: list[Order] = []
    for row in rows:
        if orders and orders[-1].takes(row):
            orders[-1].rows.append(row)
        else:
            orders.append(Order([row]))
    for order in orders:
        order.check()
    return orders


def _differences(first: BookingRequest, other: BookingRequest) -> list[str]:
    found = [column for name, column in _COMMON.items() if getattr(first, name) != getattr(other, name)]
    people = first.recipient, other.recipient
    return found + [
        column for name, column in _OF_RECIPIENT.items() if len({getattr(each, name) for each in people}) > 1
    ]


def _telling(results: list[Result]) -> list[Result]:
    """Of a row's parcels that were refused, the reason of one."""
    refusals = [result for result in results if isinstance(result, AllianceError)]
    return [next(filter(_is_reason, refusals), refusals[0])] if refusals else results


def _is_reason(result: Result) -> bool:
    return isinstance(result, AllianceError) and not isinstance(result, OrderRefused)


def _refused_with(row: Row) -> OrderRefused:
    text = _("Line %(line)d of this order was rejected, so none of it was booked.")
    message = text % {"line": row.record.line}
    return OrderRefused(message, errors=[FieldError("", message, OrderRefused.code)])


def _repeated(first: Row) -> InvalidInput:
    message = _("This row says the same as line %(line)d.") % {"line": first.record.line}
    return InvalidInput(errors=[FieldError("", message, "row_repeated")])


def _of_another(earlier: Earlier) -> Conflict:
    """Of a reference that another's parcel has."""
    if earlier.line:
        message = _("Line %(line)d has this reference, for somebody else.") % {"line": earlier.line}
    else:
        number = tracking_number(earlier.parcel_id)
        message = _("%(number)s has this reference, for somebody else.") % {"number": number}
    return Conflict(errors=[FieldError("/reference", message, "reference_of_another")])


def _booked_with_fewer(earlier: Earlier) -> Conflict:
    text = _("This order was booked before, with fewer parcels that are not cancelled: %(numbers)s.")
    numbers = ", ".join(tracking_number(parcel_id) for _n, parcel_id in sorted(earlier.pieces.items()))
    return Conflict(errors=[FieldError("/reference", text % {"numbers": numbers}, "order_booked")])
