"""The tables of the log, one a day: made by whoever writes first, dropped whole when the day is old.

They inherit from the log's table and are no partitions of it: what is partitioned here is so by month and
parcel, and the release before makes months of whatever is partitioned. A day is found by the range of ids
in its CHECK, as a partition would be.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from alliance.database.partitions import LOCK_TIMEOUT, with_lock_retries
from alliance.database.postgresql.messages import Settings

TABLE: Final = "alliance_apicall"
_NAME: Final = re.compile(rf"{TABLE}_d(\d{{4}})(\d\d)(\d\d)")


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def table_of(day: date) -> str:
    return f"{TABLE}_d{day:%Y%m%d}"


def make_day(day: date) -> None:
    """Make the table of a day unless it is there. Any role may, as the owner; may run twice, concurrently."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT alliance_make_day(%s)", [day])


def days() -> list[date]:
    """Return the days that have a table, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
            [TABLE],
        )
        found = [_NAME.fullmatch(name) for (name,) in cursor.fetchall()]
    return [date(*map(int, match.groups())) for match in found if match]


def drop_old_days(*, now: datetime | None = None) -> int:
    """Drop the days that are older than the log is kept; return how many. May run twice."""
    first_kept = day_of(now or timezone.now()) - timedelta(days=settings.CALL_LOG_DAYS)
    old = [day for day in days() if day < first_kept]
    for day in old:
        with_lock_retries(partial(_drop, day))
    return len(old)


def _drop(day: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Whoever reads the day is waited for briefly; whoever comes after us would wait for both.
        cursor.execute(Settings("SET LOCAL lock_timeout = %s"), [LOCK_TIMEOUT])
        cursor.execute("SELECT alliance_drop_day(%s)", [day])
