"""Store scans, update the parcels' statuses and settle their commitments."""

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
    """The result of a batch. Every line in neither list was accepted."""

    accepted: int
    # Indices of lines that were stored before, or occur twice in this batch.
    duplicates: list[int]
    rejections: list[Rejection]


def record_scans(
    *, actor: Actor, lines: Sequence[ScanLine | Rejection], now: datetime | None = None
) -> ScanReport:
    """Store the new scans of a batch, fold statuses and settle commitments, in one call.

    Runs in the current scope. A bad line is rejected and does not affect the others. A line that was
    stored before is a duplicate and changes nothing, so a batch may be sent again at any time. Raises
    NotPermitted for actors other than a courier (or one of our tasks).
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
    # A savepoint would cost the server another command: the scope's transaction is enough.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(sql.RECORD, parameters)
        accepted, unknown, too_early, duplicates, corrected = cursor.fetchone()
        if corrected:
            cursor.execute(sql.REFOLD, {**parameters, "parcels": corrected})
    batch.duplicates += duplicates
    for index in unknown:
        detail = _("You do not carry a parcel with this number.")
        batch.reject(index, "tracking_number", "unknown_parcel", detail)
    for index in too_early:
        detail = _("This time is before the parcel was booked.")
        batch.reject(index, "occurred_at", "before_booking", detail)
    return int(accepted)
