"""How long booking files are kept: uploads and rows to correct hold names, phones and addresses."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

from alliance.tenancy import Scope, scope
from parcels.booking_files.models import BookingFile
from parcels.booking_files.services.results import problems_path, rejected_path, results_path
from parcels.choices import BookingFileState

KEPT: Final = timedelta(days=30)
# Uploads that nobody finished, and files of transactions that were rolled back.
ABANDONED: Final = timedelta(days=1)
_BESIDE: Final = (".results.csv", ".problems.csv", ".rejected.csv")
_LONGEST: Final = 1024 * 1024
_MARKS: Final = b" \t-().+"


def forget_booking_files(*, now: datetime) -> int:
    """Delete the files of bookings finished long ago, and what has no row at all; return how many rows.

    The rows stay, to say what was booked when. Files go first: cut off in between, they go next time.
    """
    with scope(Scope.everything()):
        old = BookingFile.objects.filter(finished_at__lt=now - KEPT, deleted_at__isnull=True)
        forgotten = 0
        for file in old.iterator():
            _forget(file, now)
            forgotten += 1
        _delete_orphans(now)
        return forgotten


def forget_recipient(*, merchant_id: int, phone: str, now: datetime) -> None:
    """Delete what is kept of a merchant's files that name a recipient, whatever else they hold.

    Only rejected rows and uploads that failed still do. One that is being booked is left alone: it needs
    its rows. Phones are compared by their digits, as people write them in many ways.
    """
    digits = "".join(filter(str.isdigit, phone))
    kept = BookingFile.objects.filter(
        merchant_id=merchant_id, finished_at__isnull=False, deleted_at__isnull=True
    )
    for file in kept:
        upload = Path(file.content.path)
        if _names(rejected_path(file), digits.encode()) or _names(upload, digits.encode(file.encoding)):
            _forget(file, now)


def _names(path: Path, digits: bytes) -> bool:
    if not path.exists() or not digits:
        return False
    with path.open("rb") as file:
        rows = iter(lambda: file.readline(_LONGEST), b"")
        return any(digits in row.translate(None, _MARKS) for row in rows)


def _forget(file: BookingFile, now: datetime) -> None:
    for path in (results_path(file), problems_path(file), rejected_path(file), Path(file.content.path)):
        path.unlink(missing_ok=True)
    BookingFile.objects.filter(pk=file.pk).update(deleted_at=now)


def _delete_orphans(now: datetime) -> None:
    # Whoever was killed while an upload came in left what there was of it.
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*"):
        if _is_abandoned(path, now):
            path.unlink(missing_ok=True)
    root = Path(settings.MEDIA_ROOT)
    for path in (root / "booking_files").rglob("*"):
        if not path.is_file() or not _is_abandoned(path, now):
            continue
        name = str(path.relative_to(root))
        beside = next((end for end in _BESIDE if name.endswith(end)), "")
        kept = BookingFile.objects.filter(content=name.removesuffix(beside), deleted_at__isnull=True)
        if not beside:
            # Whoever had booked the last row was cut off before deleting it.
            kept = kept.exclude(state__in=(BookingFileState.DONE, BookingFileState.CANCELLED))
        if not kept.exists():
            path.unlink(missing_ok=True)


def _is_abandoned(path: Path, now: datetime) -> bool:
    return path.stat().st_mtime < (now - ABANDONED).timestamp()
