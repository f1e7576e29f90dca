"""Store scans, update the parcels' statuses and settle their commitments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.database.at_home import value_alone, where_shards_are
from alliance.database.cluster import by_shard
from alliance.database.literals import numbers
from alliance.errors import NotPermitted
from alliance.tenancy import Actor, raw_rows, require
from parcels.scans import sql
from parcels.scans.batch import ScanBatch, microseconds_of
from parcels.scans.lines import Rejection, ScanLine
from parcels.scans.repeats import Content
from parcels.scans.rules import MOST_SCANS
from parcels.scans.sql_refold import REFOLD
from parcels.scans.sql_repeats import STORED_SCANS
from parcels.scans.sql_single import RECORD_SCAN
from parcels.scans.texts import WARNINGS


@dataclass(frozen=True, slots=True)
class ScanWarning:
    """What the sender of an accepted line should know: of its parcel, or of the line itself."""

    index: int
    pointer: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """The result of a batch. Every line in neither list of indices was accepted."""

    accepted: int
    # Indices of lines that were stored before, or occur twice in this batch.
    duplicates: list[int]
    rejections: list[Rejection]
    warnings: list[ScanWarning]


def record_scans(
    *, actor: Actor, lines: Sequence[ScanLine | Rejection], now: datetime | None = None
) -> ScanReport:
    """Store the new scans of a batch, fold statuses and settle commitments, in one call.

    Runs in the current scope; on a cluster a single scan commits itself if the scope begins with it. A bad
    line is rejected and does not affect the others. A line that was stored before is a duplicate and changes
    nothing, so a batch may be sent again at any time. Raises NotPermitted for actors other than a courier (or
    one of our tasks).
    """
    require(actor, Capability.SEND_SCANS)
    if not actor.is_courier and actor.kind != "system":
        raise NotPermitted
    batch = ScanBatch(lines, now=now or timezone.now())
    accepted, remarks = _write(batch, actor) if batch.parcel_ids else (0, [])
    batch.judge_copies()
    return ScanReport(
        accepted=accepted,
        duplicates=sorted(batch.duplicates),
        rejections=sorted(batch.rejections, key=lambda rejection: rejection.index),
        warnings=sorted(_warnings(batch, remarks), key=lambda warning: warning.index),
    )


# A parcel, the key of a scan or None, and what is remarkable: see REFOLD.
_Remark = tuple[int, int | None, str]


@dataclass(slots=True)
class _Result:
    """What the database says of a batch: of its lines by their index, and what is remarkable of parcels."""

    accepted: int = 0
    unknown: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    beyond_limit: list[int] = field(default_factory=list)
    # Of each part, with its parameters.
    known: list[tuple[list[int], dict[str, Any]]] = field(default_factory=list)
    remarks: list[_Remark] = field(default_factory=list)


def _write(batch: ScanBatch, actor: Actor) -> tuple[int, list[_Remark]]:
    single = batch.parameters_of_one(courier_id=actor.organisation_id)
    if single is not None and value_alone(RECORD_SCAN, single, courier_id=actor.organisation_id):
        return 1, []
    # A savepoint would cost the server another command: the scope's transaction is enough.
    with transaction.atomic(savepoint=False):
        result = where_shards_are(lambda: _record(batch, actor.organisation_id))
        remarks = [*result.remarks, *_judge_duplicates(batch, result.known)]
    for index in result.unknown:
        detail = _("You do not carry a parcel with this number.")
        batch.reject(index, "tracking_number", "unknown_parcel", detail)
    for index in result.early:
        detail = _("This time is before the parcel was booked.")
        batch.reject(index, "occurred_at", "before_booking", detail)
    for index in result.beyond_limit:
        detail = _("This parcel has %(most)d scans already: it can have no more.") % {"most": MOST_SCANS}
        batch.reject(index, "tracking_number", "scan_limit", detail)
    return result.accepted, remarks


def _record(batch: ScanBatch, courier_id: int | None) -> _Result:
    """Store a batch in the current transaction, shard by shard; they lock parcels in one order."""
    result = _Result()
    with connection.cursor() as cursor:
        for places in by_shard(batch.parcel_ids):
            parameters = batch.parameters(places, courier_id=courier_id)
            cursor.execute(sql.RECORD, parameters)
            accepted, unknown, early, beyond_limit, known, whole = cursor.fetchone()
            result.accepted += accepted
            result.unknown += unknown
            result.early += early
            result.beyond_limit += beyond_limit
            if known:
                result.known.append((known, parameters))
            if whole:
                cursor.execute(REFOLD, {**parameters, "parcels": numbers(whole)})
                result.remarks += cursor.fetchall()
    return result


def _judge_duplicates(
    batch: ScanBatch, known: Sequence[tuple[list[int], dict[str, Any]]]
) -> Iterator[_Remark]:
    """Compare the scans that were sent before with what was stored; yield those that do not count."""
    for indices, parameters in known:
        stored: dict[tuple[int, int], Content] = {}
        withdrawn = []
        keys = numbers(batch.keys_of(indices))
        rows = raw_rows(STORED_SCANS.call, {**parameters, "keys": keys})
        for parcel_id, key, code, at, *rest, is_withdrawn in rows:
            stored[parcel_id, key] = Content(code, microseconds_of(at), *rest)
            if is_withdrawn:
                withdrawn.append((parcel_id, key))
        batch.judge_duplicates(indices, stored)
        for parcel_id, key in withdrawn:
            yield parcel_id, key, "withdrawn_already"


def _warnings(batch: ScanBatch, remarks: Sequence[_Remark]) -> Iterator[ScanWarning]:
    """Of what concerns a parcel, its last accepted line is warned."""
    if not remarks:
        return
    refused = {rejection.index for rejection in batch.rejections}
    new = refused.union(batch.duplicates)
    last = {parcel_id: index for index, parcel_id in batch.lines_of_parcels() if index not in new}
    for parcel_id, key, remark in remarks:
        index = last.get(parcel_id) if key is None else batch.line_of(parcel_id, key)
        if index is not None and index not in refused:
            field = "corrects" if remark == "nothing_withdrawn" else "tracking_number"
            yield ScanWarning(index, f"/{index}/{field}", remark, str(WARNINGS[remark]))
