"""Importing parcels moved before joining: through the services that scans and promises go through."""

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

# Merchant, courier and reference: what an imported parcel is known by.
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
    """What became of a file. Rows read = new + known + bad."""

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
class _Placed:
    """A row whose names have been found."""

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
    """Import rows, a thousand a transaction; a bad one is reported and costs the others nothing.

    A parcel's id follows from its booking time and names, so a file may be imported again, whole or
    after a crash: nothing is doubled, and what has happened since is added. Unknown merchants and
    couriers are created only with `create`; such a courier is an applicant, not vetted.
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
    # A row with several things wrong is one bad row.
    elif not any(known.line == problem.line and not known.is_warning for known in report.problems[-12:]):
        report.bad += 1
    # The first thousand are kept for the report; all of them go to on_problem.
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
    booked = [row.booked_at.astimezone(UTC).date() for row in rows]
    ensure_months(Month.of(min(booked)), Month.of(max(booked)))
    problems: list[Problem] = []
    with scope(Scope.everything()):
        placed = list(_place(rows, names, problems))
        new = _insert(placed)
        open_commitments([_draft(item) for item in placed if item.id in new], at=now)
        record_scans(actor=actor, lines=list(_scans(placed)), now=now)
        _cancel([item for item in placed if item.row.cancelled_at and item.row.never_handed_over], now)
    report.new += len(new)
    report.known += len(placed) - len(new)
    for problem in problems:
        _note(report, problem, on_problem)


class _Names:
    """Merchants, couriers, tiers and cities by what the file calls them, each looked up once."""

    def __init__(self, *, actor: Actor, create: bool) -> None:
        self.actor, self.create = actor, create
        self.created: list[str] = []
        self.tiers = dict(ServiceTier.objects.values_list("code", "id"))
        self._cities = CityFinder()
        self._organisations: dict[tuple[str, str], int | None] = {}

    def city(self, text: str) -> City:
        return self._cities.find(text)

    def organisation(self, kind: OrganisationKind, name: str) -> int | None:
        """Return the id of an organisation, None for one that is unknown and not to be created."""
        key = (kind, name)
        if key not in self._organisations:
            known = Organisation.objects.filter(kind=kind)
            found = known.filter(slug=name).first() or known.filter(name__iexact=name).first()
            if found is not None:
                self._organisations[key] = found.pk
            else:
                self._organisations[key] = self._create(kind, name) if self.create else None
        return self._organisations[key]

    def _create(self, kind: OrganisationKind, name: str) -> int:
        made = create_organisation(actor=self.actor, kind=kind, name=name)
        if kind == OrganisationKind.COURIER:
            Courier.objects.create(organisation=made, legal_name=name)
        self.created.append(f"{kind}: {name}")
        return made.pk


def _place(rows: list[HistoryRow], names: _Names, problems: list[Problem]) -> Iterator[_Placed]:
    drafts = [found for row in rows if (found := _found(row, names, problems)) is not None]
    ids = _Ids(drafts)
    for draft in drafts:
        parcel_id = ids.give(draft, problems)
        if parcel_id is not None:
            yield replace(draft, id=parcel_id)


def _found(row: HistoryRow, names: _Names, problems: list[Problem]) -> _Placed | None:
    before = len(problems)
    tier_id = names.tiers.get(row.tier, 0)
    if not tier_id:
        known = ", ".join(names.tiers)
        message = _("There is no tier “%(tier)s”; there are %(known)s.")
        problems.append(Problem(row.line, "tier", message % {"tier": row.tier, "known": known}))
    cities = []
    for column in ("origin", "destination"):
        try:
            cities.append(names.city(getattr(row, column)))
        except UnknownCity as error:
            problems.append(Problem(row.line, column, str(error)))
    ids = []
    for column, kind in (("merchant", OrganisationKind.MERCHANT), ("courier", OrganisationKind.COURIER)):
        # Nobody is created for a row that is refused.
        name = getattr(row, column)
        organisation_id = names.organisation(kind, name) if len(problems) == before else None
        if organisation_id is None and len(problems) == before:
            message = _("We know no %(column)s “%(name)s”. Import with --create to add it.")
            problems.append(Problem(row.line, column, message % {"column": column, "name": name}))
        ids.append(organisation_id or 0)
    if len(problems) > before:
        return None
    return _Placed(row, 0, ids[0], ids[1], tier_id, cities[0], cities[1])


class _Ids:
    """Ids of a chunk's parcels: each the first in its row's own sequence that no other parcel has."""

    def __init__(self, drafts: list[_Placed]) -> None:
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

    def give(self, draft: _Placed, problems: list[Problem]) -> int | None:
        """Return the row's id, or note why it has none: its reference stands for another parcel."""
        name, line = _name(draft), draft.row.line
        if name in self.lines:
            message = _("The same reference of the same merchant and courier is on line %(line)d already.")
            problems.append(Problem(line, "reference", message % {"line": self.lines[name]}))
            return None
        parcel_id = self._free(draft)
        if self.known.setdefault(name, parcel_id) != parcel_id:
            message = _("This reference was imported before with another booking time, as %(number)s.")
            number = tracking_number(self.known[name])
            problems.append(Problem(line, "reference", message % {"number": number}))
            return None
        self.owner[parcel_id] = name
        self.lines[name] = line
        return parcel_id

    def _free(self, draft: _Placed) -> int:
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
    def _candidate(draft: _Placed, attempt: int) -> int:
        # By ids, not by the file's spelling of names: a merchant may be renamed between two imports.
        key = f"{draft.merchant_id}|{draft.courier_id}|{draft.row.reference}"
        return history_parcel_id(draft.row.booked_at, key, attempt=attempt)


def _name(draft: _Placed) -> _Name:
    return draft.merchant_id, draft.courier_id, draft.row.reference


def _insert(placed: Sequence[_Placed]) -> set[int]:
    columns = {
        "id": [item.id for item in placed],
        "merchant_id": [item.merchant_id for item in placed],
        "courier_id": [item.courier_id for item in placed],
        "tier_id": [item.tier_id for item in placed],
        "origin_id": [item.origin.pk for item in placed],
        "destination_id": [item.destination.pk for item in placed],
        "reference": [item.row.reference for item in placed],
        "booked_at": [item.row.booked_at for item in placed],
        "deliver_by": [item.row.promised_by for item in placed],
    }
    return {row[0] for row in raw_rows(_INSERT, columns)}


def _draft(item: _Placed) -> CommitmentDraft:
    # The promise was given for delivery; nothing is known of a pickup promise.
    return CommitmentDraft(
        parcel_id=item.id,
        kind=CommitmentKind.DELIVERY,
        merchant_id=item.merchant_id,
        courier_id=item.courier_id,
        tier_id=item.tier_id,
        origin_id=item.origin.pk,
        destination_id=item.destination.pk,
        version_id=None,
        due_at=item.row.promised_by,
        zone=item.destination.time_zone,
        ready_at=item.row.booked_at,
    )


def _scans(placed: Sequence[_Placed]) -> Iterator[ScanLine]:
    for item in placed:
        number = tracking_number(item.id)
        moments = (
            (ScanCode.PICKED_UP, item.row.picked_up_at, None),
            (ScanCode.ATTEMPT_FAILED, _failed_attempt(item.row), ScanReason.CONSIGNEE_UNRECORDED),
            (ScanCode.DELIVERED, item.row.delivered_at, None),
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
    # An attempt at the moment of delivery is the delivery.
    return row.attempted_at if row.attempted_at != row.delivered_at else None


def _cancel(cancelled: Sequence[_Placed], now: datetime) -> None:
    if not cancelled:
        return
    by_moment: dict[datetime, list[int]] = defaultdict(list)
    for item in cancelled:
        by_moment[item.row.cancelled_at or now].append(item.id)
    for moment, ids in by_moment.items():
        Parcel.objects.filter(id__in=ids, status=ParcelStatus.BOOKED).update(
            status=ParcelStatus.CANCELLED, status_at=moment, cancelled_at=moment
        )
    gone = Parcel.objects.filter(id__in=[item.id for item in cancelled], status=ParcelStatus.CANCELLED)
    void_commitments(parcel_ids=list(gone.values_list("id", flat=True)), at=now)
