"""Booking files: stored at upload, and booked in slices by workers, with the same results as by the API.

The parcels of a slice, its counters and the position in the file are written in one transaction. So a worker
that is killed, or runs twice, neither repeats a row nor skips one. On a cluster a file is done after its
last slice: then it has all its parcels.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_files.reading import examine, read_header
from alliance.csv_files.records import Record, Records
from alliance.csv_files.refusals import refused
from alliance.database.cluster import is_distributed
from alliance.database.together import require_settled
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.file_jobs import UNFINISHED, FileJobs, first_due, turn
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.members.services.organisations import worker_of_organisation
from alliance.stored_files import fresh_name
from alliance.tenancy import Actor, Scope, require, scope
from parcels.booking_files.columns import FORMAT, MAX_BYTES
from parcels.booking_files.mappings import ColumnMapping
from parcels.booking_files.models import BookingFile
from parcels.booking_files.services.drafts import draft_of, start_draft
from parcels.booking_files.services.references import homes_with_references
from parcels.booking_files.services.results import append_results
from parcels.booking_files.services.rows import Rows
from parcels.booking_files.services.slices import book_rows
from parcels.booking_files.services.templates import template_for, template_named
from parcels.booking_files.services.uploads import ColumnsUnknown, missing_text, prepare, write_converted
from parcels.bookings.rules import MOST_PIECES
from parcels.choices import BookingFileState

SLICE: Final = 2_000
# Also limits a slice of a file with many blank lines, so that its progress is shown.
SLICE_LINES: Final = 100_000
MOST_RUNNING: Final = 3
JOBS: Final = FileJobs(BookingFile, lambda file_id: after_commit("parcels.tasks.book_file", file_id))


class FileKnown(Conflict):
    """The same file was uploaded before: `file` is the earlier one."""

    code = "file_known"

    def __init__(self, file: BookingFile) -> None:
        detail = _("This file was uploaded before, as “%(name)s”. Nothing was booked again.")
        super().__init__(detail % {"name": file.name})
        self.file = file


def start_booking_file(
    *,
    actor: Actor,
    upload: "UploadedFile[Any]",
    again: bool = False,
    template: str = "",
    may_name_columns: bool = False,
) -> BookingFile:
    """Store an uploaded file and send it to a worker; with `template`, the name of one, it is read by that.

    With `may_name_columns` a file with unknown columns becomes a draft, for a person to name them. Raises
    InvalidInput for an unreadable file, FileKnown for one uploaded before (unless `again`), Conflict while
    MOST_RUNNING are being booked; then nothing is stored.
    """
    require_booker(actor)
    if (upload.size or 0) > MAX_BYTES:
        most = MAX_BYTES // 1024 // 1024
        message = _("The file is larger than %(most)d MB. Split it.") % {"most": most}
        raise InvalidInput(errors=[FieldError("/file", message, "too_large")])
    name = Path(upload.name or "bookings.csv").name[-200:]
    mapping = template_named(actor, template).mapping if template else None
    try:
        prepare(upload, mapping)
    except ColumnsUnknown as unknown:
        if may_name_columns:
            return start_draft(actor, name, unknown.table)
        unknown.table.path.unlink()
        if known := template_for(actor, unknown.table.header):
            text = _("The template “%(name)s” was made for these columns.") % {"name": known.name}
            unknown.errors.append(FieldError("/template", text, "fits"))
        raise
    return store_booking_file(actor, BookingFile(name=name), upload, again=again)


def store_booking_file(
    actor: Actor, file: BookingFile, upload: "UploadedFile[Any]", *, again: bool
) -> BookingFile:
    """Save a file with our columns as the content of `file`, a new one or a draft, for a worker to book."""
    shape = examine(upload, FORMAT)
    upload.seek(0)
    # The file name on disk is ours: an uploaded name may exceed the file system's limit, mostly in Chinese.
    upload.name = fresh_name(".csv")
    with transaction.atomic():
        wait_for(Lock.UPLOAD_BOOKING_FILE, of=actor.tenant_id)
        _require_room(actor, shape.digest, again=again)
        file.merchant_id, file.uploaded_by_id = actor.tenant_id, actor.user_id
        file.content, file.state = upload, BookingFileState.QUEUED
        file.digest, file.size = shape.digest, shape.size
        file.lines, file.encoding = shape.lines, shape.encoding
        file.language = translation.get_language() or "en"
        file.uploaded_at, file.due_at = timezone.now(), first_due()
        file.save()
        _record(actor, "booking_file.received", file)
        JOBS.hand_over(file.pk)
    return file


def book_draft(*, actor: Actor, file_id: int, mapping: ColumnMapping, again: bool = False) -> BookingFile:
    """Book a draft by the columns that a person named. Raises as start_booking_file() does, and NotFound."""
    require_booker(actor)
    if mapping.missing:
        raise refused(missing_text(mapping))
    with transaction.atomic():
        # Of two presses of the button the second one finds no draft.
        drafts = BookingFile.objects.visible_to(actor).select_for_update(of=("self",))
        drafts.filter(pk=file_id, state=BookingFileState.DRAFT).first()
        file, table = draft_of(actor, file_id)
        # Closed here as at the end of a request: its file was moved to the stored ones.
        with closing(TemporaryUploadedFile("bookings.csv", "text/csv", 0, "utf-8")) as upload:
            write_converted(upload, table, mapping)
            store_booking_file(actor, file, upload, again=again)
        transaction.on_commit(partial(table.path.unlink, missing_ok=True), robust=True)
    return file


def require_booker(actor: Actor) -> None:
    """Raise NotPermitted unless the actor books for a merchant."""
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotPermitted(_("Only merchants can book parcels."))


def book_file(*, file_id: int, stretch: timedelta | None = None) -> bool:
    """Book a file from its position for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently. A slice that keeps failing fails the file.
    """
    return JOBS.run(file_id, _slices, stretch)


def cancel_booking_file(*, actor: Actor, file_id: int) -> BookingFile:
    """Stop booking a file; parcels booked so far stay. Cancelling again changes nothing.

    Raises NotFound for files of others, Conflict for a finished one.
    """
    require_booker(actor)
    # Waits for the end of the current slice.
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
    """Resume a failed file where it stopped; return whether it had failed. For ops."""
    return JOBS.resume(actor=actor, file_id=file_id, deleted_at__isnull=True)


def resume_booking_files(*, now: datetime) -> int:
    """Send files whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Rows that are booked together, with their start and end in the file."""

    records: Sequence[Record]
    start: int
    end: int
    line: int
    is_last: bool


def _slices(file: BookingFile) -> Iterator[None]:
    actor = worker_of_organisation(file.merchant_id, label=f"booking file {file.pk}")
    with scope(Scope.of(actor)):
        homes = homes_with_references(file.merchant_id, at=timezone.now())
    # A reference is looked up among the parcels there: one that cannot be seen yet would be booked again.
    require_settled(homes)
    with file.content.open("rb") as content:
        columns, records = read_header(content, file.encoding, FORMAT)
        with scope(Scope.of(actor)):
            rows = Rows(actor, columns)
        if file.position:
            records = Records(
                content,
                file.encoding,
                offset=file.position,
                line=file.line,
                row_lines=FORMAT.row_lines,
                width=len(columns),
            )
        for piece in _cut(records, rows, start=file.position):
            _book(actor, file, rows, piece)
            if not piece.is_last:
                yield


def _cut(records: Records, rows: Rows, *, start: int) -> Iterator[_Slice]:
    """Cut the file into slices of so many parcels, and not within an order."""
    batch: list[Record] = []
    count, line = 0, records.line
    end = start, line
    for record in records:
        is_full = count >= SLICE or end[1] - line >= SLICE_LINES
        # An order of so many rows is refused, wherever it is cut.
        is_long = len(batch) >= SLICE + 2 * MOST_PIECES
        if is_full and (not batch or is_long or _may_end(record, batch[-1], rows)):
            yield _Slice(batch, start, *end, is_last=False)
            batch, count, (start, line) = [], 0, end
        if not record.is_blank:
            batch.append(record)
            count += rows.count(record)
        end = records.offset, records.line
    if batch and is_distributed():
        yield _Slice(batch, start, *end, is_last=False)
        batch, start = [], end[0]
    yield _Slice(batch, start, records.offset, records.line, is_last=True)


def _may_end(record: Record, last: Record, rows: Rows) -> bool:
    return not record.is_blank and rows.starts_order(record, last)


def _book(actor: Actor, file: BookingFile, rows: Rows, piece: _Slice) -> None:
    """Book one slice and write its results."""
    began = time.monotonic()
    with turn(actor, file, piece.start) as row:
        # Files of one merchant are booked one at a time: each must see the bookings of the others.
        wait_for(Lock.BOOK_SLICE, of=row.merchant_id)
        outcomes = book_rows(actor, rows, piece.records, requested_at=row.uploaded_at, at=timezone.now())
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
    # Its rows are booked, or in the file of rows to correct. A failed file is kept: ops may resume it.
    transaction.on_commit(partial(Path(file.content.path).unlink, missing_ok=True), robust=True)


def _require_room(actor: Actor, digest: str, *, again: bool) -> None:
    files = BookingFile.objects.visible_to(actor)
    unsuccessful = (BookingFileState.FAILED, BookingFileState.CANCELLED, BookingFileState.DRAFT)
    earlier = files.filter(digest=digest).exclude(state__in=unsuccessful).first()
    if earlier is not None and not again:
        raise FileKnown(earlier)
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
