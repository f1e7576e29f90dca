"""Writing scans: what couriers send becomes statuses and kept or broken promises."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import NotPermitted
from alliance.identifiers import EPOCH as FIRST_BOOKING
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Actor, require
from parcels import scan_sql, statuses
from parcels.choices import ScanCode
from parcels.scan_input import NamedScan, Rejection, ScanLine

# Couriers' clocks run ahead of ours, a little.
AHEAD: Final = timedelta(minutes=5)
_CODES: Final = frozenset(ScanCode.values)
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (FIRST_BOOKING - _UNIX) // _MICROSECOND


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
    """Take a batch of scans: store what is new, fold statuses, settle commitments, in one statement.

    Runs in the current scope. A line that cannot be taken is reported and the others are; one that was
    taken before is a duplicate and changes nothing, so a batch may be sent again at any time. Raises
    NotPermitted for anybody but a courier (or a task of ours).
    """
    require(actor, Capability.SEND_SCANS)
    if not actor.is_courier and actor.kind != "system":
        raise NotPermitted
    now = now or timezone.now()
    batch = _Batch(now)
    for index, line in enumerate(lines):
        if isinstance(line, Rejection):
            batch.rejections.append(line)
        else:
            batch.add(index, line)
    accepted = 0
    if batch.parcel_id:
        with transaction.atomic():
            accepted = _write(batch, courier_id=actor.organisation_id)
    batch.rejections.sort(key=lambda rejection: rejection.index)
    return ScanReport(accepted=accepted, duplicates=sorted(batch.duplicates), rejections=batch.rejections)


def event_key(*, event_id: str, code: str, microseconds: int, facility: str) -> int:
    """The 64-bit name of a scan among its parcel's: equal for the same event, however often it is sent.

    BLAKE2b of the sender's event id; without one, of code, time (microseconds since 1970, UTC) and
    facility. A leading byte keeps the two kinds apart.
    """
    text = f"i{event_id}" if event_id else f"t{code}|{microseconds}|{facility}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _UNIX) // _MICROSECOND


class _Batch:
    """The columns of a batch, filled line by line with what is worth asking the database about."""

    def __init__(self, now: datetime) -> None:
        self.latest = microseconds_of(now + AHEAD)
        self.now = now
        self.rejections: list[Rejection] = []
        self.duplicates: list[int] = []
        self.seen: set[tuple[int, int]] = set()
        self.n: list[int] = []
        self.parcel_id: list[int] = []
        self.event_key: list[int] = []
        self.code: list[str] = []
        self.microseconds: list[int] = []
        self.reason: list[str] = []
        self.facility: list[str] = []
        self.event_id: list[str] = []
        self.consent: list[bool] = []
        self.corrects: list[int | None] = []

    def add(self, index: int, line: ScanLine) -> None:
        """Take a line, or note why not."""
        try:
            parcel_id = parse_tracking_number(line.tracking_number)
        except InvalidTrackingNumber as error:
            self._reject(index, "tracking_number", "bad_tracking_number", str(error))
            return
        moment = microseconds_of(line.occurred_at)
        problem = self._problem(line, moment)
        if problem is not None:
            self._reject(index, *problem)
            return
        event_id, facility = line.event_id or "", line.facility or ""
        key = event_key(event_id=event_id, code=line.code, microseconds=moment, facility=facility)
        if (parcel_id, key) in self.seen:
            self.duplicates.append(index)
            return
        self.seen.add((parcel_id, key))
        self.n.append(index)
        self.parcel_id.append(parcel_id)
        self.event_key.append(key)
        self.code.append(line.code)
        self.microseconds.append(moment)
        self.reason.append(line.reason or "")
        self.facility.append(facility)
        self.event_id.append(event_id)
        self.consent.append(bool(line.consent))
        self.corrects.append(_key_of(line.corrects))

    def _problem(self, line: ScanLine, moment: int) -> tuple[str, str, str] | None:
        """Return field, code and detail of what is wrong with a line by itself."""
        code, reason = line.code, line.reason
        if code not in _CODES:
            return "code", "unknown_code", _("There is no such scan code.")
        if moment > self.latest:
            return "occurred_at", "in_future", _("This time is in the future.")
        if moment < _FIRST:
            return "occurred_at", "before_booking", _("This time is before the parcel was booked.")
        if reason and not statuses.is_known_reason(reason):
            return "reason", "unknown_reason", _("There is no such reason code.")
        if not reason and code in statuses.NEEDS_REASON:
            return "reason", "reason_required", _("A failed attempt, or a hold, needs a reason.")
        if not line.corrects and code == ScanCode.CORRECTION:
            return "corrects", "corrects_missing", _("A correction names the scan it withdraws.")
        return _unstorable(line)

    def _reject(self, index: int, field: str, code: str, detail: str) -> None:
        self.rejections.append(Rejection(index, f"/{index}/{field}", code, detail))


def _unstorable(line: ScanLine) -> tuple[str, str, str] | None:
    # PostgreSQL stores every character but this one.
    for field in ("event_id", "facility"):
        if "\0" in (getattr(line, field) or ""):
            return field, "invalid", _("This text has a NUL character in it.")
    if line.corrects and line.code != ScanCode.CORRECTION:
        return "corrects", "invalid", _("Only a correction names a scan to withdraw.")
    return None


def _key_of(corrects: str | NamedScan | None) -> int | None:
    if not corrects:
        return None
    if isinstance(corrects, str):
        return event_key(event_id=corrects, code="", microseconds=0, facility="")
    return event_key(
        event_id="",
        code=corrects.code,
        microseconds=microseconds_of(corrects.occurred_at),
        facility=corrects.facility or "",
    )


def _write(batch: _Batch, *, courier_id: int | None) -> int:
    parcels = sorted(set(batch.parcel_id))
    # Numbers, not parameters to the planner: it leaves out the months that no parcel of the batch is in.
    bounds: dict[str, Any] = {"low": parcels[0], "high": parcels[-1], "now": batch.now}
    columns: dict[str, Any] = {
        "n": _numbers(batch.n),
        "parcel_id": _numbers(batch.parcel_id),
        "event_key": _numbers(batch.event_key),
        "microseconds": _numbers(batch.microseconds),
        "corrects": _numbers(batch.corrects),
        "consent": _numbers([int(given) for given in batch.consent]),
        "code": batch.code,
        "reason": batch.reason,
        "facility": batch.facility,
        "event_id": batch.event_id,
        "parcels": _numbers(parcels),
        "courier_id": courier_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(scan_sql.RECORD, {**bounds, **columns})
        accepted, unknown, early, known, corrected = cursor.fetchone()
        if corrected:
            cursor.execute(scan_sql.REFOLD, {**bounds, "parcels": corrected})
    batch.duplicates += known
    for index in unknown:
        detail = _("You carry no parcel with this number.")
        batch.rejections.append(Rejection(index, f"/{index}/tracking_number", "unknown_parcel", detail))
    for index in early:
        detail = _("This time is before the parcel was booked.")
        batch.rejections.append(Rejection(index, f"/{index}/occurred_at", "before_booking", detail))
    return int(accepted)


def _numbers(values: Sequence[int | None]) -> str:
    # One text that the server reads as an array: the driver would quote each number by itself.
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"
