"""Request exports of an organisation's data, and download them while their link is valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hmac import compare_digest
from typing import Final

from django.core.signing import Signer
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.dates import time_text
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.file_jobs import FIRST_WAIT, UNFINISHED, FileJobs
from alliance.jobs import after_commit
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require
from slas.choices import ExportContent, ExportFormat, ExportState
from slas.exports.models import Export, export_name
from slas.exports.querysets import ExportQuerySet

# A year and its leap day.
MOST_DAYS: Final = 366
MOST_RUNNING: Final = 3
KEPT: Final = timedelta(days=7)
# The range of possible due dates: ids are valid from 2016 to 2085.
EARLIEST, LATEST = date(2016, 1, 1), date(2085, 8, 31)
# The largest value of the column.
_MAX_ID: Final = 2**63 - 1
JOBS: Final = FileJobs(Export, lambda export_id: after_commit("slas.tasks.write_export", export_id))


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The content of an export. Both dates are due dates, inclusive."""

    content: str
    format: str
    first: date
    last: date


def request_export(*, actor: Actor, request: ExportRequest, now: datetime) -> Export:
    """Create an export of the actor's organisation, for ops of all, and send it to a worker.

    Raises InvalidInput for an invalid period, Conflict while MOST_RUNNING are being written.
    """
    require_export(actor)
    if problems := list(_problems(request)):
        raise InvalidInput(errors=problems)
    with transaction.atomic():
        wait_for(Lock.REQUEST_EXPORT, of=actor.organisation_id or 0)
        running = _own_exports(actor).filter(state__in=UNFINISHED).count()
        if running >= MOST_RUNNING:
            detail = _("%(most)d files are already being prepared. Try again when one of them is ready.")
            raise Conflict(detail % {"most": MOST_RUNNING}, code="exports_running", retry_after=30)
        return _create(actor, request, now)


def require_export(actor: Actor) -> None:
    """Raise NotPermitted unless the actor may export rates and commitments."""
    require(actor, Capability.VIEW_RATES)
    require(actor, Capability.EXPORT)
    if not actor.is_ops and actor.organisation_id is None:
        raise NotPermitted


def exports_of(actor: Actor) -> ExportQuerySet:
    """Return the exports of the actor's own organisation, for ops those of ops, newest first."""
    require_export(actor)
    return _own_exports(actor).select_related("requested_by")


def export_for(*, actor: Actor, export_id: int) -> Export:
    """Return one export. Raises NotFound for those of others."""
    require_export(actor)
    if export_id > _MAX_ID:
        raise NotFound
    export = Export.objects.visible_to(actor).filter(pk=export_id).first()
    if export is None:
        raise NotFound
    return export


def link_of(export: Export) -> dict[str, str]:
    """Return the signed URL parameters of a file, valid until it expires."""
    expires = int(export.expires_at.timestamp())
    return {"expires": str(expires), "signature": _signature(export.pk, expires)}


def take_export(*, actor: Actor, export_id: int, expires: str, signature: str, now: datetime) -> Export:
    """Return a finished export for download, and record the download in the audit log.

    Raises NotFound for those of others and for expired ones, NotPermitted for an invalid signature and for a
    file with fees that the actor may not see, Conflict while it is being written.
    """
    export = export_for(actor=actor, export_id=export_id)
    if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
        raise _bad_link()
    if not compare_digest(signature.encode(), _signature(export.pk, int(expires)).encode()):
        raise _bad_link()
    if int(expires) <= now.timestamp() or export.state == ExportState.EXPIRED or export.expires_at <= now:
        raise _expired_error(export)
    if export.state != ExportState.DONE:
        raise _not_ready(export)
    if export.with_fees and not sees_fees(actor):
        detail = _("This file contains fees, which your role cannot see. Create your own export.")
        raise NotPermitted(detail, code="has_fees")
    audit.record(
        actor=actor,
        verb="export.downloaded",
        object_type="export",
        object_id=export.pk,
        organisation_id=export.organisation_id,
        detail=_detail(export),
    )
    return export


def sees_fees(actor: Actor) -> bool:
    """Whether the actor may see fees, as on a parcel's page."""
    return actor.can(Capability.VIEW_FINANCE) or actor.can(Capability.BOOK_PARCELS)


def _own_exports(actor: Actor) -> ExportQuerySet:
    # Ops and their exports have no organisation.
    exports: ExportQuerySet = Export.objects.filter(organisation=actor.organisation_id)
    return exports.visible_to(actor)


def _problems(request: ExportRequest) -> Iterator[FieldError]:
    if request.content not in ExportContent.values:
        yield FieldError("/content", _("Choose the content of the file."), "choice")
    if request.format not in ExportFormat.values:
        yield FieldError("/format", _("Choose CSV or Parquet."), "choice")
    if request.first > request.last:
        yield FieldError("/to", _("The end date is before the start date."), "period")
    elif (request.last - request.first).days >= MOST_DAYS:
        message = _("At most %(days)d days at once.") % {"days": MOST_DAYS}
        yield FieldError("/to", message, "period")
    elif request.first < EARLIEST or request.last > LATEST:
        pointer = "/from" if request.first < EARLIEST else "/to"
        years = {"first": EARLIEST.year, "last": LATEST.year}
        yield FieldError(
            pointer, _("There are no parcels before %(first)d or after %(last)d.") % years, "period"
        )


def _create(actor: Actor, request: ExportRequest, now: datetime) -> Export:
    export = Export(
        organisation_id=actor.organisation_id,
        requested_by_id=actor.user_id,
        label=actor.label[:160],
        content=request.content,
        format=request.format,
        first=request.first,
        last=request.last,
        with_fees=sees_fees(actor),
        language=translation.get_language() or "en",
        created_at=now,
        due_at=now + FIRST_WAIT,
        expires_at=now + KEPT,
    )
    export.file.name = export_name(
        export, f"{request.content}-{request.first}-{request.last}.{request.format}"
    )
    export.save(force_insert=True)
    audit.record(
        actor=actor,
        verb="export.requested",
        object_type="export",
        object_id=export.pk,
        detail=_detail(export),
    )
    JOBS.hand_over(export.pk)
    return export


def _detail(export: Export) -> dict[str, object]:
    names = ("content", "format", "first", "last", "with_fees")
    return {name: getattr(export, name) for name in names}


def _signature(export_id: int, expires: int) -> str:
    return Signer(salt="slas.export").signature(f"{export_id}:{expires}")


def _bad_link() -> AllianceError:
    return NotPermitted(_("The link is incomplete. Open it from the list of exports."), code="bad_link")


def _expired_error(export: Export) -> AllianceError:
    day = time_text(export.expires_at)
    detail = _("This file was kept until %(day)s. Export it again.") % {"day": day}
    return NotFound(detail, code="export_expired")


def _not_ready(export: Export) -> AllianceError:
    if export.state == ExportState.FAILED:
        return Conflict(_("This file could not be written. Export it again."), code="export_failed")
    return Conflict(_("This file is still being prepared."), code="export_not_ready", retry_after=5)
