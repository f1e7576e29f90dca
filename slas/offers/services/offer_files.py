"""Files of offers: checked at upload, shown, and saved when the courier says so.

Small files are worked through at once, larger ones by a task, in slices. Nothing goes on sale by an upload
alone: a price list with a column shifted would be sold before anybody has seen it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.utils import translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_cells import safe_cell
from alliance.csv_files.columns import REMARK
from alliance.csv_files.reading import examine, make_utf8
from alliance.csv_files.refusals import refused
from alliance.csv_files.writing import append_rows, read_rows
from alliance.errors import Conflict, FieldError, NotFound, NotPermitted
from alliance.file_jobs import QUEUED, UNFINISHED, FileJobs, first_due, turn
from alliance.jobs import after_commit
from alliance.members.services.organisations import worker_of_organisation
from alliance.stored_files import fresh_name
from alliance.tenancy import Actor, Scope, require, scope
from slas.choices import OfferFileState
from slas.offers.models import OfferFile
from slas.offers.services import offer_rows
from slas.offers.services.offer_rows import COLUMNS, FORMAT, MAX_ROWS, OfferRow
from slas.offers.services.row_results import OfferBook, RowResult

MAX_BYTES: Final = 4 * 1024 * 1024
SLICE: Final = 1_000
# Worked through in the request; more would keep a person waiting.
AT_ONCE: Final = 300
MOST_RUNNING: Final = 3
COUNTERS: Final = ("created", "changed", "unchanged", "rejected")
RESULT_COLUMNS: Final = (
    "line", "result", "tier", "origin", "destination", "price", "old_price", "daily_capacity",
    "old_daily_capacity", "on_sale", "old_on_sale", "column", "problem", "detail",
)  # fmt: skip
JOBS: Final = FileJobs(OfferFile, lambda file_id: after_commit("slas.tasks.process_file_of_offers", file_id))


def receive_offer_file(*, actor: Actor, upload: "UploadedFile[Any]") -> OfferFile:
    """Store an uploaded CSV and check what it would change.

    Raises InvalidInput for an unreadable file, Conflict while MOST_RUNNING are at work: nothing is stored.
    """
    require(actor, Capability.MANAGE_OFFERS)
    if not actor.is_courier:
        raise NotPermitted
    if (upload.size or 0) > MAX_BYTES:
        most = MAX_BYTES // 1024 // 1024
        raise refused(_("The file is larger than %(most)d MB. Split it.") % {"most": most})
    name = Path(upload.name or "offers.csv").name[-200:]
    make_utf8(upload, FORMAT)
    shape = examine(upload, FORMAT)
    rows = sum(1 for _row in offer_rows.read_rows(upload, shape.encoding))
    if rows > MAX_ROWS:
        message = _("The file has %(rows)s rows; the limit is %(most)s. Split it.")
        raise refused(message % {"rows": f"{rows:,}", "most": f"{MAX_ROWS:,}"})
    _require_room(actor)
    upload.seek(0)
    # The file name on disk is ours: an uploaded name may exceed the file system's limit, mostly in Chinese.
    upload.name = fresh_name(".csv")
    file = OfferFile.objects.create(
        courier_id=actor.tenant_id,
        uploaded_by_id=actor.user_id,
        name=name,
        content=upload,
        encoding=shape.encoding,
        language=translation.get_language() or "en",
        rows=rows,
    )
    _record(actor, "offer_file.received", file)
    return _start(file)


def save_offer_file(*, actor: Actor, file_id: int) -> OfferFile:
    """Save a checked file's offers. Saving it again changes nothing.

    Each row is compared once more: the results say what was changed, also if offers changed meanwhile.
    Raises NotFound for files of others, Conflict for one that is not checked.
    """
    require(actor, Capability.MANAGE_OFFERS)
    file = OfferFile.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=file_id).first()
    if file is None:
        raise NotFound
    if file.saves and file.state != OfferFileState.FAILED:
        return file
    if file.deleted_at:
        raise Conflict(_("The file was deleted after 30 days. Upload it again."), code="deleted")
    if file.state != OfferFileState.CHECKED:
        raise Conflict(_("This file is not checked yet."), code="not_checked")
    file.saves, file.state, file.finished_at, file.problem = True, QUEUED, None, ""
    file.done = file.results_size = file.rejected_size = 0
    for name in COUNTERS:
        setattr(file, name, 0)
    file.attempts, file.due_at = 0, first_due()
    file.save()
    _record(actor, "offer_file.saved", file)
    return _start(file)


def process_offer_file(*, file_id: int, stretch: timedelta | None = None) -> bool:
    """Check or save a file from its position for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently. A slice that keeps failing fails the file.
    """
    return JOBS.run(file_id, _slices, stretch)


def retry_offer_file(*, actor: Actor, file_id: int) -> bool:
    """Resume a failed file where it stopped; return whether it had failed. For ops."""
    return JOBS.resume(actor=actor, file_id=file_id, deleted_at__isnull=True)


def resume_offer_files(*, now: datetime) -> int:
    """Send files whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


def read_results(file: OfferFile, *, only: str = "") -> Iterator[dict[str, str]]:
    """Yield the results of the rows so far, in the file's order; `only` selects one result."""
    for row in read_rows(results_path(file), 0 if file.deleted_at else file.results_size):
        if not only or row["result"] == only:
            yield row


def results_path(file: OfferFile) -> Path:
    return Path(f"{file.content.path}.results.csv")


def rejected_path(file: OfferFile) -> Path:
    return Path(f"{file.content.path}.rejected.csv")


def _start(file: OfferFile) -> OfferFile:
    if file.rows <= AT_ONCE:
        process_offer_file(file_id=file.pk)
        file.refresh_from_db()
    else:
        JOBS.hand_over(file.pk)
    return file


def _slices(file: OfferFile) -> Iterator[None]:
    actor = worker_of_organisation(file.courier_id, label=f"offer file {file.pk}")
    # The courier may have been suspended since the upload.
    require(actor, Capability.MANAGE_OFFERS)
    with scope(Scope.of(actor)):
        book = OfferBook(actor)
    place = file.place
    with file.content.open("rb") as content:
        rows = offer_rows.read_rows(content, file.encoding)
        # Rows before the position were worked through by an earlier attempt: only their lanes are noted.
        with scope(Scope.of(actor)):
            book.judge(list(islice(rows, file.done)))
        while batch := list(islice(rows, SLICE)):
            with turn(actor, file, place) as row:
                _process(actor, row, book, batch)
            place = row.place
            if not row.is_finished:
                yield


def _process(actor: Actor, file: OfferFile, book: OfferBook, rows: Sequence[OfferRow]) -> None:
    results = book.judge(rows)
    if file.saves:
        book.save(results)
    for result in results:
        setattr(file, result.outcome, getattr(file, result.outcome) + 1)
    file.done += len(rows)
    cells = [_result_cells(result) for result in results]
    file.results_size = append_rows(results_path(file), file.results_size, RESULT_COLUMNS, cells)
    rejected = [_rejected_cells(result) for result in results if result.errors]
    file.rejected_size = append_rows(rejected_path(file), file.rejected_size, (*COLUMNS, REMARK), rejected)
    if file.done >= file.rows:
        file.finish(OfferFileState.DONE if file.saves else OfferFileState.CHECKED)


def _result_cells(result: RowResult) -> list[str]:
    texts = (
        " ".join(error.field for error in result.errors),
        " ".join(dict.fromkeys(error.code for error in result.errors)),
        _problem_text(result.errors) if len(result.errors) > 1 else "".join(e.message for e in result.errors),
    )
    return [safe_cell(cell) for cell in (str(result.line), result.outcome, *result.values(), *texts)]


def _rejected_cells(result: RowResult) -> list[str]:
    cells = (result.cells.get(name, "") for name in COLUMNS)
    return [safe_cell(cell) for cell in (*cells, _problem_text(result.errors))]


def _problem_text(errors: Iterable[FieldError]) -> str:
    """All errors of a row, each with its column."""
    return " ".join(f"{error.field}: {error.message}" if error.field else error.message for error in errors)


def _require_room(actor: Actor) -> None:
    if OfferFile.objects.visible_to(actor).filter(state__in=UNFINISHED).count() >= MOST_RUNNING:
        detail = _("%(most)d files are already being checked or saved. Upload this one afterwards.")
        raise Conflict(detail % {"most": MOST_RUNNING}, code="files_running", retry_after=60)


def _record(actor: Actor, verb: str, file: OfferFile) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="offer_file",
        object_id=file.pk,
        detail={"name": file.name, "rows": file.rows},
    )
