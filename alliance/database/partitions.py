"""Monthly partitions of the partitioned tables.

Parcels and the tables that belong to them are range-partitioned by parcel id, one partition per month.
Ids contain their time, so a month is a range of ids, and retention drops a partition.

Nothing here makes writers wait. Attaching and detaching a month take SHARE UPDATE EXCLUSIVE on the parent,
which does not conflict with reads and writes, and exclusive locks only on the month, which is not in use yet
or any more. This requires that no partitioned table has a foreign key in the database: attaching, detaching
and dropping would lock the referenced table until the last long transaction ends.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError, connection, migrations, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.database import cluster, table_storage
from alliance.database.owner import as_owner
from alliance.database.postgresql.messages import Settings
from alliance.errors import Conflict
from alliance.identifiers import moment_of, parcel_id_at
from alliance.locks import Lock, wait_for

log = structlog.get_logger(__name__)
T = TypeVar("T")

MONTHS_AHEAD = 6
# How long and how often to wait for a lock: an ANALYZE of the table or another change of months may hold it.
# Longer than the second after which PostgreSQL cancels a blocking autovacuum.
LOCK_TIMEOUT = "2s"
_ATTEMPTS = 30
_PAUSE = 1.0
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    @classmethod
    def of_parcel(cls, parcel_id: int) -> "Month":
        """Return the month of a parcel's partitions."""
        return cls.of(moment_of(parcel_id))

    def plus(self, months: int) -> "Month":
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def suffix(self) -> str:
        return f"y{self.year}m{self.month:02d}"

    @property
    def id_range(self) -> tuple[int, int]:
        """Return the month's range of parcel ids: lower bound inclusive, upper exclusive."""
        return parcel_id_at(self.start), parcel_id_at(self.plus(1).start)


def partitioned_tables() -> list[str]:
    """Return the names of the partitioned tables of this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'p'"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
        return [row[0] for row in cursor.fetchall()]


def months_of(table: str) -> list[str]:
    """Return the suffixes (y2026m11) of the months that exist, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(%s) AND NOT i.inhdetachpending ORDER BY c.relname",
            [table],
        )
        return [row[0].removeprefix(f"{table}_") for row in cursor.fetchall()]


def first_month() -> Month | None:
    """Return the oldest month that any table has."""
    suffixes = [months[0] for table in partitioned_tables() if (months := months_of(table))]
    if not suffixes:
        return None
    oldest = min(suffixes)
    return Month(int(oldest[1:5]), int(oldest[6:8]))


def retired_before() -> int:
    """Return the lowest parcel id that was not retired: months are retired in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(month) FROM alliance_retiredmonth")
        (last,) = cursor.fetchone()
    return Month.of(last).id_range[1] if last else 0


def partition_name(table: str, month: Month) -> str:
    return f"{table}_{month.suffix}"


def ensure_months(first: Month, last: Month) -> int:
    """Create the months from first to last in every partitioned table; return how many are new.

    Each is created in its own transaction, which waits for a lock only briefly and retries. May run twice
    and concurrently. Raises Conflict for a retired month.
    """
    if first.id_range[0] < retired_before():
        message = _("Parcels of %(month)s are archived; no more can be added.")
        raise Conflict(message % {"month": first}, code="retired")
    count = 0
    for table in partitioned_tables():
        present = set(months_of(table))
        for month in _between(first, last):
            if month.suffix not in present:
                count += with_lock_retries(partial(_make_month, table, month))
    return count


def ensure_months_ahead(*, now: datetime | None = None, ahead: int = MONTHS_AHEAD) -> int:
    """Create last month, this one, and `ahead` more; return how many are new."""
    this = Month.of((now or timezone.now()).astimezone(UTC).date())
    return ensure_months(this.plus(-1), this.plus(ahead))


def set_storage(**_signal: Any) -> None:
    """Update the storage parameters of all hot tables, as their owner; called after each `migrate`."""
    with as_owner():
        for table, name in _tables_in_storage():
            with_lock_retries(partial(_store, table, name))


def months_ahead(*, now: datetime | None = None) -> int:
    """Return how many months after this one exist in every table, without a gap."""
    this = Month.of((now or timezone.now()).astimezone(UTC).date())
    reach = []
    for table in partitioned_tables():
        present = set(months_of(table))
        count = 0
        while this.plus(count + 1).suffix in present:
            count += 1
        reach.append(count if this.suffix in present else -1)
    return min(reach, default=-1)


def detach_month(table: str, month: Month) -> None:
    """Detach a month from its table; it stays as a separate table, which nothing reads or writes.

    Waits for older transactions without blocking others. If interrupted, the month is already invisible, and
    the next call finishes the detachment. On a cluster it blocks others for as long as it takes, a second or
    two, as Citus cannot do otherwise. Needs the owner of the tables, and no transaction.
    """
    name = partition_name(table, month)
    how = {False: "CONCURRENTLY", True: "FINALIZE"}.get(_pending_detach(table, name))  # type: ignore[arg-type]
    if how is None:
        return
    if cluster.is_distributed():
        with as_owner():
            with_lock_retries(partial(_detach_at_once, table, name))
        return
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name} {how}")


def drop_detached(table: str, month: Month) -> None:
    """Drop a detached month, if it exists. Needs the owner of the tables."""
    with as_owner():
        with_lock_retries(partial(_drop, partition_name(table, month)))


def with_lock_retries(work: Callable[[], T]) -> T:
    """Call `work`, which waits only briefly for its locks, and retry it when it gets none."""
    for attempt in range(_ATTEMPTS):
        try:
            return work()
        except DatabaseError as error:
            code = getattr(error.__cause__, "pgcode", None)
            if code not in (_LOCK_NOT_AVAILABLE, _DEADLOCK) or attempt == _ATTEMPTS - 1:
                raise
            log.info("months_wait_for_a_lock", attempt=attempt + 1, detail=str(error).split("\n")[0])
        time.sleep(_PAUSE)
    raise AssertionError("not reached")


def _between(first: Month, last: Month) -> Iterator[Month]:
    month = first
    while month <= last:
        yield month
        month = month.plus(1)


def _make_month(table: str, month: Month) -> int:
    with _brief_waits(), connection.cursor() as cursor:
        wait_for(Lock.MAKE_MONTH)
        # Another session may have created it during the wait.
        if month.suffix in months_of(table):
            return 0
        # As the tables' owner, whoever calls it (alliance/migrations/0004_months.py).
        cursor.execute(
            "SELECT alliance_make_month(%s, %s, %s)",
            [table, month.first_day, table_storage.as_sql(table_storage.PARAMETERS.get(table, {}))],
        )
    return 1


def _detach_at_once(table: str, name: str) -> None:
    with _brief_waits(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")


def _drop(name: str) -> None:
    with _brief_waits(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {name}")


def _store(table: str, of: str) -> None:
    with _brief_waits():
        table_storage.set_parameters(table, of=of)


@contextmanager
def _brief_waits() -> Iterator[None]:
    """Run a block in a transaction with a short lock_timeout."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()[0]
        cursor.execute(Settings("SET LOCAL lock_timeout = %s"), [LOCK_TIMEOUT])
        yield
        # The caller may have opened the transaction, so restore its lock_timeout.
        cursor.execute(Settings("SET LOCAL lock_timeout = %s"), [before])


def _tables_in_storage() -> Iterator[tuple[str, str]]:
    """Yield every table with storage parameters, and the table that these are registered for."""
    parents = partitioned_tables()
    for name in table_storage.PARAMETERS:
        if name not in parents:
            yield name, name
        else:
            yield from ((f"{name}_{suffix}", name) for suffix in months_of(name))


def _pending_detach(table: str, name: str) -> bool | None:
    """Whether a detachment of the month is pending; None if it is no partition of the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhdetachpending FROM pg_inherits"
            " WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)",
            [table, name],
        )
        row = cursor.fetchone()
    return row[0] if row else None


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel for a table that is range-partitioned by parcel id; `ensure_months` creates the months."""

    partition_column = "parcel_id"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({self.partition_column})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain


class CreateModelPartitionedById(CreatePartitionedModel):
    """The same for the table of parcels, which is partitioned by its own id."""

    partition_column = "id"
