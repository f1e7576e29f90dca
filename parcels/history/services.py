"""Import parcels carried before a courier joined, through the services for scans and commitments."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, islice

from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import OrganisationKind
from alliance.cities import CityFinder, UnknownCity
from alliance.database.partitions import Month, ensure_months
from alliance.identifiers import history_parcel_id, tracking_number
from alliance.members.acquaintances import acquaint
from alliance.members.services.organisations import create_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.models import Courier
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, ScanCode, ScanReason
from parcels.history.rows import HistoryRow, Problem
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.choices import CommitmentKind
from slas.commitments.services.settling import CommitmentDraft, open_commitments, void_commitments
from slas.models import ServiceTier

CHUNK = 1_000

# Merchant, courier and reference: the identity of an imported parcel.
_Name = tuple[int, int, str]

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


@dataclass(frozen=True, slots=True)
class _ResolvedRow:
    """A row with the ids of its names."""

    row: HistoryRow
    id: int
    merchant_id: int
    courier_id: int
    tier_id: int
    origin: City
    destination: City


def import_history(
    *,
    actor: Actor,
    rows: Iterable[HistoryRow | Problem],
    create: bool,
    now: datetime,
    on_progress: Callable[[ImportReport], None] = lambda report: None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
) -> ImportReport:
    """Import rows, a thousand per transaction. A bad row is reported and does not affect the others.

    A parcel's id is derived from its booking time and names, so a file may be imported again, also after
    a crash: nothing is duplicated, and later scans are added. Unknown merchants and couriers are created
    only with `create`; a courier created here is an applicant and not vetted.
    """
    report = ImportReport()
    names = _Names(actor=actor, create=create)
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        for problem in chunk:
            if isinstance(problem, Problem):
                _note(report, problem, on_problem)
        _import_chunk(
            actor, names, [row for row in chunk if isinstance(row, HistoryRow)], now, report, on_problem
        )
        on_progress(report)
    report.created = names.created
    with scope(Scope.everything()):
        audit.record(
            actor=actor,
            verb="history.imported",
            object_type="history",
            object_id=f"{now:%Y-%m-%dT%H:%M:%S}",
            detail={"new": report.new, "known": report.known, "bad": report.bad, "created": report.created},
        )
    return report


def _note(report: ImportReport, problem: Problem, on_problem: Callable[[Problem], None]) -> None:
    if problem.is_warning:
        report.warnings += 1
    # A row with several problems is one bad row.
    elif not any(
        earlier.line == problem.line and not earlier.is_warning for earlier in report.problems[-12:]
    ):
        report.bad += 1
    # The report keeps the first thousand; on_problem gets all of them.
    if len(report.problems) < CHUNK:
        report.problems.append(problem)
    on_problem(problem)


def _import_chunk(
    actor: Actor,
    names: "_Names",
    rows: list[HistoryRow],
    now: datetime,
    report: ImportReport,
    on_problem: Callable[[Problem], None],
) -> None:
    if not rows:
        return
    booking_days = [row.booked_at.astimezone(UTC).date() for row in rows]
    ensure_months(Month.of(min(booking_days)), Month.of(max(booking_days)))
    problems: list[Problem] = []
    with scope(Scope.everything()):
        parcels = list(_place(rows, names, problems))
        acquaint((parcel.merchant_id, parcel.courier_id) for parcel in parcels)
        new_ids = _insert(parcels)
        open_commitments([_draft(parcel) for parcel in parcels if parcel.id in new_ids], at=now)
        record_scans(actor=actor, lines=list(_scans(parcels)), now=now)
        _cancel(
            [parcel for parcel in parcels if parcel.row.cancelled_at and parcel.row.never_handed_over], now
        )
    report.new += len(new_ids)
    report.known += len(parcels) - len(new_ids)
    for problem in problems:
        _note(report, problem, on_problem)


class _Names:
    """Merchants, couriers, tiers and cities by their names in the file; each is looked up once."""

    def __init__(self, *, actor: Actor, create: bool) -> None:
        self.actor, self.create = actor, create
        self.created: list[str] = []
        self.tiers = dict(ServiceTier.objects.values_list("code", "id"))
        self._cities = CityFinder()
        self._organisations: dict[tuple[str, str], int | None] = {}

    def city(self, text: str) -> City:
        return self._cities.find(text)

    def organisation(self, kind: OrganisationKind, name: str) -> int | None:
        """Return the id of an organisation; None if it is unknown and must not be created."""
        key = (kind, name)
        if key not in self._organisations:
            organisations = Organisation.objects.filter(kind=kind)
            organisation = (
                organisations.filter(slug=name).first() or organisations.filter(name__iexact=name).first()
            )
            if organisation is not None:
                self._organisations[key] = organisation.pk
            else:
                self._organisations[key] = self._create(kind, name) if self.create else None
        return self._organisations[key]

    def _create(self, kind: OrganisationKind, name: str) -> int:
        organisation = create_organisation(actor=self.actor, kind=kind, name=name)
        if kind == OrganisationKind.COURIER:
            Courier.objects.create(organisation=organisation, legal_name=name)
        self.created.append(f"{kind}: {name}")
        return organisation.pk


def _place(rows: list[HistoryRow], names: _Names, problems: list[Problem]) -> Iterator[_ResolvedRow]:
    drafts = [draft for row in rows if (draft := _resolve(row, names, problems)) is not None]
    ids = _Ids(drafts)
    for draft in drafts:
        parcel_id = ids.assign(draft, problems)
        if parcel_id is not None:
            yield replace(draft, id=parcel_id)


def _resolve(row: HistoryRow, names: _Names, problems: list[Problem]) -> _ResolvedRow | None:
    problem_count = len(problems)
    tier_id = names.tiers.get(row.tier, 0)
    if not tier_id:
        tiers = ", ".join(names.tiers)
        message = _("Unknown tier “%(tier)s”. Choose from: %(known)s.")
        problems.append(Problem(row.line, "tier", message % {"tier": row.tier, "known": tiers}))
    cities = []
    for column in ("origin", "destination"):
        try:
            cities.append(names.city(getattr(row, column)))
        except UnknownCity as error:
            problems.append(Problem(row.line, column, str(error)))
    ids = []
    for column, kind in (("merchant", OrganisationKind.MERCHANT), ("courier", OrganisationKind.COURIER)):
        # No organisation is created for a row that is rejected.
        name = getattr(row, column)
        organisation_id = names.organisation(kind, name) if len(problems) == problem_count else None
        if organisation_id is None and len(problems) == problem_count:
            message = _("Unknown %(column)s “%(name)s”. Import with --create to add it.")
            problems.append(Problem(row.line, column, message % {"column": column, "name": name}))
        ids.append(organisation_id or 0)
    if len(problems) > problem_count:
        return None
    return _ResolvedRow(row, 0, ids[0], ids[1], tier_id, cities[0], cities[1])


class _Ids:
    """Ids of a chunk's parcels: for each row, the first id of its sequence that no other parcel has."""

    def __init__(self, drafts: list[_ResolvedRow]) -> None:
        first = [self._candidate(draft, 0) for draft in drafts]
        references = [draft.row.reference for draft in drafts]
        stored = raw_rows(
            "SELECT id, merchant_id, courier_id, reference FROM parcels_parcel WHERE id = ANY(%s)"
            " UNION SELECT id, merchant_id, courier_id, reference FROM parcels_parcel"
            " WHERE reference = ANY(%s) AND reference <> '' AND source = 'history'",
            [first, references],
        )
        self.owner: dict[int, _Name] = {row[0]: (row[1], row[2], row[3]) for row in stored}
        self.known: dict[_Name, int] = {name: parcel_id for parcel_id, name in self.owner.items()}
        self.lines: dict[_Name, int] = {}

    def assign(self, draft: _ResolvedRow, problems: list[Problem]) -> int | None:
        """Return the row's id; None, with a problem, if its reference belongs to another parcel."""
        name, line = _name(draft), draft.row.line
        if name in self.lines:
            message = _("Line %(line)d already has this reference of the same merchant and courier.")
            problems.append(Problem(line, "reference", message % {"line": self.lines[name]}))
            return None
        parcel_id = self._free(draft)
        if self.known.setdefault(name, parcel_id) != parcel_id:
            message = _("This reference was imported with a different booking time, as %(number)s.")
            number = tracking_number(self.known[name])
            problems.append(Problem(line, "reference", message % {"number": number}))
            return None
        self.owner[parcel_id] = name
        self.lines[name] = line
        return parcel_id

    def _free(self, draft: _ResolvedRow) -> int:
        for attempt in count():
            parcel_id = self._candidate(draft, attempt)
            if attempt and parcel_id not in self.owner:
                self._look_up(parcel_id)
            if self.owner.get(parcel_id, _name(draft)) == _name(draft):
                return parcel_id
        raise AssertionError("the sequence of ids does not end")

    def _look_up(self, parcel_id: int) -> None:
        stored = (
            Parcel.objects.filter(pk=parcel_id).values_list("merchant_id", "courier_id", "reference").first()
        )
        if stored is not None:
            self.owner[parcel_id] = stored

    @staticmethod
    def _candidate(draft: _ResolvedRow, attempt: int) -> int:
        # Derived from ids, not from names in the file: a merchant may be renamed between two imports.
        key = f"{draft.merchant_id}|{draft.courier_id}|{draft.row.reference}"
        return history_parcel_id(draft.row.booked_at, key, attempt=attempt)


def _name(draft: _ResolvedRow) -> _Name:
    return draft.merchant_id, draft.courier_id, draft.row.reference


def _insert(parcels: Sequence[_ResolvedRow]) -> set[int]:
    columns = {
        "id": [parcel.id for parcel in parcels],
        "merchant_id": [parcel.merchant_id for parcel in parcels],
        "courier_id": [parcel.courier_id for parcel in parcels],
        "tier_id": [parcel.tier_id for parcel in parcels],
        "origin_id": [parcel.origin.pk for parcel in parcels],
        "destination_id": [parcel.destination.pk for parcel in parcels],
        "reference": [parcel.row.reference for parcel in parcels],
        "booked_at": [parcel.row.booked_at for parcel in parcels],
        "deliver_by": [parcel.row.promised_by for parcel in parcels],
    }
    return {row[0] for row in raw_rows(_INSERT, columns)}


def _draft(parcel: _ResolvedRow) -> CommitmentDraft:
    # The file has delivery promises only, no pickup promises.
    return CommitmentDraft(
        parcel_id=parcel.id,
        kind=CommitmentKind.DELIVERY,
        merchant_id=parcel.merchant_id,
        courier_id=parcel.courier_id,
        tier_id=parcel.tier_id,
        origin_id=parcel.origin.pk,
        destination_id=parcel.destination.pk,
        version_id=None,
        due_at=parcel.row.promised_by,
        zone=parcel.destination.time_zone,
        ready_at=parcel.row.booked_at,
    )


def _scans(parcels: Sequence[_ResolvedRow]) -> Iterator[ScanLine]:
    for parcel in parcels:
        number = tracking_number(parcel.id)
        moments = (
            (ScanCode.PICKED_UP, parcel.row.picked_up_at, None),
            (ScanCode.ATTEMPT_FAILED, _failed_attempt(parcel.row), ScanReason.CONSIGNEE_UNRECORDED),
            (ScanCode.DELIVERED, parcel.row.delivered_at, None),
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


def _cancel(parcels: Sequence[_ResolvedRow], now: datetime) -> None:
    if not parcels:
        return
    by_moment: dict[datetime, list[int]] = defaultdict(list)
    for parcel in parcels:
        by_moment[parcel.row.cancelled_at or now].append(parcel.id)
    for moment, ids in by_moment.items():
        Parcel.objects.filter(id__in=ids, status=ParcelStatus.BOOKED).update(
            status=ParcelStatus.CANCELLED, status_at=moment, cancelled_at=moment
        )
    cancelled = Parcel.objects.filter(id__in=[parcel.id for parcel in parcels], status=ParcelStatus.CANCELLED)
    void_commitments(parcel_ids=list(cancelled.values_list("id", flat=True)), at=now)
