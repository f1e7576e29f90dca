"""Writing exports in the background: a slice at a time, from where the last one ended.

A file's row is locked while a slice is written, so two workers at one file take turns, and the
second finds the position moved and leaves the file to the first. A part is on the disk before the
row says so: cut off in between, it is written again, in the same place.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import AllianceError
from alliance.models import Organisation
from alliance.services import actor_of_organisation
from alliance.tenancy import Actor, Scope, require, scope
from slas.choices import ExportState
from slas.export_files import join_parts, part_path, remove_file, remove_parts, write_part
from slas.exporting import COLUMNS, values_of
from slas.models import Export
from slas.services.export_reading import expected_rows, read_page
from slas.services.exports import KEPT, hand_over

ROWS_A_SLICE: Final = 20_000
# How long a task goes on before it makes room for others: well under Celery's limit.
BUDGET: Final = 60.0
# A file nobody has worked on for so long was dropped by whoever did.
DROPPED: Final = timedelta(minutes=2)
MOST_ATTEMPTS: Final = 5
_UNFINISHED = (ExportState.QUEUED, ExportState.RUNNING)
log = structlog.get_logger(__name__)


def write_export(*, export_id: int, budget: float = BUDGET, rows_a_slice: int = ROWS_A_SLICE) -> bool:
    """Write a file from where it stands; return whether it is finished, one way or another.

    May be stopped anywhere, and run twice side by side.
    """
    until = time.monotonic() + budget
    export = _begun(export_id)
    if export is None:
        return True
    try:
        actor = _actor_of(export)
    except AllianceError as error:
        _give_up(export, error.detail)
        return True
    with translation.override(export.language):
        while _slice(actor, export, rows_a_slice):
            if time.monotonic() > until:
                hand_over_now(export.pk)
                return False
    return True


def hand_over_now(export_id: int) -> None:
    """Send the rest to a worker again, behind what else is waiting."""
    with scope(Scope.everything()):
        hand_over(export_id)


def tend_exports(*, now: datetime) -> tuple[int, int]:
    """Give dropped files to a worker again, take expired ones away; return how many of each.

    May run twice: a file worked on by two is written by one, and taking away again does nothing.
    """
    with scope(Scope.everything()):
        dropped = Export.objects.filter(state__in=_UNFINISHED, touched_at__lt=now - DROPPED)
        waiting = list(dropped.values_list("pk", flat=True))
        for export_id in waiting:
            hand_over(export_id)
        Export.objects.filter(state=ExportState.DONE, expires_at__lte=now).update(state=ExportState.EXPIRED)
    return len(waiting), _take_away()


def _begun(export_id: int) -> Export | None:
    """Claim a file for an attempt; None when there is nothing (more) to do."""
    with scope(Scope.everything()):
        export: Export | None = Export.objects.select_for_update(no_key=True).filter(pk=export_id).first()
        if export is None or export.state not in _UNFINISHED:
            return None
        if export.attempts >= MOST_ATTEMPTS:
            problem = _("It was begun %(times)d times and never finished.") % {"times": export.attempts}
            _fail(export, problem)
            return None
        export.attempts += 1
        export.touched_at = timezone.now()
        export.save(update_fields=["attempts", "touched_at"])
    return export


def _actor_of(export: Export) -> Actor:
    """Return who the file is written for: what its organisation may see now, and no more."""
    label = f"export {export.pk}"
    if export.organisation_id is None:
        return Actor.system(label)
    with scope(Scope.everything()):
        organisation = Organisation.objects.get(pk=export.organisation_id)
    actor = actor_of_organisation(organisation, kind="system", label=label)
    require(actor, Capability.EXPORT)
    return actor


def _slice(actor: Actor, seen: Export, limit: int) -> bool:
    """Write the next part, or the whole when all parts are there; return whether to go on."""
    with scope(Scope.of(actor)):
        export = Export.objects.select_for_update(no_key=True).get(pk=seen.pk)
        if export.state not in _UNFINISHED or (export.position, export.parts) != (seen.position, seen.parts):
            return False
        if export.rows is None:
            export.rows = expected_rows(export, actor)
        page = read_page(export, actor, position=export.position, limit=limit)
        columns, target = COLUMNS[export.content], Path(export.file.path)
        if page.lines:
            write_part(part_path(target, export.parts), columns, values_of(columns, page.lines))
            export.parts += 1
        export.done += len(page.lines)
        export.position, export.attempts, export.touched_at = page.position, 0, timezone.now()
        export.state = ExportState.RUNNING
        if not page.position:
            _finish(export, target)
        export.save()
    seen.position, seen.parts = export.position, export.parts
    if export.state == ExportState.DONE:
        # After the commit: until then, the parts are what an attempt that is cut off goes on with.
        remove_parts(target)
        return False
    return True


def _finish(export: Export, target: Path) -> None:
    parts: Sequence[Path] = [part_path(target, number) for number in range(export.parts)]
    # A file of nothing has a folder, and its header, all the same.
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    export.size = join_parts(target, COLUMNS[export.content], parts)
    export.state, export.rows = ExportState.DONE, export.done
    export.expires_at = timezone.now() + KEPT
    log.info("export written", export=export.pk, rows=export.done, bytes=export.size)


def _give_up(export: Export, problem: str) -> None:
    with scope(Scope.everything()):
        locked = Export.objects.select_for_update(no_key=True).get(pk=export.pk)
        if locked.state in _UNFINISHED:
            _fail(locked, problem)


def _fail(export: Export, problem: str) -> None:
    export.state, export.problem = ExportState.FAILED, problem[:300]
    export.save(update_fields=["state", "problem"])
    log.warning("export failed", export=export.pk, problem=problem)


def _take_away() -> int:
    """Delete the files of what has expired or failed, then forget their names."""
    gone = Q(state__in=[ExportState.EXPIRED, ExportState.FAILED]) & ~Q(file="")
    with scope(Scope.everything()):
        exports = list(Export.objects.filter(gone))
    for export in exports:
        # The file first: cut off after it, the next run finds the name again.
        remove_file(Path(export.file.path))
        with scope(Scope.everything()):
            Export.objects.filter(pk=export.pk).update(file="")
    return len(exports)
