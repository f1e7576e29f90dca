"""A parcel's scans in the order they happened, marked if they were late, out of order or withdrawn. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import msgspec
from django.utils.translation import gettext_lazy

from parcels.choices import ScanCode, ScanReason
from parcels.scans.rules import NEEDS_REASON, RANK, ScanFact, party_at_fault, standing, status_of
from slas.commitments.attribution import Remark

# Couriers send in batches: a scan received within an hour does not count as late.
LATE_RECEIPT: Final = timedelta(hours=1)

# Looked up in the class, a member takes longer than the comparison.
_CORRECTION: Final = ScanCode.CORRECTION
# Scans shown at once: a parcel may have a thousand.
SHOWN: Final = 50
# The parameter with the place from which a page goes on.
EARLIER: Final = "scans_after"

PARTY_NAMES: Final = {
    "courier": gettext_lazy("courier"),
    "merchant": gettext_lazy("sender"),
    "consignee": gettext_lazy("recipient"),
    "customs": gettext_lazy("customs"),
    "weather": gettext_lazy("weather"),
    "force_majeure": gettext_lazy("force majeure"),
}


class ScanRow(ScanFact, Protocol):
    """The fields of a scan that a timeline reads."""

    received_at: datetime
    facility: str
    # What a wrong clock said.
    stated_at: datetime | None


class TrackedScan(msgspec.Struct, frozen=True):
    """A scan with its remarks."""

    scan: ScanRow
    # How long after the event it was received, if at least LATE_RECEIPT.
    received_late: timedelta | None = None
    # A scan of a later event had been received before.
    out_of_order: bool = False
    # When a correction that withdraws it was received.
    withdrawn_at: datetime | None = None
    # For a correction: the scan it withdraws, if that was received.
    withdraws: ScanRow | None = None

    @property
    def is_correction(self) -> bool:
        return self.scan.code == ScanCode.CORRECTION

    @property
    def party(self) -> str:
        return str(PARTY_NAMES.get(party_at_fault(self.scan.reason), ""))


def track(scans: Iterable[ScanRow]) -> list[TrackedScan]:
    """Add remarks to each scan. The latest event comes first."""
    all_scans = sorted(scans, key=_precedence, reverse=True)
    by_key = {scan.event_key: scan for scan in all_scans}
    corrections: dict[int | None, datetime] = {}
    for scan in all_scans:
        if scan.code == _CORRECTION:
            earlier = corrections.get(scan.corrects, scan.received_at)
            corrections[scan.corrects] = min(earlier, scan.received_at)
    overtaken = _overtaken(all_scans)
    return [
        TrackedScan(
            scan,
            received_late=_delay(scan),
            out_of_order=scan.event_key in overtaken,
            withdrawn_at=None if scan.code == _CORRECTION else corrections.get(scan.event_key),
            withdraws=by_key.get(scan.corrects) if scan.corrects is not None else None,
        )
        for scan in all_scans
    ]


def shown_scans(scans: Iterable[ScanRow]) -> list[TrackedScan]:
    """The scans for programs and the public: without corrections, of which the withdrawn scans tell."""
    return [tracked_scan for tracked_scan in track(scans) if not tracked_scan.is_correction]


def page_of_scans(tracked: Iterable[TrackedScan], after: str = "") -> tuple[list[TrackedScan], str] | None:
    """Return some of the latest scans and the place of the next ones, "" at the end; None for an odd place.

    A place is the key of the last scan before it: scans that arrive in the meantime move nothing.
    """
    all_scans = list(tracked)
    first = 0
    if after:
        keys = [str(tracked_scan.scan.event_key) for tracked_scan in all_scans]
        if after not in keys:
            return None
        first = keys.index(after) + 1
    page = all_scans[first : first + SHOWN]
    return page, str(page[-1].scan.event_key) if first + SHOWN < len(all_scans) else ""


def zone_text(zone_name: str, at: datetime) -> str:
    """The zone's UTC offset at a moment, as text: UTC+8, UTC-3:30, UTC."""
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
    """Keys of scans that arrived in a later batch than a scan of a later event."""
    event_keys: set[int] = set()
    latest: datetime | None = None
    batch: list[ScanRow] = []
    movements = [scan for scan in scans if scan.code != _CORRECTION]
    movements.sort(key=attrgetter("received_at", "occurred_at"))
    if all(before.occurred_at <= after.occurred_at for before, after in pairwise(movements)):
        # As nearly always.
        return event_keys
    for scan in movements:
        if batch and batch[-1].received_at != scan.received_at:
            latest = max(earlier.occurred_at for earlier in batch)
        batch.append(scan)
        if latest is not None and scan.occurred_at < latest:
            event_keys.add(scan.event_key)
    return event_keys


def _precedence(scan: ScanRow) -> tuple[datetime, int, int]:
    rank = -1 if scan.code == _CORRECTION else RANK[status_of(scan.code, consent=scan.consent)]
    return scan.occurred_at, rank, scan.event_key


def remarks_of(scans: Iterable[ScanFact]) -> Iterator[Remark]:
    """The reasons of failed and held scans, without those that a correction withdrew."""
    for scan in standing(scans):
        if scan.reason and scan.code in NEEDS_REASON:
            yield Remark(scan.occurred_at, scan.reason, reason_text(scan.reason))


def reason_text(reason: str) -> str:
    # An unknown reason is returned as it was sent.
    return str(ScanReason(reason).label) if reason in ScanReason.values else reason
