"""Book a slice of a file's rows, with the same results as booking them one by one in order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from alliance.csv_files.records import Record
from alliance.errors import AllianceError, Conflict, FieldError
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor
from parcels.booking_files.services.references import Earlier, booked_before
from parcels.booking_files.services.rows import Rows
from parcels.bookings.rules import BookingRequest
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was not booked because a parcel already has its reference."""

    parcel_id: int

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


@dataclass(slots=True)
class Outcomes:
    """The result of each row of a slice."""

    rows: list[tuple[Record, str, Booked | Known | AllianceError]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        kinds = Counter(type(result) for _record, _reference, result in self.rows)
        booked, duplicate = kinds[Booked], kinds[Known]
        return {
            "booked": booked,
            "duplicate": duplicate,
            "rejected": len(self.rows) - booked - duplicate,
        }


def book_rows(
    actor: Actor, rows: Rows, records: Sequence[Record], *, requested_at: datetime, at: datetime
) -> Outcomes:
    """Book the valid rows; the results of the others say why they failed. Runs in the merchant's scope.

    A row's `ready_at` is checked against the time of upload: waiting in the queue must not make a row
    invalid.
    """
    results: dict[int, Booked | Known | AllianceError] = {}
    references: list[str] = []
    requests: dict[int, BookingRequest] = {}
    for index, record in enumerate(records):
        cells = rows.cells(record)
        references.append(cells.get("reference", ""))
        try:
            requests[index] = rows.read(record, cells, at=at)
        except AllianceError as refusal:
            results[index] = refusal
    earlier = booked_before(actor, (requests[index].reference for index in requests), at=at)
    for run in _runs(requests, earlier, results):
        answers = book_parcels(
            actor=actor,
            requests=[requests[index] for index in run],
            at=at,
            requested_at=requested_at,
            source=ParcelSource.FILE,
        )
        for index, answer in zip(run, answers, strict=True):
            results[index] = answer
            if isinstance(answer, Booked) and answer.request.reference:
                recipient = answer.request.recipient
                earlier[answer.request.reference] = Earlier(
                    answer.parcel_id, recipient.name, recipient.phone, records[index].line
                )
    return Outcomes([(record, references[index], results[index]) for index, record in enumerate(records)])


def _runs(
    requests: dict[int, BookingRequest],
    earlier: dict[str, Earlier],
    results: dict[int, Booked | Known | AllianceError],
) -> Iterator[list[int]]:
    """Split the rows before a repeated reference, so that the first one's result is known by then."""
    run: list[int] = []
    references: set[str] = set()
    for index, request in requests.items():
        reference = request.reference
        if reference in references:
            yield run
            run, references = [], set()
        if known := earlier.get(reference):
            results[index] = _answer_for(request, known)
            continue
        run.append(index)
        if reference:
            references.add(reference)
    if run:
        yield run


def _answer_for(request: BookingRequest, earlier: Earlier) -> Known | AllianceError:
    """The result of a row whose reference a parcel has: the same parcel again, or another one's."""
    if not earlier.is_for_another(request.recipient):
        return Known(earlier.parcel_id)
    if earlier.line:
        message = _("Line %(line)d has this reference, for somebody else.") % {"line": earlier.line}
    else:
        message = _("%(number)s has this reference, for somebody else.") % {
            "number": tracking_number(earlier.parcel_id)
        }
    return Conflict(errors=[FieldError("/reference", message, "reference_of_another")])
