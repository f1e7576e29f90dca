"""Import parcels carried before a courier joined, through the services for scans and commitments."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice, zip_longest

from django.db import connection

from alliance import audit
from alliance.database.cluster import is_distributed
from alliance.database.partitions import Month, ensure_months
from alliance.database.postgresql.messages import Settings
from alliance.identifiers import tracking_number
from alliance.members.acquaintances import acquaint
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.homes.services import note_imports
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, ScanCode, ScanReason
from parcels.history.ids import Ids, PlacedRow, Stored
from parcels.history.names import Names, ResolvedRow
from parcels.history.patience import patiently
from parcels.history.rows import HistoryRow, Problem
from parcels.history.shares import Share, rows_at_a_time, shares
from parcels.history.writers import Writers
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.choices import CommitmentKind
from slas.commitments.services.settling import CommitmentDraft, open_commitments, void_commitments

# Of the command.
WRITERS = 2
_ATTEMPTS, _PROBLEMS_KEPT = 5, 1_000

_INSERT = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, source,
    reference, recipient_name, recipient_phone, recipient_address, booked_at, ready_at, deliver_by, status,
    status_at, corrected)
SELECT id, merchant_id, courier_id, tier_id, origin_id, destination_id, 'history', reference, '', '', '',
    booked_at, booked_at, deliver_by, 'booked', booked_at, false
FROM unnest(%(id)s::bigint[], %(merchant_id)s::bigint[], %(courier_id)s::bigint[], %(tier_id)s::int[],
    %(origin_id)s::int[], %(destination_id)s::int[], %(reference)s::text[], %(booked_at)s::timestamptz[],
    %(deliver_by)s::timestamptz[])
    AS row (id, merchant_id, courier_id, tier_id, origin_id, destination_id, reference, booked_at, deliver_by)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


@dataclass(slots=True)
class ImportReport:
    """The result of a file. Rows read = new + known + bad."""

    new: int = 0
    known: int = 0
    bad: int = 0
    warnings: int = 0
    problems: list[Problem] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.new + self.known + self.bad


@dataclass(slots=True)
class _ChunkResult:
    new: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)


class _IdTaken(Exception):
    """Another writer has stored a parcel of this id meanwhile: the next attempt sees whose it is."""


def import_history(
    *,
    actor: Actor,
    rows: Iterable[HistoryRow | Problem],
    create: bool,
    now: datetime,
    writers: int = 1,
    on_progress: Callable[[ImportReport], None] = lambda report: None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    on_wait: Callable[[Exception], None] = lambda error: None,
) -> ImportReport:
    """Import rows, a thousand per transaction. A bad row is reported and does not affect the others.

    A parcel's id is derived from its booking time and names, so a file may be imported again, also after
    a crash: nothing is duplicated, and later scans are added. Unknown merchants and couriers are created
    only with `create`; a courier created here is an applicant and not vetted. Of several `writers`, each
    has a thread and a connection, and all rows of a reference. What an outage undid is done again when it is
    over; `on_wait` is told of it. Rows of which that is not known are `known` then.
    """
    report = ImportReport()
    names = Names(actor=actor, create=create)
    stream, noted = iter(rows), set[int]()
    with Writers[_ChunkResult](writers) as pool:
        while chunk := list(islice(stream, rows_at_a_time(writers))):
            problems = [item for item in chunk if isinstance(item, Problem)]
            good = [item for item in chunk if isinstance(item, HistoryRow)]
            resolved = patiently(partial(_resolve, names, good, problems, noted, now), on_wait)
            for problem in problems:
                _note(report, problem, on_problem)
            patiently(partial(_make_months, resolved), on_wait)
            for share, writer, part in _turns(shares(resolved, writers)):
                work = partial(_import_chunk, actor, share, part, now)
                pool.submit(writer, partial(patiently, work, on_wait))
                for result in pool.results():
                    _add(report, result, on_problem)
                on_progress(report)
        for result in pool.last_results():
            _add(report, result, on_problem)
    on_progress(report)
    report.created = names.created
    patiently(partial(_record, actor, report, now), on_wait)
    return report


def _resolve(
    names: Names, rows: Sequence[HistoryRow], problems: list[Problem], noted: set[int], now: datetime
) -> list[ResolvedRow]:
    """Find what rows name. Of what is undone, nothing is remembered."""
    created, before = len(names.created), len(problems)
    try:
        with scope(Scope.everything()):
            resolved = [found for row in rows if (found := names.resolve(row, problems)) is not None]
            # Their ids come of their keys, so these parcels are in any home.
            if couriers := {row.courier_id for row in resolved} - noted:
                note_imports(courier_ids=couriers, now=now)
    except BaseException:
        names.undo(created=created)
        del problems[before:]
        raise
    noted |= couriers
    return resolved


def _record(actor: Actor, report: ImportReport, now: datetime) -> None:
    with scope(Scope.everything()):
        audit.record(
            actor=actor,
            verb="history.imported",
            object_type="history",
            object_id=f"{now:%Y-%m-%dT%H:%M:%S}",
            detail={"new": report.new, "known": report.known, "bad": report.bad, "created": report.created},
        )


def _note(report: ImportReport, problem: Problem, on_problem: Callable[[Problem], None]) -> None:
    if problem.is_warning:
        report.warnings += 1
    # A row with several problems is one bad row.
    elif not any(
        earlier.line == problem.line and not earlier.is_warning for earlier in report.problems[-12:]
    ):
        report.bad += 1
    # The report keeps the first thousand; on_problem gets all of them.
    if len(report.problems) < _PROBLEMS_KEPT:
        report.problems.append(problem)
    on_problem(problem)


def _add(report: ImportReport, result: _ChunkResult, on_problem: Callable[[Problem], None]) -> None:
    report.new += result.new
    report.known += result.known
    for problem in result.problems:
        _note(report, problem, on_problem)


def _make_months(rows: Sequence[ResolvedRow]) -> None:
    if rows:
        days = [row.row.booked_at.astimezone(UTC).date() for row in rows]
        ensure_months(Month.of(min(days)), Month.of(max(days)))


def _turns(of: Sequence[Share]) -> Iterator[tuple[Share, int, Sequence[ResolvedRow]]]:
    """Yield the chunks of each writer's share in turns, with the number of the writer."""
    for turn in zip_longest(*(share.chunks() for share in of)):
        for writer, (share, chunk) in enumerate(zip(of, turn, strict=True)):
            if chunk:
                yield share, writer, chunk


def _import_chunk(actor: Actor, share: Share, rows: Sequence[ResolvedRow], now: datetime) -> _ChunkResult:
    for _attempt in range(_ATTEMPTS):
        with suppress(_IdTaken), scope(Scope.everything()):
            _keep_to_one_connection()
            return _write(actor, share, rows, now)
    raise _IdTaken


def _keep_to_one_connection() -> None:
    # Citus would ask all shards over several connections to each worker, and close all but one of them after
    # the transaction; each would have to plan the statements of its shards anew.
    if is_distributed():
        with connection.cursor() as cursor:
            cursor.execute(Settings("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"))


def _write(actor: Actor, share: Share, rows: Sequence[ResolvedRow], now: datetime) -> _ChunkResult:
    result = _ChunkResult()
    parcels = list(_place(rows, share.stored, result.problems))
    acquaint((parcel.of.merchant_id, parcel.of.courier_id) for parcel in parcels)
    new_ids = _insert(parcels)
    if any(parcel.id not in new_ids and not parcel.is_known for parcel in parcels):
        raise _IdTaken
    open_commitments([_draft(parcel) for parcel in parcels if parcel.id in new_ids])
    record_scans(actor=actor, lines=list(_scans(parcels)), now=now)
    _cancel(
        [parcel for parcel in parcels if parcel.of.row.cancelled_at and parcel.of.row.never_handed_over], now
    )
    result.new, result.known = len(new_ids), len(parcels) - len(new_ids)
    return result


def _place(rows: Sequence[ResolvedRow], stored: Stored, problems: list[Problem]) -> Iterator[PlacedRow]:
    ids = Ids(rows, stored)
    for row in rows:
        if (placed := ids.place(row, problems)) is not None:
            yield placed


def _insert(parcels: Sequence[PlacedRow]) -> set[int]:
    columns = {
        "id": [parcel.id for parcel in parcels],
        "merchant_id": [parcel.of.merchant_id for parcel in parcels],
        "courier_id": [parcel.of.courier_id for parcel in parcels],
        "tier_id": [parcel.of.tier_id for parcel in parcels],
        "origin_id": [parcel.of.origin.pk for parcel in parcels],
        "destination_id": [parcel.of.destination.pk for parcel in parcels],
        "reference": [parcel.of.row.reference for parcel in parcels],
        "booked_at": [parcel.of.row.booked_at for parcel in parcels],
        "deliver_by": [parcel.of.row.promised_by for parcel in parcels],
    }
    return {row[0] for row in raw_rows(_INSERT, columns)}


def _draft(parcel: PlacedRow) -> CommitmentDraft:
    # The file has delivery promises only, no pickup promises.
    return CommitmentDraft(
        parcel_id=parcel.id,
        kind=CommitmentKind.DELIVERY,
        merchant_id=parcel.of.merchant_id,
        courier_id=parcel.of.courier_id,
        tier_id=parcel.of.tier_id,
        origin_id=parcel.of.origin.pk,
        destination_id=parcel.of.destination.pk,
        version_id=None,
        due_at=parcel.of.row.promised_by,
        zone=parcel.of.destination.time_zone,
        ready_at=parcel.of.row.booked_at,
    )


def _scans(parcels: Sequence[PlacedRow]) -> Iterator[ScanLine]:
    for parcel in parcels:
        number = tracking_number(parcel.id)
        moments = (
            (ScanCode.PICKED_UP, parcel.of.row.picked_up_at, None),
            (ScanCode.ATTEMPT_FAILED, _failed_attempt(parcel.of.row), ScanReason.CONSIGNEE_UNRECORDED),
            (ScanCode.DELIVERED, parcel.of.row.delivered_at, None),
        )
        for code, moment, reason in moments:
            if moment is not None:
                yield ScanLine(
                    tracking_number=number,
                    code=str(code),
                    occurred_at=moment,
                    event_id=f"history:{code}",
                    reason=str(reason) if reason else None,
                )


def _failed_attempt(row: HistoryRow) -> datetime | None:
    # An attempt at the time of the delivery is the delivery itself.
    return row.attempted_at if row.attempted_at != row.delivered_at else None


def _cancel(parcels: Sequence[PlacedRow], now: datetime) -> None:
    if not parcels:
        return
    by_moment: dict[datetime, list[int]] = defaultdict(list)
    for parcel in parcels:
        by_moment[parcel.of.row.cancelled_at or now].append(parcel.id)
    for moment, ids in by_moment.items():
        Parcel.objects.filter(id__in=ids, status=ParcelStatus.BOOKED).update(
            status=ParcelStatus.CANCELLED, status_at=moment, cancelled_at=moment
        )
    cancelled = Parcel.objects.filter(id__in=[parcel.id for parcel in parcels], status=ParcelStatus.CANCELLED)
    void_commitments(parcel_ids=list(cancelled.values_list("id", flat=True)), at=now)
