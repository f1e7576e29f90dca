"""Booking a slice of a file's rows, in order: what each became is what booking one by one gives."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from alliance.errors import AllianceError
from alliance.identifiers import parcel_id_at, tracking_number
from alliance.tenancy import Actor, raw_rows
from parcels.booking_files.records import Record
from parcels.booking_files.services.rows import Rows
from parcels.bookings.rules import BookingRequest
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource

# A reference is booked once in so long; later it may be another parcel's.
REMEMBERED: Final = timedelta(days=30)

_KNOWN: Final = """
SELECT reference, min(id) FROM parcels_parcel
WHERE merchant_id = %s AND id >= %s AND reference = ANY(%s) AND reference <> '' AND status <> 'cancelled'
GROUP BY reference
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was not booked because a parcel has its reference already."""

    parcel_id: int

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


@dataclass(slots=True)
class Outcomes:
    """What became of each row of a slice."""

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
    actor: Actor, rows: Rows, records: Sequence[Record], *, asked_at: datetime, at: datetime
) -> Outcomes:
    """Book the rows that can be; the answers of the others say why not. In the merchant's scope.

    What a row says of when it is ready is judged by when the file was uploaded: a wait in the queue
    makes no row wrong.
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
    known = _booked_before(actor, (requests[index].reference for index in requests), at=at)
    for run in _runs(requests, known, results):
        answers = book_parcels(
            actor=actor,
            requests=[requests[index] for index in run],
            at=at,
            asked_at=asked_at,
            source=ParcelSource.FILE,
        )
        for index, answer in zip(run, answers, strict=True):
            results[index] = answer
            if isinstance(answer, Booked) and answer.request.reference:
                known[answer.request.reference] = answer.parcel_id
    return Outcomes([(record, references[index], results[index]) for index, record in enumerate(records)])


def _runs(
    requests: dict[int, BookingRequest],
    known: dict[str, int],
    results: dict[int, Booked | Known | AllianceError],
) -> Iterator[list[int]]:
    """Cut the rows where a reference comes again, so that whether the first was booked is known by then."""
    run: list[int] = []
    waiting: set[str] = set()
    for index, request in requests.items():
        reference = request.reference
        if reference in waiting:
            yield run
            run, waiting = [], set()
        if reference in known:
            results[index] = Known(known[reference])
            continue
        run.append(index)
        if reference:
            waiting.add(reference)
    if run:
        yield run


def _booked_before(actor: Actor, references: Iterable[str], *, at: datetime) -> dict[str, int]:
    # PostgreSQL takes no NUL; such a reference is refused when it is booked.
    asked = sorted({reference for reference in references if reference and "\0" not in reference})
    if not asked:
        return {}
    return dict(raw_rows(_KNOWN, [actor.organisation_id, parcel_id_at(at - REMEMBERED), asked]))
