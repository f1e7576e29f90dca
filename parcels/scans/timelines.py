"""What happened to a parcel, as people read it: its scans in the order they happened, with a word on each
that came late, out of order or was withdrawn. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy

from parcels.choices import ScanCode, ScanReason
from parcels.scans.rules import NEEDS_REASON, RANK, ScanFact, party_at_fault, standing, status_of
from slas.commitments.attribution import Remark

# Couriers send in batches: up to an hour between a scan and our hearing of it is nothing to speak of.
LATE_RECEIPT: Final = timedelta(hours=1)

PARTY_NAMES: Final = {
    "courier": gettext_lazy("courier"),
    "merchant": gettext_lazy("sender"),
    "consignee": gettext_lazy("recipient"),
    "customs": gettext_lazy("customs"),
    "weather": gettext_lazy("weather"),
    "force_majeure": gettext_lazy("force majeure"),
}


class ScanRow(ScanFact, Protocol):
    """What a timeline reads of a scan."""

    received_at: datetime
    facility: str


@dataclass(frozen=True, slots=True)
class TrackedScan:
    """A scan, and what there is to say about it."""

    scan: ScanRow
    # How long after it happened we heard of it, when that is worth a word.
    received_late: timedelta | None = None
    # We had heard of something later before.
    out_of_order: bool = False
    # When a correction that withdraws it was received.
    withdrawn_at: datetime | None = None
    # Of a correction: the scan it withdraws, if that ever came.
    withdraws: ScanRow | None = None

    @property
    def is_correction(self) -> bool:
        return self.scan.code == ScanCode.CORRECTION

    @property
    def party(self) -> str:
        """Who the scan's reason blames, in words; "" for nobody."""
        return str(PARTY_NAMES.get(party_at_fault(self.scan.reason), ""))


def track(scans: Iterable[ScanRow]) -> list[TrackedScan]:
    """Tell of each scan what is to be told; the latest to happen comes first."""
    known = list(scans)
    by_key = {scan.event_key: scan for scan in known}
    corrections: dict[int | None, datetime] = {}
    for scan in known:
        if scan.code == ScanCode.CORRECTION:
            earlier = corrections.get(scan.corrects, scan.received_at)
            corrections[scan.corrects] = min(earlier, scan.received_at)
    overtaken = _overtaken(known)
    told = [
        TrackedScan(
            scan,
            received_late=_delay(scan),
            out_of_order=scan.event_key in overtaken,
            withdrawn_at=None if scan.code == ScanCode.CORRECTION else corrections.get(scan.event_key),
            withdraws=by_key.get(scan.corrects) if scan.corrects is not None else None,
        )
        for scan in known
    ]
    return sorted(told, key=_precedence, reverse=True)


def zone_text(zone_name: str, at: datetime) -> str:
    """What clocks there are ahead of or behind UTC at a moment: UTC+8, UTC-3:30, UTC."""
    offset = at.astimezone(ZoneInfo(zone_name)).utcoffset() or timedelta()
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    sign = "-" if offset < timedelta() else "+"
    if not offset:
        return "UTC"
    return f"UTC{sign}{hours}:{minutes:02d}" if minutes else f"UTC{sign}{hours}"


def _delay(scan: ScanRow) -> timedelta | None:
    delay = scan.received_at - scan.occurred_at
    return delay if delay >= LATE_RECEIPT else None


def _overtaken(scans: list[ScanRow]) -> set[int]:
    """Scans that arrived in a later batch than one that happened after them."""
    found: set[int] = set()
    latest: datetime | None = None
    batch: list[ScanRow] = []
    moved = [scan for scan in scans if scan.code != ScanCode.CORRECTION]
    for scan in sorted(moved, key=lambda scan: scan.received_at):
        if batch and batch[-1].received_at != scan.received_at:
            latest = max(known.occurred_at for known in batch)
        batch.append(scan)
        if latest is not None and scan.occurred_at < latest:
            found.add(scan.event_key)
    return found


def _precedence(told: TrackedScan) -> tuple[datetime, int, int]:
    scan = told.scan
    rank = -1 if told.is_correction else RANK[status_of(scan.code, consent=scan.consent)]
    return scan.occurred_at, rank, scan.event_key


def remarks_of(scans: Iterable[ScanFact]) -> Iterator[Remark]:
    """The reasons that failed and held scans gave, without those a correction withdrew."""
    for scan in standing(scans):
        if scan.reason and scan.code in NEEDS_REASON:
            yield Remark(scan.occurred_at, scan.reason, reason_text(scan.reason))


def reason_text(reason: str) -> str:
    """A scan's reason in words; one nobody described as it was sent."""
    return str(ScanReason(reason).label) if reason in ScanReason.values else reason
