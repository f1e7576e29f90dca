"""Free space where the product writes: a full disk is to be known before it is full."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import Gauge

from alliance import embedded

MEGABYTE = 1024 * 1024
log = structlog.get_logger(__name__)
# The most recent value of any process: all of a machine see the same disks.
FREE_BYTES = Gauge(
    "alliance_disk_free_bytes",
    "Free space on the disk of a folder that the product writes to",
    ["folder"],
    multiprocess_mode="mostrecent",
)
FREE_FILES = Gauge(
    "alliance_disk_free_files",
    "Files that can still be made on the disk of a folder that the product writes to (inodes)",
    ["folder"],
    multiprocess_mode="mostrecent",
)
# Free files (inodes) below which a disk is nearly full, and full.
FILES_WARN, FILES_FULL = 10_000, 500


@dataclass(frozen=True)
class Disk:
    """What is left on the disk of a folder. Some file systems count no files and limit none."""

    free_mb: int
    free_files: int | None
    is_read_only: bool

    @property
    def is_full(self) -> bool:
        return self._has_less_than(settings.DISK_FULL_MB, FILES_FULL)

    @property
    def is_nearly_full(self) -> bool:
        return self._has_less_than(settings.DISK_WARN_MB, FILES_WARN)

    def _has_less_than(self, megabytes: int, files: int) -> bool:
        return self.free_mb < megabytes or (self.free_files is not None and self.free_files < files)


def disks() -> dict[str, Disk]:
    """Return the disk of each folder that the product writes to, by what is in the folder."""
    folders = {"uploads": Path(settings.MEDIA_ROOT), "archive": Path(settings.ARCHIVE_ROOT)}
    if not settings.DATABASE_URL:
        folders["database"] = embedded.server_root()
    return {name: _disk_of(folder) for name, folder in folders.items()}


def _disk_of(folder: Path) -> Disk:
    # A folder that nothing was written to yet does not exist.
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    status = os.statvfs(existing)
    return Disk(
        free_mb=status.f_bavail * status.f_frsize // MEGABYTE,
        free_files=status.f_favail if status.f_files else None,
        is_read_only=bool(status.f_flag & os.ST_RDONLY),
    )


def disk_check() -> dict[str, Any]:
    """Return the check of readiness: what cannot be written fails it, what is nearly full is named."""
    found = disks()
    read_only = [name for name, disk in found.items() if disk.is_read_only]
    full = [name for name, disk in found.items() if disk.is_full]
    nearly = [name for name, disk in found.items() if disk.is_nearly_full]
    check: dict[str, Any] = {
        "ok": not full and not read_only,
        "free_mb": {name: disk.free_mb for name, disk in found.items()},
        "free_files": {name: disk.free_files for name, disk in found.items()},
    }
    if read_only:
        check["detail"] = f"read-only: {', '.join(read_only)}"
    elif full:
        check["detail"] = f"full: {', '.join(full)}"
    elif nearly:
        check["warning"] = f"nearly full: {', '.join(nearly)}"
    return check


def measure() -> None:
    """Set the metrics of free space and free files."""
    for name, disk in disks().items():
        FREE_BYTES.labels(name).set(disk.free_mb * MEGABYTE)
        if disk.free_files is not None:
            FREE_FILES.labels(name).set(disk.free_files)


def warn() -> None:
    """Log a line for each disk that is read-only, full or nearly so."""
    for name, disk in disks().items():
        if disk.is_read_only:
            log.warning("disk_read_only", folder=name)
        elif disk.is_nearly_full:
            event = "disk_full" if disk.is_full else "disk_nearly_full"
            log.warning(event, folder=name, free_mb=disk.free_mb, free_files=disk.free_files)
