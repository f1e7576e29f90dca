"""Booking files: taken in at once, booked in slices, the same parcels as by the API.

A slice's parcels, its counters and how far the file is are one transaction. So whoever is killed
anywhere, or runs twice, neither doubles a row nor forgets one.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.file_jobs import UNFINISHED, FileJobs, turn
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.members.services.organisations import worker_of_organisation
from alliance.tenancy import Actor, Scope, require, scope
from parcels.booking_files import records as booking_files
from parcels.booking_files.models import BookingFile
from parcels.booking_files.records import Record, Records
from parcels.booking_files.services.results import append_results
from parcels.booking_files.services.rows import Rows
from parcels.booking_files.services.slices import book_rows
from parcels.choices import BookingFileState

SLICE: Final = 2_000
# A row of a file of blank lines costs little, and yet the page must move.
SLICE_LINES: Final = 100_000
MOST_RUNNING: Final = 3
JOBS: Final = FileJobs(BookingFile, lambda file_id: after_commit("parcels.tasks.book_file", file_id))


class FileKnown(Conflict):
    """The very same file was uploaded before: `file` is that one."""

    code = "file_known"

    def __init__(self, file: BookingFile) -> None:
        detail = _("This file was uploaded before, as “%(name)s”. Nothing was booked again.")
        super().__init__(detail % {"name": file.name})
        self.file = file


def start_booking_file(*, actor: Actor, upload: "UploadedFile[Any]", again: bool = False) -> BookingFile:
    """Keep an uploaded CSV and have a worker book it.

    Raises InvalidInput for a file that cannot be read, FileKnown for one uploaded before (`again` books
    it once more), Conflict while MOST_RUNNING are being booked; keeps nothing of these.
    """
    require_booker(actor)
    if (upload.size or 0) > booking_files.MAX_BYTES:
        most = booking_files.MAX_BYTES // 1024 // 1024
        message = _("The file is larger than %(most)d MB. Split it.") % {"most": most}
        raise InvalidInput(errors=[FieldError("/file", message, "too_large")])
    shape = booking_files.examine(upload)
    upload.seek(0)
    # On disk it has a name of ours: theirs may be longer than a disk allows, in Chinese above all.
    name, upload.name = Path(upload.name or "bookings.csv").name[-200:], "bookings.csv"
    with transaction.atomic():
        wait_for(Lock.UPLOAD_BOOKING_FILE, of=actor.tenant_id)
        _require_room(actor, shape.digest, again=again)
        file = BookingFile.objects.create(
            merchant_id=actor.tenant_id,
            uploaded_by_id=actor.user_id,
            name=name,
            content=upload,
            digest=shape.digest,
            size=shape.size,
            lines=shape.lines,
            encoding=shape.encoding,
            language=translation.get_language() or "en",
        )
        _record(actor, "booking_file.received", file)
        JOBS.hand_over(file.pk)
    return file


def require_booker(actor: Actor) -> None:
    """Raises NotPermitted for anybody who does not book for a merchant."""
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotPermitted(_("Only merchants can book parcels."))


def book_file(*, file_id: int, stretch: timedelta | None = None) -> bool:
    """Book a file from where it stands, for as long as told; return whether nothing is left to do.

    May be stopped anywhere, and run twice side by side. A slice that keeps failing fails the file.
    """
    return JOBS.run(file_id, _slices, stretch)


def cancel_booking_file(*, actor: Actor, file_id: int) -> BookingFile:
    """Stop booking a file; what is booked stays booked. Cancelling again changes nothing.

    Raises NotFound for others' files, Conflict for one that is done.
    """
    require_booker(actor)
    # Waits for the slice that is being booked.
    file = BookingFile.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=file_id).first()
    if file is None:
        raise NotFound
    if file.state == BookingFileState.CANCELLED:
        return file
    if file.is_finished:
        raise Conflict(_("This file is finished: there is nothing to cancel."), code="finished")
    _finish(file, BookingFileState.CANCELLED)
    file.save()
    _record(actor, "booking_file.cancelled", file)
    return file


def retry_booking_file(*, actor: Actor, file_id: int) -> bool:
    """Have a failed file gone on with from where it stopped; return whether it was one. For ops."""
    return JOBS.resume(actor=actor, file_id=file_id, deleted_at__isnull=True)


def resume_booking_files(*, now: datetime) -> int:
    """Give files that were dropped, or failed a while ago, to a worker again; return how many."""
    return JOBS.hand_out(now=now)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Rows that are booked together, from one place of the file to another."""

    records: Sequence[Record]
    start: int
    end: int
    line: int
    is_last: bool


def _slices(file: BookingFile) -> Iterator[None]:
    actor = worker_of_organisation(file.merchant_id, label=f"booking file {file.pk}")
    with file.content.open("rb") as content:
        columns, records = booking_files.read_header(content, file.encoding)
        with scope(Scope.of(actor)):
            rows = Rows(actor, columns)
        if file.position:
            records = Records(content, file.encoding, offset=file.position, line=file.line)
        for piece in _pieces(records, start=file.position):
            _book(actor, file, rows, piece)
            if not piece.is_last:
                yield


def _pieces(records: Records, *, start: int) -> Iterator[_Slice]:
    taken: list[Record] = []
    line = records.line
    for record in records:
        if record.problem or any(record.cells):
            taken.append(record)
        if len(taken) == SLICE or records.line - line >= SLICE_LINES:
            yield _Slice(taken, start, records.offset, records.line, is_last=False)
            taken, start, line = [], records.offset, records.line
    yield _Slice(taken, start, records.offset, records.line, is_last=True)


def _book(actor: Actor, file: BookingFile, rows: Rows, piece: _Slice) -> None:
    """Book one slice and write its results."""
    began = time.monotonic()
    with turn(actor, file, piece.start) as row:
        # Files of one merchant take turns: what one books, the other must see.
        wait_for(Lock.BOOK_SLICE, of=row.merchant_id)
        outcomes = book_rows(actor, rows, piece.records, asked_at=row.uploaded_at, at=timezone.now())
        for name, count in outcomes.counts().items():
            setattr(row, name, getattr(row, name) + count)
        row.done += len(piece.records)
        row.position, row.line = piece.end, piece.line
        append_results(row, outcomes, rows.columns)
        row.seconds += time.monotonic() - began
        if piece.is_last:
            _finish(row, BookingFileState.DONE)
            _record(actor, "booking_file.done", row)


def _finish(file: BookingFile, state: BookingFileState) -> None:
    file.finish(state)
    # Its rows are parcels now, or among those to correct. One that failed is kept: ops may let it go on.
    transaction.on_commit(partial(Path(file.content.path).unlink, missing_ok=True), robust=True)


def _require_room(actor: Actor, digest: str, *, again: bool) -> None:
    files = BookingFile.objects.visible_to(actor)
    stopped = (BookingFileState.FAILED, BookingFileState.CANCELLED)
    known = files.filter(digest=digest).exclude(state__in=stopped).first()
    if known is not None and not again:
        raise FileKnown(known)
    if files.filter(state__in=UNFINISHED).count() >= MOST_RUNNING:
        detail = _("%(most)d files are already being booked. Upload this one when one of them is finished.")
        raise Conflict(detail % {"most": MOST_RUNNING}, code="files_running", retry_after=60)


def _record(actor: Actor, verb: str, file: BookingFile) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="booking_file",
        object_id=file.pk,
        detail={"name": file.name, "lines": file.lines, "booked": file.booked},
    )
