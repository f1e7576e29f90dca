"""Book a slice of a file's rows, with the same results as booking them one by one in order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from alliance.csv_files.records import Record
from alliance.errors import AllianceError
from alliance.tenancy import Actor
from parcels.booking_files.services.orders import Known, Order, Result, Row, orders_in
from parcels.booking_files.services.references import Earlier, booked_before
from parcels.booking_files.services.rows import Rows
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource


@dataclass(slots=True)
class Outcomes:
    """The results of a slice: of each parcel, with its row, and of each row that was refused."""

    rows: list[tuple[Record, str, Result]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many rows were booked, and how many not: a row may stand for several parcels."""
        rows = {record.line: type(result) for record, _reference, result in self.rows}
        kinds = Counter(rows.values())
        booked, duplicate = kinds[Booked], kinds[Known]
        return {
            "booked": booked,
            "duplicate": duplicate,
            "rejected": len(rows) - booked - duplicate,
        }


def book_rows(
    actor: Actor,
    rows: Rows,
    records: Sequence[Record],
    *,
    requested_at: datetime,
    at: datetime,
    source: ParcelSource = ParcelSource.FILE,
) -> Outcomes:
    """Book the valid rows; the results of the others say why they failed. Runs in the merchant's scope.

    A row's `ready_at` is checked against the time of upload: waiting in the queue must not make a row
    invalid.
    """
    orders = orders_in([_row(rows, record, at=at) for record in records])
    sound = [order for order in orders if not order.results]
    earlier = booked_before(actor, (order.reference for order in sound), at=at)
    for run in _runs(sound, earlier):
        answers = iter(
            book_parcels(
                actor=actor,
                requests=[request for order in run for request in order.requests()],
                at=at,
                requested_at=requested_at,
                source=source,
            )
        )
        for order in run:
            order.results = [*islice(answers, order.count)]
            booked = [result for result in order.results if isinstance(result, Booked)]
            if booked and order.reference:
                recipient = order.first.recipient
                pieces = {result.request.piece: result.parcel_id for result in booked}
                line = order.rows[0].record.line
                earlier[order.reference] = Earlier(
                    booked[0].parcel_id, recipient.name, recipient.phone, line, pieces
                )
    return Outcomes([outcome for order in orders for outcome in order.outcomes()])


def _row(rows: Rows, record: Record, *, at: datetime) -> Row:
    cells = rows.cells(record)
    reference = cells.get("reference", "")
    try:
        return Row(record, reference, rows.read(record, cells, at=at), cells)
    except AllianceError as refusal:
        return Row(record, reference, refusal, cells)


def _runs(orders: Sequence[Order], earlier: dict[str, Earlier]) -> Iterator[list[Order]]:
    """Split the orders before a repeated reference, so that the first one's result is known by then.

    Those of a reference that was booked before are answered, and those with a row twice.
    """
    run: list[Order] = []
    references: set[str] = set()
    for order in orders:
        reference = order.reference
        if reference in references:
            yield run
            run, references = [], set()
        if known := earlier.get(reference):
            order.answer(known)
            continue
        if order.refuse_repeated():
            continue
        run.append(order)
        if reference:
            references.add(reference)
    if run:
        yield run
