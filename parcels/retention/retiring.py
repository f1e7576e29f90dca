"""Retention: move old months from the database to files, one month at a time, oldest first.

The steps for a month. Each is committed, so that an interrupted retirement resumes at any point:

1. The month is recorded as leaving. From now on requests for its parcels get "gone", and the audits of
   rates and credits accept its current totals.
2. Its tables are detached: nothing can write to them any more, so their content is final. Its overdue
   commitments no longer count as overdue now.
3. Each table is written to a file, which is read back and compared; its size and digest are recorded.
4. When all tables are written, the manifest is written, and then the tables are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Max

from alliance import audit
from alliance.choices import Capability, RetirementState
from alliance.database import partitions
from alliance.database.owner import as_owner
from alliance.database.partitions import Month
from alliance.database.retirement import LEAST_MONTHS
from alliance.errors import Conflict
from alliance.models import RetiredMonth
from alliance.tenancy import Actor, Scope, raw_rows, require, scope
from parcels.bookings.models import Parcel
from parcels.freight.models import FreightMonth, FreightSum, Surcharge
from parcels.retention import archive_files
from slas.choices import ExcuseState, ExportContent, ExportState, Outcome
from slas.models import ClosedMonth, Commitment, CreditCheck, CreditEntry, Excuse, Export, Tally
from slas.rates.services.folding import no_longer_overdue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """The size of a month, and the reasons why it cannot be retired yet."""

    month: Month
    rows: dict[str, int]
    bytes: int
    begun: bool = False
    blockers: list[str] = field(default_factory=list)


def months_due(*, now: datetime) -> list[Month]:
    """The months to retire, oldest first: started ones, and all older than the setting."""
    kept_months = max(settings.RETENTION_MONTHS, LEAST_MONTHS)
    last = Month.of(now.astimezone(UTC).date()).plus(-kept_months - 1)
    started = [Month.of(row.month) for row in _unfinished()]
    month = partitions.first_month()
    due = []
    while month is not None and month <= last:
        if month not in started:
            due.append(month)
        month = month.plus(1)
    return [*started, *due]


def survey(month: Month, *, now: datetime) -> Survey:
    """Count a month's rows and find its blockers; read-only. Needs the scope of everything."""
    retired = RetiredMonth.objects.filter(month=month.first_day).first()
    if retired is not None:
        return Survey(
            month, {name: table_info["rows"] for name, table_info in retired.tables.items()}, 0, begun=True
        )
    low, high = month.id_range
    rows, size = {}, 0
    for table in partitions.partitioned_tables():
        key = "id" if table == Parcel._meta.db_table else "parcel_id"
        statement = f"SELECT count(*) FROM {table} WHERE {key} >= %s AND {key} < %s"  # noqa: S608 -- of the catalogue
        [(rows[table],)] = raw_rows(statement, [low, high])
        name = partitions.partition_name(table, month)
        [(bytes_,)] = raw_rows("SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0)", [name])
        size += bytes_
    return Survey(month, rows, size, blockers=_blockers(month, now))


def retire_month(*, actor: Actor, month: Month, now: datetime) -> RetiredMonth:
    """Move a month to files and drop it, or resume an interrupted attempt.

    Needs the owner of the tables, and no transaction. Raises NotPermitted for actors other than operators,
    Conflict if the month has blockers or an older month is still in the database; archive_files.Damaged if a
    file differs from its table, which then stays.
    """
    require(actor, Capability.OPERATE)
    # A detached month has no policy, and shows its rows to its owner only.
    with as_owner():
        return _retire(actor, month, now)


def _retire(actor: Actor, month: Month, now: datetime) -> RetiredMonth:
    retired = _begin(actor, month, now)
    if retired.state == RetirementState.LEAVING:
        # The order of the table names puts parcels first: a scan that finds no parcel writes nothing else.
        for table in partitions.partitioned_tables():
            partitions.detach_month(table, month)
        _leave(retired, month)
    if retired.state == RetirementState.DETACHED:
        for table in partitions.partitioned_tables():
            _write(retired, table, month)
        _seal(retired, month)
    if retired.state == RetirementState.WRITTEN:
        for table in partitions.partitioned_tables():
            partitions.drop_detached(table, month)
        _finish(actor, retired, month)
    return retired


def folder_of(month: Month) -> Path:
    return Path(settings.ARCHIVE_ROOT) / str(month)


def _unfinished() -> list[RetiredMonth]:
    return list(RetiredMonth.objects.exclude(state=RetirementState.GONE).order_by("month"))


def _begin(actor: Actor, month: Month, now: datetime) -> RetiredMonth:
    with scope(Scope.everything()), connection.cursor() as cursor:
        # If two processes start at once, the second one finds the row of the first.
        cursor.execute("LOCK TABLE alliance_retiredmonth IN SHARE ROW EXCLUSIVE MODE")
        existing = RetiredMonth.objects.filter(month=month.first_day).first()
        if existing is not None:
            return existing
        month_survey = survey(month, now=now)
        if month_survey.blockers:
            raise Conflict("; ".join(month_survey.blockers), code="month_open")
        retired = RetiredMonth.objects.create(
            month=month.first_day, due_through=_due_through(month), folder=str(month), label=actor.label
        )
        _clear_lists(month)
        _record(actor, "month.leaving", month, {"rows": month_survey.rows, "folder": str(month)})
    return retired


def _is_still(retired: RetiredMonth, state: RetirementState) -> bool:
    """Whether the month is still in this state. Locks it until the transaction ends."""
    retired.refresh_from_db(from_queryset=RetiredMonth.objects.select_for_update())
    return retired.state == state


def _leave(retired: RetiredMonth, month: Month) -> None:
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.LEAVING):
            return
        no_longer_overdue(partitions.partition_name(Commitment._meta.db_table, month))
        retired.state = RetirementState.DETACHED
        retired.save(update_fields=["state"])


def _write(retired: RetiredMonth, table: str, month: Month) -> None:
    """Write one table's file, unless an earlier attempt wrote it and its digest still matches."""
    path, name = folder_of(month) / f"{table}.parquet", partitions.partition_name(table, month)
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.DETACHED):
            return
        table_info = retired.tables.get(table)
        if table_info and path.is_file() and archive_files.digest(path) == table_info["sha256"]:
            return
        written = archive_files.write(archive_files.Source.of(name, table), path)
        retired.tables[table] = written._asdict()
        retired.save(update_fields=["tables"])
    log.info("month_table_written", table=name, rows=written.rows, bytes=written.bytes)


def _seal(retired: RetiredMonth, month: Month) -> None:
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.DETACHED):
            return
        content = {"month": str(month), "ids": list(month.id_range), "tables": retired.tables}
        archive_files.write_manifest(folder_of(month), content)
        retired.state = RetirementState.WRITTEN
        retired.save(update_fields=["state"])


def _finish(actor: Actor, retired: RetiredMonth, month: Month) -> None:
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.WRITTEN):
            return
        retired.state, retired.gone_at = RetirementState.GONE, datetime.now(UTC)
        retired.save(update_fields=["state", "gone_at"])
        _record(actor, "month.retired", month, {"tables": retired.tables, "folder": retired.folder})


def _clear_lists(month: Month) -> None:
    """Delete the month's parcels from lists that are computed again, counts of wrong digits, and requests."""
    for table in ("slas_watchitem", "parcels_recipientproof", "parcels_returnrequest"):
        raw_rows(f"DELETE FROM {table} WHERE parcel_id >= %s AND parcel_id < %s", list(month.id_range))  # noqa: S608


def _due_through(month: Month) -> date | None:
    low, high = month.id_range
    due = Commitment.objects.filter(parcel_id__gte=low, parcel_id__lt=high).aggregate(last=Max("due_date"))
    last: date | None = due["last"]
    return last


def _blockers(month: Month, now: datetime) -> list[str]:
    """Why a month cannot be retired yet, in words; empty when it can."""
    low, high = month.id_range
    within = {"parcel_id__gte": low, "parcel_id__lt": high}
    due_through = _due_through(month) or date.min
    entries = CreditEntry.objects.filter(**within).exclude(month__in=ClosedMonth.objects.values("month"))
    exports = Export.objects.filter(
        content=ExportContent.COMMITMENTS,
        state__in=[ExportState.QUEUED, ExportState.RUNNING],
        first__lte=due_through,
    )
    unerased = Parcel.objects.filter(id__gte=low, id__lt=high, erased_at=None)
    counts: Sequence[tuple[int, str]] = [
        (Commitment.objects.filter(**within, outcome=Outcome.PENDING).count(), "promises are still open"),
        (Excuse.objects.filter(**within, state=ExcuseState.CLAIMED).count(), "claims wait for a decision"),
        (CreditCheck.objects.filter(**within).count(), "credits wait to be worked out"),
        (entries.count(), "credits are on a statement that is not final"),
        (
            Tally.objects.filter(due_date__lte=due_through).count(),
            "changes wait to be counted into the rates",
        ),
        (exports.count(), "exports are being written"),
        (_open_freight(month), "sums and surcharges of freight are not final"),
        (unerased.count(), "parcels still name their recipient"),
    ]
    blockers = [f"{count:,} {text}" for count, text in counts if count]
    if due_through >= now.astimezone(UTC).date():
        blockers.append(f"something falls due on {due_through}")
    older = partitions.first_month()
    if older is not None and older < month:
        blockers.append(f"{older} is still here, and months leave in order")
    return blockers


def _open_freight(month: Month) -> int:
    """What is open of the freight of a month: its lines would go, and could not be counted again."""
    # A month of UTC ends on the first day of Beijing's next one.
    months = [month.first_day, month.plus(1).first_day]
    final = FreightMonth.objects.values("month")
    of_months = [
        model.objects.filter(month__in=months).exclude(month__in=final) for model in (FreightSum, Surcharge)
    ]
    return sum(rows.count() for rows in of_months)


def _record(actor: Actor, verb: str, month: Month, detail: dict[str, object]) -> None:
    audit.record(actor=actor, verb=verb, object_type="month", object_id=str(month), detail=detail)
