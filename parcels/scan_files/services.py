"""Scan files: stored at upload, and processed in batches, with the same results as by the API."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_cells import safe_cell
from alliance.csv_files.reading import make_utf8
from alliance.csv_files.writing import append_rows, read_rows
from alliance.database.cluster import is_distributed
from alliance.database.together import require_settled
from alliance.errors import FieldError, InvalidInput, NotPermitted
from alliance.file_jobs import FileJobs, turn
from alliance.jobs import after_commit
from alliance.members.services.organisations import worker_of_organisation
from alliance.stored_files import fresh_name
from alliance.tenancy import Actor, require
from couriers.homes.queries import homes_to_read
from parcels.choices import FileState
from parcels.scan_files import rows as scan_files
from parcels.scan_files.models import ScanFile
from parcels.scan_files.rows import FileRow
from parcels.scans.lines import Rejection, ScanLine
from parcels.scans.services import ScanReport, record_scans

BATCH: Final = 2_000
JOBS: Final = FileJobs(ScanFile, lambda file_id: after_commit("parcels.tasks.process_file_of_scans", file_id))


def receive_scan_file(*, actor: Actor, upload: "UploadedFile[Any]") -> ScanFile:
    """Store an uploaded CSV and process it: a small one now, a large one by a task.

    Raises InvalidInput for an unreadable file, and stores nothing of it.
    """
    require(actor, Capability.SEND_SCANS)
    if not actor.is_courier:
        raise NotPermitted
    if (upload.size or 0) > scan_files.MAX_BYTES:
        most = scan_files.MAX_BYTES // 1024 // 1024
        message = _("The file is larger than %(most)d MB. Split it.") % {"most": most}
        raise InvalidInput(errors=[FieldError("/file", message)])
    name = Path(upload.name or "scans.csv").name[-200:]
    make_utf8(upload, scan_files.FORMAT)
    shape = scan_files.examine(upload)
    upload.seek(0)
    # The file name on disk is ours: an uploaded name may exceed the file system's limit, mostly in Chinese.
    upload.name = fresh_name(".csv")
    file = ScanFile.objects.create(
        courier_id=actor.organisation_id,
        uploaded_by_id=actor.user_id,
        name=name,
        content=upload,
        encoding=shape.encoding,
        language=translation.get_language() or "en",
        rows=shape.rows,
    )
    audit.record(
        actor=actor,
        verb="scan_file.received",
        object_type="scan_file",
        object_id=file.pk,
        detail={"name": file.name, "rows": file.rows},
    )
    if file.rows <= BATCH:
        process_scan_file(file_id=file.pk)
        file.refresh_from_db()
    else:
        JOBS.hand_over(file.pk)
    return file


def process_scan_file(*, file_id: int, stretch: timedelta | None = None) -> bool:
    """Process a file from its position for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently. A batch that keeps failing fails the file.
    """
    return JOBS.run(file_id, _batches, stretch)


def retry_scan_file(*, actor: Actor, file_id: int) -> bool:
    """Resume a failed file where it stopped; return whether it had failed. For ops."""
    return JOBS.resume(actor=actor, file_id=file_id)


def resume_scan_files(*, now: datetime) -> int:
    """Send files whose worker was killed or failed a while ago to workers again; return how many."""
    return JOBS.hand_out(now=now)


def read_results(file: ScanFile, *, only: str = "") -> Iterator[dict[str, str]]:
    """Yield the results of the rows so far, in the file's order; `only` selects one result."""
    for row in read_rows(results_path(file), file.results_size):
        if not only or row["result"] == only:
            yield row


def results_path(file: ScanFile) -> Path:
    return Path(f"{file.content.path}.results.csv")


def _batches(file: ScanFile) -> Iterator[None]:
    actor = worker_of_organisation(file.courier_id, label=f"scan file {file.pk}")
    position = file.done
    if position == file.rows:
        # An outage came between its last batch and its end.
        require_settled(homes_to_read(file.courier_id))
    with file.content.open("rb") as content:
        rows_left = scan_files.read_rows(content, file.encoding, skip=position)
        for rows in scan_files.batches(rows_left, BATCH):
            with turn(actor, file, position) as row:
                _record_batch(actor, row, rows)
            position = row.done
            if not row.is_finished:
                yield
    if is_distributed():
        with turn(actor, file, position) as row:
            _finish(row)


def _record_batch(actor: Actor, file: ScanFile, rows: Sequence[FileRow]) -> None:
    """Write one batch and its results."""
    report = record_scans(actor=actor, lines=[_at(row, n) for n, row in enumerate(rows)])
    results = _results(rows, report)
    counts = Counter(result[4] for result in results)
    file.done += len(rows)
    for name in ("accepted", "duplicate", "rejected"):
        setattr(file, name, getattr(file, name) + counts[name])
    cells = [[safe_cell(cell) for cell in result] for result in results]
    file.results_size = append_rows(results_path(file), file.results_size, scan_files.RESULT_COLUMNS, cells)
    # On a cluster the file is done once its last batch is, on every worker.
    if file.done >= file.rows and not is_distributed():
        _finish(file)


def _finish(file: ScanFile) -> None:
    file.finish(FileState.DONE)
    # What was typed into it is erased with the parcels; their results stay.
    transaction.on_commit(partial(Path(file.content.path).unlink, missing_ok=True), robust=True)


def _at(row: FileRow, index: int) -> ScanLine | Rejection:
    line = row.line
    return replace(line, index=index) if isinstance(line, Rejection) else line


def _results(rows: Sequence[FileRow], report: ScanReport) -> list[list[str]]:
    duplicates = set(report.duplicates)
    rejections = {rejection.index: rejection for rejection in report.rejections}
    warnings = {warning.index: warning for warning in report.warnings}
    results = []
    for index, row in enumerate(rows):
        cells = [row.cells.get(name, "") for name in scan_files.REQUIRED]
        outcome = "duplicate" if index in duplicates else "rejected" if index in rejections else "accepted"
        problem = rejections.get(index) or warnings.get(index)
        told = ["", "", ""]
        if problem is not None:
            told = [problem.code, "/".join(problem.pointer.split("/")[2:]), problem.detail]
        results.append([str(row.number), *cells, outcome, *told])
    return results
