"""Free space where the product writes: a full disk is to be known before it is full."""

import os
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


def free_megabytes() -> dict[str, int]:
    """Return the free space of each folder that the product writes to, by what is in the folder."""
    folders = {"uploads": Path(settings.MEDIA_ROOT), "archive": Path(settings.ARCHIVE_ROOT)}
    if not settings.DATABASE_URL:
        folders["database"] = embedded.server_root()
    return {name: _free_bytes(folder) // MEGABYTE for name, folder in folders.items()}


def _free_bytes(folder: Path) -> int:
    # A folder that nothing was written to yet does not exist.
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    status = os.statvfs(existing)
    return status.f_bavail * status.f_frsize


def disk_check() -> dict[str, Any]:
    """Return the check of readiness: what is full fails it, what is nearly full is named."""
    free = free_megabytes()
    full = [name for name, megabytes in free.items() if megabytes < settings.DISK_FULL_MB]
    nearly = [name for name, megabytes in free.items() if megabytes < settings.DISK_WARN_MB]
    found: dict[str, Any] = {"ok": not full, "free_mb": free}
    if full:
        found["detail"] = f"full: {', '.join(full)}"
    elif nearly:
        found["warning"] = f"nearly full: {', '.join(nearly)}"
    return found


def measure() -> None:
    """Set the metric of free space."""
    for name, megabytes in free_megabytes().items():
        FREE_BYTES.labels(name).set(megabytes * MEGABYTE)


def warn() -> None:
    """Log a line for each disk that is full or nearly so."""
    for name, megabytes in free_megabytes().items():
        if megabytes < settings.DISK_WARN_MB:
            event = "disk_full" if megabytes < settings.DISK_FULL_MB else "disk_nearly_full"
            log.warning(event, folder=name, free_mb=megabytes)
