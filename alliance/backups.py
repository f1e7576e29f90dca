"""How old the last backup is, and whether the archive of WAL keeps up: what a restore could give back.

A restore to any second needs a base backup and all WAL written since. The database itself knows neither where
backups are nor whether they are good: whoever takes one records it after it was verified
(`manage.py record_backup`, deploy/backup.sh), as the heartbeat HEARTBEAT. After a restore that row is of an
earlier backup, or gone: an age may be overstated, never understated.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from prometheus_client import Gauge

from alliance.durations import duration_text
from alliance.models import Heartbeat

HEARTBEAT: Final = "backup"
# In the folder of a backup by pg_basebackup: written last, and only if all went well.
MANIFEST: Final = "backup_manifest"
log = structlog.get_logger(__name__)
# The most recent value of any process: all ask the same database.
BACKUP_AGE = Gauge(
    "alliance_backup_age_seconds", "Age of the last verified backup", multiprocess_mode="mostrecent"
)
WAL_WAITING = Gauge(
    "alliance_wal_waiting_segments",
    "Finished segments of WAL that are not in the archive yet",
    multiprocess_mode="mostrecent",
)
WAL_BEHIND = Gauge(
    "alliance_wal_behind_seconds",
    "Seconds since something was archived, while finished segments of WAL wait",
    multiprocess_mode="mostrecent",
)
WAL_FAILURES = Gauge(
    "alliance_wal_archive_failures",
    "Failed attempts to archive a segment of WAL since the server's statistics began",
    multiprocess_mode="mostrecent",
)
# Segments that the backup of an idle server begins and ends in.
BACKUP_SEGMENTS: Final = 2
# Its timeline and, in two halves, its number.
_SEGMENT: Final = re.compile(r"[0-9A-F]{8}(?P<high>[0-9A-F]{8})(?P<low>[0-9A-F]{8})")
# Public columns only: the server's role may not look at files or at sessions of others.
_ARCHIVER: Final = """
WITH size AS (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS bytes),
    place AS (
        SELECT CASE WHEN pg_is_in_recovery() THEN NULL
            ELSE div(pg_current_wal_lsn() - '0/0'::pg_lsn, bytes)::bigint END AS current,
            4294967296 / bytes AS in_half
        FROM size)
SELECT current_setting('archive_mode') <> 'off', a.failed_count,
    a.last_failed_time > coalesce(a.last_archived_time, '-infinity'),
    coalesce(a.last_archived_time, a.stats_reset),
    p.current, p.in_half, coalesce(a.last_archived_wal, '')
FROM pg_stat_archiver a, place p
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was taken: when it began, from which moment on WAL is needed to restore it."""

    kind: str
    at: datetime
    bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of WAL: how far the server is with it."""

    failures: int
    # Whether the last attempt failed.
    is_failing: bool
    # Finished segments that are not archived, and since when at the most one of them has waited.
    waiting: int
    waits_since: datetime | None

    def behind(self, now: datetime) -> timedelta:
        """How long a finished segment has waited, at the most."""
        if self.waits_since is None or not (self.waiting or self.is_failing):
            return timedelta()
        return max(now - self.waits_since, timedelta())


@dataclass(frozen=True, slots=True)
class Backups:
    """What is known of backups; neither is known where none were set up."""

    last: Heartbeat | None
    archive: Archive | None

    @property
    def are_set_up(self) -> bool:
        return self.last is not None or self.archive is not None

    def age(self, now: datetime) -> timedelta | None:
        return now - self.last.at if self.last else None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is late, in words. What is too late fails readiness."""

    text: str
    is_too_late: bool


def read_manifest(folder: Path) -> Backup:
    """Read what pg_basebackup says of a backup. Raises OSError, or ValueError for a file of another kind."""
    manifest = json.loads((folder / MANIFEST).read_text())
    files = {Path(file["Path"]): file for file in manifest["Files"]}
    began = files[Path("backup_label")]["Last-Modified"]
    return Backup(
        kind="incremental" if any(path.name.startswith("INCREMENTAL.") for path in files) else "full",
        at=datetime.strptime(began, "%Y-%m-%d %H:%M:%S GMT").replace(tzinfo=UTC),
        bytes=sum(file["Size"] for file in files.values()),
        name=folder.resolve().name,
    )


def record(backup: Backup) -> bool:
    """Note a verified backup; return whether it is the last one. Noting it again changes nothing."""
    detail = {"kind": backup.kind, "bytes": backup.bytes, "name": backup.name}
    Heartbeat.objects.get_or_create(name=HEARTBEAT, defaults={"at": backup.at, "detail": detail})
    earlier = Heartbeat.objects.filter(name=HEARTBEAT, at__lte=backup.at)
    return bool(earlier.update(at=backup.at, detail=detail))


def read() -> Backups:
    """Ask the database what it knows of its backups."""
    return Backups(last=Heartbeat.objects.filter(name=HEARTBEAT).first(), archive=_archive())


def _archive() -> Archive | None:
    with connection.cursor() as cursor:
        cursor.execute(_ARCHIVER)
        archives, failures, is_failing, since, current, in_half, name = cursor.fetchone()
    if not archives:
        return None
    waiting = 0 if current is None else segments_after(name, current, in_half)
    return Archive(failures, bool(is_failing), waiting, since)


def segments_after(name: str, current: int, in_half: int) -> int:
    """Return how many finished segments come after a file of the archive, as far as its name says."""
    found = _SEGMENT.match(name)
    if found is None:
        # A timeline's history.
        return 0
    archived = int(found["high"], 16) * in_half + int(found["low"], 16)
    # A backup's history has the name of its first segment, and is archived after its last one.
    slack = BACKUP_SEGMENTS if name.endswith(".backup") else 0
    return max(current - archived - 1 - slack, 0)


def check(*, now: datetime | None = None) -> dict[str, Any]:
    """Return the check of readiness: what is too late fails it, what is late is named."""
    moment, found = now or timezone.now(), read()
    if not found.are_set_up:
        return {"ok": True, "detail": "not configured"}
    with translation.override("en"):
        lateness = problems(found, moment)
    result: dict[str, Any] = {"ok": not any(problem.is_too_late for problem in lateness)}
    if found.last:
        result["last"] = {"at": found.last.at.isoformat(), **found.last.detail}
    if found.archive:
        result["archive"] = {
            "waiting_segments": found.archive.waiting,
            "behind_seconds": round(found.archive.behind(moment).total_seconds()),
            "failures": found.archive.failures,
        }
    if lateness:
        result["warning" if result["ok"] else "detail"] = " ".join(problem.text for problem in lateness)
    return result


def problems(found: Backups, now: datetime) -> list[Problem]:
    """Return what is late, in the active language; nothing where no backups were set up."""
    if not found.are_set_up:
        return []
    late, age = [], found.age(now)
    if age is None:
        late.append(Problem(_("No backup was ever recorded."), is_too_late=False))
    elif age > timedelta(hours=settings.BACKUP_WARN_HOURS):
        text = _("The last backup is %(age)s old.") % {"age": duration_text(age)}
        late.append(Problem(text, is_too_late=age > timedelta(hours=settings.BACKUP_FAIL_HOURS)))
    behind = found.archive.behind(now) if found.archive else timedelta()
    if behind > timedelta(seconds=settings.ARCHIVE_WARN_SECONDS):
        text = _("WAL has waited for its archive for %(time)s.") % {"time": duration_text(behind)}
        late.append(Problem(text, behind > timedelta(seconds=settings.ARCHIVE_FAIL_SECONDS)))
    return late


def measure(*, is_known: bool) -> None:
    """Set the metrics; what is not known now, as without a database, is not a number."""
    found = read() if is_known else Backups(last=None, archive=None)
    now, unknown = timezone.now(), float("nan")
    age, archive = found.age(now), found.archive
    BACKUP_AGE.set(age.total_seconds() if age is not None else unknown)
    WAL_WAITING.set(archive.waiting if archive else unknown)
    WAL_BEHIND.set(archive.behind(now).total_seconds() if archive else unknown)
    WAL_FAILURES.set(archive.failures if archive else unknown)


def warn() -> None:
    """Log a line for each thing that is late."""
    for problem in problems(read(), timezone.now()):
        log.warning("backups_late", problem=problem.text)
