"""Writing scans: what couriers send becomes statuses and kept or broken promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.tenancy import Actor, require
from parcels.scans import sql
from parcels.scans.batch import ScanBatch
from parcels.scans.lines import Rejection, ScanLine


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What became of a batch. Every line that is in neither list was accepted."""

    accepted: int
    # Indices of lines that were known already, or came twice in this batch.
    duplicates: list[int]
    rejections: list[Rejection]


def record_scans(
    *, actor: Actor, lines: Sequence[ScanLine | Rejection], now: datetime | None = None
) -> ScanReport:
    """Take a batch of scans: store what is new, fold statuses, settle commitments, in one call.

    Runs in the current scope. A line that cannot be taken is reported and the others are; one that was
    taken before is a duplicate and changes nothing, so a batch may be sent again at any time. Raises
    NotPermitted for anybody but a courier (or a task of ours).
    """
    require(actor, Capability.SEND_SCANS)
    if not actor.is_courier and actor.kind != "system":
        raise NotPermitted
    batch = ScanBatch(lines, now=now or timezone.now())
    accepted = _write(batch, actor) if batch.parcel_ids else 0
    return ScanReport(
        accepted=accepted,
        duplicates=sorted(batch.duplicates),
        rejections=sorted(batch.rejections, key=lambda rejection: rejection.index),
    )


def _write(batch: ScanBatch, actor: Actor) -> int:
    parameters = batch.parameters(courier_id=actor.organisation_id)
    # A savepoint would be one more thing for the server to do: the scope's transaction is enough.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(sql.RECORD, parameters)
        accepted, unknown, early, known, corrected = cursor.fetchone()
        if corrected:
            cursor.execute(sql.REFOLD, {**parameters, "parcels": corrected})
    batch.duplicates += known
    for index in unknown:
        detail = _("You carry no parcel with this number.")
        batch.reject(index, "tracking_number", "unknown_parcel", detail)
    for index in early:
        detail = _("This time is before the parcel was booked.")
        batch.reject(index, "occurred_at", "before_booking", detail)
    return int(accepted)
