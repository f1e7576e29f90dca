"""Retention: old months leave the database for files, a month at a time, the oldest first.

What a month goes through, each step committed, so that one that was cut off anywhere is gone on with:

1. It is written down as leaving. From here on its parcels are answered with "gone", and the audits of rates
   and credits take what they come to as it stands.
2. Its tables are detached: nothing can write to them any more, so what is read is what stays. What of it was
   overdue is no longer counted as overdue now.
3. Each is written to a file, which is read back and compared; what it holds is noted.
4. All are: the manifest is written, and then the tables are dropped.
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
from alliance.database.partitions import Month
from alliance.database.retirement import LEAST_MONTHS
from alliance.errors import Conflict
from alliance.models import RetiredMonth
from alliance.tenancy import Actor, Scope, raw_rows, require, scope
from parcels.bookings.models import Parcel
from parcels.retention import archive_files
from slas.choices import ExcuseState, ExportContent, ExportState, Outcome
from slas.models import ClosedMonth, Commitment, CreditCheck, CreditEntry, Excuse, Export, Tally
from slas.rates.services.folding import no_longer_overdue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is of a month, and what keeps it from leaving."""

    month: Month
    rows: dict[str, int]
    bytes: int
    begun: bool = False
    blockers: list[str] = field(default_factory=list)


def months_due(*, now: datetime) -> list[Month]:
    """Months that should leave, the oldest first: begun ones, and all older than the setting says."""
    kept = max(settings.RETENTION_MONTHS, LEAST_MONTHS)
    last = Month.of(now.astimezone(UTC).date()).plus(-kept - 1)
    begun = [Month.of(row.month) for row in _unfinished()]
    month = partitions.first_month()
    found = []
    while month is not None and month <= last:
        if month not in begun:
            found.append(month)
        month = month.plus(1)
    return [*begun, *found]


def survey(month: Month, *, now: datetime) -> Survey:
    """Count a month and look for what is open in it; change nothing. Needs the scope of everything."""
    begun = RetiredMonth.objects.filter(month=month.first_day).first()
    if begun is not None:
        return Survey(month, {name: kept["rows"] for name, kept in begun.tables.items()}, 0, begun=True)
    low, high = month.id_range
    rows, size = {}, 0
    for table in partitions.partitioned_tables():
        key = "id" if table == Parcel._meta.db_table else "parcel_id"
        within = f"SELECT count(*) FROM {table} WHERE {key} >= %s AND {key} < %s"  # noqa: S608 -- of the catalogue
        [(rows[table],)] = raw_rows(within, [low, high])
        name = partitions.partition_name(table, month)
        [(bytes_,)] = raw_rows("SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0)", [name])
        size += bytes_
    return Survey(month, rows, size, blockers=_blockers(month, now))


def retire_month(*, actor: Actor, month: Month, now: datetime) -> RetiredMonth:
    """Move a month to files and drop it, or go on with it where an attempt was cut off.

    Needs to be outside any transaction. Raises NotPermitted for everybody but operators, Conflict when
    something in the month is open, or an older one is still here; archive_files.Damaged when a file is
    not what the table is, and leaves the table then.
    """
    require(actor, Capability.OPERATE)
    retired = _begin(actor, month, now)
    if retired.state == RetirementState.LEAVING:
        # Parcels first, as the tables' names have it: a scan that finds no parcel writes nothing further on.
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
        # Two that begin at once: the second one finds what the first has written.
        cursor.execute("LOCK TABLE alliance_retiredmonth IN SHARE ROW EXCLUSIVE MODE")
        begun = RetiredMonth.objects.filter(month=month.first_day).first()
        if begun is not None:
            return begun
        found = survey(month, now=now)
        if found.blockers:
            raise Conflict("; ".join(found.blockers), code="month_open")
        retired = RetiredMonth.objects.create(
            month=month.first_day, due_through=_due_through(month), folder=str(month), label=actor.label
        )
        _clear_lists(month)
        _record(actor, "month.leaving", month, {"rows": found.rows, "folder": str(month)})
    return retired


def _is_still(retired: RetiredMonth, state: RetirementState) -> bool:
    """Whether nobody else has gone on with a month meanwhile; until the transaction ends, nobody does."""
    retired.refresh_from_db(from_queryset=RetiredMonth.objects.select_for_update())
    return retired.state == state


def _leave(retired: RetiredMonth, month: Month) -> None:
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.LEAVING):
            return
        for table in partitions.partitioned_tables():
            _let_workers_read(partitions.partition_name(table, month))
        no_longer_overdue(partitions.partition_name(Commitment._meta.db_table, month))
        retired.state = RetirementState.DETACHED
        retired.save(update_fields=["state"])


def _write(retired: RetiredMonth, table: str, month: Month) -> None:
    """Write one table's file, unless an attempt before has, and it is still what it was."""
    path, name = folder_of(month) / f"{table}.parquet", partitions.partition_name(table, month)
    with scope(Scope.everything()):
        if not _is_still(retired, RetirementState.DETACHED):
            return
        noted = retired.tables.get(table)
        if noted and path.is_file() and archive_files.digest(path) == noted["sha256"]:
            return
        written = archive_files.write(archive_files.Source.of(name, table), path)
        retired.tables[table] = written._asdict()
        retired.save(update_fields=["tables"])
    log.info("month_table_written", table=name, rows=written.rows, bytes=written.bytes)


def _let_workers_read(name: str) -> None:
    """Give a detached month a policy of its own: so far it shows nothing but through its parent."""
    everything = "nullif(current_setting('alliance.scope', true), '') = 'all'"
    raw_rows(f"CREATE POLICY {name}_read ON {name} FOR SELECT USING ({everything})")


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
    """Take the month's parcels off lists that are worked out anew, and forget wrong digits."""
    for table in ("slas_watchitem", "parcels_recipientproof"):
        raw_rows(f"DELETE FROM {table} WHERE parcel_id >= %s AND parcel_id < %s", list(month.id_range))  # noqa: S608


def _due_through(month: Month) -> date | None:
    low, high = month.id_range
    due = Commitment.objects.filter(parcel_id__gte=low, parcel_id__lt=high).aggregate(last=Max("due_date"))
    last: date | None = due["last"]
    return last


def _blockers(month: Month, now: datetime) -> list[str]:
    """What is open in a month, in words; nothing when it may leave."""
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
    found: Sequence[tuple[int, str]] = [
        (Commitment.objects.filter(**within, outcome=Outcome.PENDING).count(), "promises are still open"),
        (Excuse.objects.filter(**within, state=ExcuseState.CLAIMED).count(), "claims wait for a decision"),
        (CreditCheck.objects.filter(**within).count(), "credits wait to be worked out"),
        (entries.count(), "credits are on a statement that is not final"),
        (
            Tally.objects.filter(due_date__lte=due_through).count(),
            "changes wait to be counted into the rates",
        ),
        (exports.count(), "exports are being written"),
        (unerased.count(), "parcels still name their recipient"),
    ]
    blockers = [f"{count:,} {what}" for count, what in found if count]
    if due_through >= now.astimezone(UTC).date():
        blockers.append(f"something falls due on {due_through}")
    older = partitions.first_month()
    if older is not None and older < month:
        blockers.append(f"{older} is still here, and months leave in order")
    return blockers


def _record(actor: Actor, verb: str, month: Month, detail: dict[str, object]) -> None:
    audit.record(actor=actor, verb=verb, object_type="month", object_id=str(month), detail=detail)
