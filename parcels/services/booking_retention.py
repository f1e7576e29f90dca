"""How long booking files are kept: they hold recipients' names, phones and addresses."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

from alliance.tenancy import Scope, scope
from parcels.models import BookingFile
from parcels.services.booking_results import problems_path, results_path

KEPT: Final = timedelta(days=30)
# Uploads that nobody finished, and files of transactions that were rolled back.
ABANDONED: Final = timedelta(days=1)


def forget_booking_files(*, now: datetime) -> int:
    """Delete the files of bookings finished long ago, and what has no row at all; return how many rows.

    The rows stay, to say what was booked when. Files go first: cut off in between, they go next time.
    """
    with scope(Scope.everything()):
        old = BookingFile.objects.filter(finished_at__lt=now - KEPT, deleted_at__isnull=True)
        forgotten = 0
        for file in old.iterator():
            for path in (results_path(file), problems_path(file), Path(file.content.path)):
                path.unlink(missing_ok=True)
            BookingFile.objects.filter(pk=file.pk).update(deleted_at=now)
            forgotten += 1
        _delete_orphans(now)
        return forgotten


def _delete_orphans(now: datetime) -> None:
    root = Path(settings.MEDIA_ROOT)
    for path in (root / "booking_files").rglob("*"):
        if not path.is_file() or not _is_abandoned(path, now):
            continue
        name = str(path.relative_to(root)).removesuffix(".results.csv").removesuffix(".problems.csv")
        if not BookingFile.objects.filter(content=name, deleted_at__isnull=True).exists():
            path.unlink(missing_ok=True)


def _is_abandoned(path: Path, now: datetime) -> bool:
    return path.stat().st_mtime < (now - ABANDONED).timestamp()
