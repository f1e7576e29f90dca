"""The files that files of scans and of bookings name, and the archives of retired months."""

from collections.abc import Iterator

from alliance.choices import RetirementState
from alliance.models import RetiredMonth
from alliance.stored_files import Expected, FileKind
from parcels.booking_files.models import BookingFile
from parcels.choices import BookingFileState, FileState
from parcels.retention.archive_files import MANIFEST
from parcels.scan_files.models import ScanFile

SEALED = (RetirementState.WRITTEN, RetirementState.GONE)


def files_of_scan_file(file: ScanFile) -> Iterator[Expected]:
    name = str(file.content.name)
    yield Expected(name, is_needed=file.state != FileState.DONE)
    size = file.results_size
    yield Expected(f"{name}.results.csv", is_needed=size > 0, size=size, may_be_longer=True)


def files_of_booking_file(file: BookingFile) -> Iterator[Expected]:
    name = str(file.content.name)
    is_over = file.state in (BookingFileState.DONE, BookingFileState.CANCELLED)
    yield Expected(name, is_needed=not is_over)
    sizes = {"results": file.results_size, "problems": file.problems_size, "rejected": file.rejected_size}
    for results, size in sizes.items():
        yield Expected(f"{name}.{results}.csv", is_needed=size > 0, size=size, may_be_longer=True)


def files_of_retired_month(month: RetiredMonth) -> Iterator[Expected]:
    for table, written in month.tables.items():
        yield Expected(f"{month.folder}/{table}.parquet", size=written["bytes"], sha256=written["sha256"])
    yield Expected(f"{month.folder}/{MANIFEST}", is_needed=month.state in SEALED)


STORED_FILES = {
    "parcels.ScanFile": FileKind("MEDIA_ROOT", ScanFile.objects.all, files_of_scan_file),
    "parcels.BookingFile": FileKind(
        "MEDIA_ROOT", lambda: BookingFile.objects.filter(deleted_at=None), files_of_booking_file
    ),
    "alliance.RetiredMonth": FileKind("ARCHIVE_ROOT", RetiredMonth.objects.all, files_of_retired_month),
}
