"""Delete old booking files: uploads and rows to correct contain names, phones and addresses."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Count, Max, Q

from alliance.database.slices import for_each_slice
from alliance.phones import national_numbers
from alliance.stored_files import delete_unnamed
from alliance.tenancy import Scope, scope
from parcels.booking_files.models import BookingFile
from parcels.booking_files.services.drafts import discard, forget_drafts
from parcels.booking_files.services.results import problems_path, rejected_path, results_path
from parcels.choices import BookingFileState

KEPT: Final = timedelta(days=30)
# Unfinished uploads, and files of transactions that were rolled back.
ABANDONED: Final = timedelta(days=1)
_RESULT_SUFFIXES: Final = (".results.csv", ".problems.csv", ".rejected.csv")
_MAX_LINE_BYTES: Final = 1024 * 1024
_MARKS: Final = b" \t-().+"


def forget_booking_files(*, now: datetime) -> int:
    """Delete the files of uploads finished over 30 days ago, and files without a row. Returns the row count.

    The rows stay as a record of what was booked when. Files are deleted before the row is marked: if the
    task is interrupted in between, the next run deletes them again.
    """
    files = BookingFile.objects.filter(finished_at__lt=now - KEPT, deleted_at__isnull=True)
    _disown_shared(now=now)
    count = for_each_slice(files, order="finished_at", do=partial(_forget, now=now)) + forget_drafts(now=now)
    # A process killed during an upload leaves a partial file.
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*"):
        if path.stat().st_mtime < (now - ABANDONED).timestamp():
            path.unlink(missing_ok=True)
    delete_unnamed("booking_files", before=now - ABANDONED, named=_kept)
    return count


def _disown_shared(*, now: datetime) -> None:
    """Take results that a later upload of the same name wrote over from whom they are not.

    Until names on the disk were fresh, each upload could get that of one before. To go when those are 30
    days old.
    """
    kept = BookingFile.objects.filter(deleted_at__isnull=True).order_by()
    shared = kept.values("content").annotate(last=Max("pk"), count=Count("pk")).filter(count__gt=1)
    for content, last in shared.values_list("content", "last"):
        kept.filter(content=content, pk__lt=last).update(deleted_at=now)


def forget_recipient(*, merchant_id: int, phone: str, now: datetime) -> None:
    """Delete a merchant's stored files that name a recipient, with all their other content.

    Only rejected rows and failed uploads still name recipients. A file that is being booked is skipped: it
    needs its rows. Phones are compared by their digits, because people write them in many ways.
    """
    # Without the zero before an area code: it is left out after +86.
    sought = [number.lstrip("0") for number in national_numbers(phone)]
    sought = sought or ["".join(filter(str.isdigit, phone))]
    is_over = Q(finished_at__isnull=False) | Q(state=BookingFileState.DRAFT)
    files = BookingFile.objects.filter(is_over, merchant_id=merchant_id, deleted_at__isnull=True)
    for file in files:
        upload = Path(file.content.path)
        if _names(rejected_path(file), sought, "utf-8") or _names(upload, sought, file.encoding):
            _forget(file, now=now)


def _names(path: Path, sought: Sequence[str], encoding: str) -> bool:
    numbers = [digits.encode(encoding) for digits in sought if digits]
    if not path.exists() or not numbers:
        return False
    with path.open("rb") as file:
        rows = iter(lambda: file.readline(_MAX_LINE_BYTES), b"")
        bare = (row.translate(None, _MARKS) for row in rows)
        return any(digits in row for row in bare for digits in numbers)


def _forget(file: BookingFile, *, now: datetime) -> None:
    if file.state == BookingFileState.DRAFT:
        discard(file)
        return
    for path in (results_path(file), problems_path(file), rejected_path(file), Path(file.content.path)):
        path.unlink(missing_ok=True)
    BookingFile.objects.filter(pk=file.pk).update(deleted_at=now)


def _kept(names: Sequence[str]) -> set[str]:
    contents = {name: name.removesuffix(next(filter(name.endswith, _RESULT_SUFFIXES), "")) for name in names}
    files = BookingFile.objects.filter(content__in=contents.values(), deleted_at__isnull=True)
    with scope(Scope.everything()):
        states = dict(files.values_list("content", "state"))
    # Of an upload that is over: the worker booked the last row, but was interrupted before deleting the file.
    over = {name for name in names if states.get(name) in (BookingFileState.DONE, BookingFileState.CANCELLED)}
    return {name for name, content in contents.items() if content in states} - over
