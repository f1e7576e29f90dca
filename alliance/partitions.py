"""Months of the partitioned tables.

Parcels and all that belongs to them are range-partitioned by parcel id, a month a partition.
Ids carry their time, so a month is a range of ids, and retention is a dropped partition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection, migrations, transaction
from django.utils import timezone

from alliance.identifiers import parcel_id_at

MONTHS_AHEAD = 6
# Two workers that make the same month would both fail on the second CREATE TABLE.
_LOCK = 5_264_001


@dataclass(frozen=True, slots=True, order=True)
class Month:
    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    def plus(self, months: int) -> "Month":
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def suffix(self) -> str:
        return f"y{self.year}m{self.month:02d}"

    @property
    def id_range(self) -> tuple[int, int]:
        """Parcel ids of the month: lower bound inclusive, upper exclusive."""
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
            " WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
            [table],
        )
        return [row[0].removeprefix(f"{table}_") for row in cursor.fetchall()]


def ensure_months(first: Month, last: Month) -> int:
    """Make the months from first to last in every partitioned table; return how many were new.

    May run twice and side by side.
    """
    made = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for table in partitioned_tables():
            present = set(months_of(table))
            for month in _between(first, last):
                if month.suffix not in present:
                    cursor.execute(_create_month(table, month))
                    made += 1
    return made


def ensure_months_ahead(*, now: datetime | None = None, ahead: int = MONTHS_AHEAD) -> int:
    """Make last month, this one, and `ahead` more."""
    this = Month.of((now or timezone.now()).astimezone(UTC).date())
    return ensure_months(this.plus(-1), this.plus(ahead))


def months_ahead(*, now: datetime | None = None) -> int:
    """Return how many whole months after this one exist in every table, without a gap."""
    this = Month.of((now or timezone.now()).astimezone(UTC).date())
    reach = []
    for table in partitioned_tables():
        present = set(months_of(table))
        count = 0
        while this.plus(count + 1).suffix in present:
            count += 1
        reach.append(count if this.suffix in present else -1)
    return min(reach, default=-1)


def _between(first: Month, last: Month) -> Iterator[Month]:
    month = first
    while month <= last:
        yield month
        month = month.plus(1)


def _create_month(table: str, month: Month) -> str:
    name = f"{table}_{month.suffix}"
    low, high = month.id_range
    # ATTACH takes a lock that lets writers of the parent go on; CREATE ... PARTITION OF does not.
    # A partition asked directly would go round its parent's policies: its own, of which it has
    # none, then show nothing. Fill factor leaves room for HOT updates of status and outcome.
    return f"""
        CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)
            WITH (fillfactor = 85);
        ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {name} FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high});
    """


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel whose table is range-partitioned by parcel id. Months come from `ensure_months`."""

    partition_column = "parcel_id"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({self.partition_column})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain


class CreateModelPartitionedById(CreatePartitionedModel):
    """The same for parcels, whose own id is the parcel id."""

    partition_column = "id"
