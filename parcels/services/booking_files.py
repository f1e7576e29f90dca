"""Booking files: taken in at once, booked in slices, the same parcels as by the API.

A slice's parcels, its counters and how far the file is are one transaction. So whoever is killed
anywhere, or runs twice, neither doubles a row nor forgets one.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.models import Organisation
from alliance.services import actor_of_organisation
from alliance.tenancy import Actor, Scope, require, scope
from parcels import booking_files
from parcels.booking_files import Record, Records
from parcels.choices import BookingFileState
from parcels.models import BookingFile
from parcels.services.booking_results import append_results
from parcels.services.booking_rows import Rows
from parcels.services.booking_slices import book_rows

SLICE: Final = 2_000
# A row of a file of blank lines costs little, and yet the page must move.
SLICE_LINES: Final = 100_000
# After so long a worker takes the next task, and this file queues up again: others' wait, too.
STRETCH: Final = timedelta(seconds=60)
# A file nobody has worked on for so long was dropped by whoever did.
DROPPED: Final = timedelta(minutes=2)
MOST_RUNNING: Final = 3
MOST_FAILURES: Final = 3
_UNFINISHED: Final = (BookingFileState.QUEUED, BookingFileState.RUNNING)
log = structlog.get_logger(__name__)


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
        _hand_over(file.pk)
    return file


def require_booker(actor: Actor) -> None:
    """Raises NotPermitted for anybody who does not book for a merchant."""
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotPermitted(_("Only merchants book parcels."))


def book_file(*, file_id: int, stretch: timedelta | None = None) -> bool:
    """Book a file from where it stands, for as long as told; return whether it is finished.

    May be stopped anywhere, and run twice side by side: each slice locks the file's row, and whoever
    finds that another has gone on leaves it to them. A slice that keeps failing fails the file.
    """
    with scope(Scope.everything()):
        file = BookingFile.objects.filter(pk=file_id).first()
        if file is None or file.is_finished:
            return True
        organisation = Organisation.objects.get(pk=file.merchant_id)
    actor = actor_of_organisation(organisation, kind="system", label=f"booking file {file_id}")
    try:
        # The file belongs to whoever uploaded it, not to the worker's language.
        with translation.override(file.language):
            return _work(actor, file, stretch)
    except (OperationalError, InterfaceError):
        # The database is away, not the file wrong: beat hands it out again.
        raise
    except AllianceError as error:
        if error.retry_after is not None:
            return False
        _give_up(file_id, error.detail)
        return True
    except Exception:
        return _note_failure(file_id)


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
        raise Conflict(_("This file is done: there is nothing left to cancel."), code="finished")
    _finish(file, BookingFileState.CANCELLED)
    _record(actor, "booking_file.cancelled", file)
    return file


def retry_booking_file(*, actor: Actor, file_id: int) -> bool:
    """Have a failed file gone on with from where it stopped; return whether it was one. For ops."""
    require(actor, Capability.OPERATE)
    retried = BookingFile.objects.filter(
        pk=file_id, state=BookingFileState.FAILED, deleted_at__isnull=True
    ).update(
        state=BookingFileState.QUEUED, failures=0, problem="", finished_at=None, touched_at=timezone.now()
    )
    if retried:
        _hand_over(file_id)
    return bool(retried)


def resume_booking_files() -> int:
    """Give files that were dropped to a worker again; return how many."""
    with scope(Scope.everything()):
        dropped = BookingFile.objects.filter(
            state__in=_UNFINISHED, touched_at__lt=timezone.now() - DROPPED
        ).values_list("pk", flat=True)
        for file_id in dropped:
            _hand_over(file_id)
        return len(dropped)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Rows that are booked together, from one place of the file to another."""

    records: Sequence[Record]
    start: int
    end: int
    line: int
    is_last: bool


def _work(actor: Actor, file: BookingFile, stretch: timedelta | None) -> bool:
    began = time.monotonic()
    with file.content.open("rb") as content:
        columns, records = booking_files.read_header(content, file.encoding)
        with scope(Scope.of(actor)):
            rows = Rows(actor, columns)
        if file.position:
            records = Records(content, file.encoding, offset=file.position, line=file.line)
        for piece in _slices(records, start=file.position):
            if not _take(actor, file.pk, rows, piece):
                return True
            if stretch is not None and time.monotonic() - began > stretch.total_seconds():
                return piece.is_last
    return True


def _slices(records: Records, *, start: int) -> Iterator[_Slice]:
    taken: list[Record] = []
    line = records.line
    for record in records:
        if record.problem or any(record.cells):
            taken.append(record)
        if len(taken) == SLICE or records.line - line >= SLICE_LINES:
            yield _Slice(taken, start, records.offset, records.line, is_last=False)
            taken, start, line = [], records.offset, records.line
    yield _Slice(taken, start, records.offset, records.line, is_last=True)


def _take(actor: Actor, file_id: int, rows: Rows, piece: _Slice) -> bool:
    """Book one slice and write its results; return whether to go on."""
    began = time.monotonic()
    with scope(Scope.of(actor)):
        file = BookingFile.objects.select_for_update().get(pk=file_id)
        if file.is_finished or file.position != piece.start:
            return False
        # Files of one merchant take turns: what one books, the other must see.
        wait_for(Lock.BOOK_SLICE, of=file.merchant_id)
        now = timezone.now()
        outcomes = book_rows(actor, rows, piece.records, asked_at=file.uploaded_at, at=now)
        for name, count in outcomes.counts().items():
            setattr(file, name, getattr(file, name) + count)
        file.done += len(piece.records)
        file.position, file.line = piece.end, piece.line
        file.state, file.failures, file.touched_at = BookingFileState.RUNNING, 0, now
        append_results(file, outcomes, rows.columns)
        file.seconds += time.monotonic() - began
        if piece.is_last:
            _finish(file, BookingFileState.DONE)
            _record(actor, "booking_file.done", file)
        else:
            file.save()
    return True


def _finish(file: BookingFile, state: BookingFileState) -> None:
    file.state, file.finished_at = state, timezone.now()
    file.save()
    # Its rows are parcels now, or among those to correct. One that failed is kept: ops may let it go on.
    transaction.on_commit(partial(Path(file.content.path).unlink, missing_ok=True), robust=True)


def _give_up(file_id: int, problem: str) -> None:
    with scope(Scope.everything()):
        BookingFile.objects.filter(pk=file_id, state__in=_UNFINISHED).update(
            state=BookingFileState.FAILED, problem=problem[:300], finished_at=timezone.now()
        )


def _note_failure(file_id: int) -> bool:
    """Count a failure that is not the file's to explain; return whether it was one too many."""
    with scope(Scope.everything()):
        file = BookingFile.objects.select_for_update().get(pk=file_id)
        # Somebody else has ended it meanwhile, and taken the upload away.
        if file.is_finished:
            return True
        log.exception("booking_file_failed", file=file_id)
        file.failures += 1
        file.save(update_fields=["failures"])
    if file.failures < MOST_FAILURES:
        return False
    with translation.override(file.language):
        _give_up(file_id, _("Something went wrong on our side after line %(line)d.") % {"line": file.line})
    return True


def _require_room(actor: Actor, digest: str, *, again: bool) -> None:
    files = BookingFile.objects.visible_to(actor)
    stopped = (BookingFileState.FAILED, BookingFileState.CANCELLED)
    known = files.filter(digest=digest).exclude(state__in=stopped).first()
    if known is not None and not again:
        raise FileKnown(known)
    if files.filter(state__in=_UNFINISHED).count() >= MOST_RUNNING:
        detail = _("%(most)d files are being booked already. Upload this one when one of them is done.")
        raise Conflict(detail % {"most": MOST_RUNNING}, code="files_running", retry_after=60)


def _record(actor: Actor, verb: str, file: BookingFile) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="booking_file",
        object_id=file.pk,
        detail={"name": file.name, "lines": file.lines, "booked": file.booked},
    )


def _hand_over(file_id: int) -> None:
    after_commit("parcels.tasks.book_file", file_id)
