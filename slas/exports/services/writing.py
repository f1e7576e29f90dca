"""Write exports in the background, slice by slice, from where the last one ended.

A part is written to disk before the row is updated: if interrupted in between, it is overwritten.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from django.db.models import Q
from django.utils import timezone

from alliance.choices import Capability
from alliance.file_jobs import turn
from alliance.members.services.organisations import worker_of_organisation
from alliance.tenancy import Actor, Scope, require, scope
from slas.choices import ExportState
from slas.exports.columns import COLUMNS, values_of
from slas.exports.files import join_parts, part_path, remove_file, remove_parts, write_part
from slas.exports.models import Export
from slas.exports.reading import expected_rows, read_page
from slas.exports.services.requests import JOBS, KEPT

ROWS_A_SLICE: Final = 20_000
log = structlog.get_logger(__name__)


def write_export(
    *, export_id: int, stretch: timedelta | None = None, rows_a_slice: int = ROWS_A_SLICE
) -> bool:
    """Write a file from its position for a limited time; return whether it needs no further task.

    May be stopped at any point, and run twice and concurrently. A slice that keeps failing fails the file.
    """
    return JOBS.run(export_id, partial(_slices, limit=rows_a_slice), stretch)


def retry_export(*, actor: Actor, file_id: int) -> bool:
    """Resume a failed file where it stopped; return whether it had failed. For ops."""
    # After it has expired, its parts are being deleted.
    return JOBS.resume(actor=actor, file_id=file_id, expires_at__gt=timezone.now())


def tend_exports(*, now: datetime) -> tuple[int, int]:
    """Send due files to workers, and delete expired ones; return how many of each.

    May run twice: of two workers on a file only one writes it, and a second deletion does nothing.
    """
    handed_out = JOBS.hand_out(now=now)
    with scope(Scope.everything()):
        Export.objects.filter(state=ExportState.DONE, expires_at__lte=now).update(state=ExportState.EXPIRED)
    return handed_out, _delete_expired(now)


def _actor_of(export: Export) -> Actor:
    """Return the actor of an export, with its organisation's current capabilities."""
    label = f"export {export.pk}"
    if export.organisation_id is None:
        return Actor.system(label)
    actor = worker_of_organisation(export.organisation_id, label=label)
    require(actor, Capability.EXPORT)
    return actor


def _slices(export: Export, *, limit: int) -> Iterator[None]:
    """Write the parts one by one, and the whole file once all parts exist."""
    actor, place = _actor_of(export), export.place
    while True:
        with turn(actor, export, place) as row:
            _write_slice(actor, row, limit)
        if row.is_finished:
            # Delete the parts after the commit: an interrupted attempt needs them.
            remove_parts(Path(row.file.path))
            return
        place = row.place
        yield


def _write_slice(actor: Actor, export: Export, limit: int) -> None:
    if export.rows is None:
        export.rows = expected_rows(export, actor)
    page = read_page(export, actor, position=export.position, limit=limit)
    columns, target = COLUMNS[export.content], Path(export.file.path)
    if page.lines:
        write_part(part_path(target, export.parts), columns, values_of(columns, page.lines))
        export.parts += 1
    export.done += len(page.lines)
    export.position = page.position
    if not page.position:
        _finish(export, target)


def _finish(export: Export, target: Path) -> None:
    parts: Sequence[Path] = [part_path(target, number) for number in range(export.parts)]
    # An export without rows still needs its folder, and a file with a header.
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    export.size = join_parts(target, COLUMNS[export.content], parts)
    export.finish(ExportState.DONE)
    export.rows, export.expires_at = export.done, timezone.now() + KEPT
    log.info("export written", export=export.pk, rows=export.done, bytes=export.size)


def _delete_expired(now: datetime) -> int:
    """Delete the files of expired exports, then clear their names. Until then failed ones can be resumed."""
    expired = Q(state=ExportState.EXPIRED) | Q(state=ExportState.FAILED, expires_at__lte=now)
    with scope(Scope.everything()):
        exports = list(Export.objects.exclude(file="").filter(expired))
    for export in exports:
        # Delete the file first: if interrupted after that, the next run finds the name again.
        remove_file(Path(export.file.path))
        with scope(Scope.everything()):
            Export.objects.filter(pk=export.pk).update(file="")
    return len(exports)
