"""What a parcel's scans say about who is at fault. Pure."""

from collections.abc import Iterable, Iterator

from parcels.choices import ScanReason
from parcels.statuses import NEEDS_REASON, ScanFact, standing
from slas.commitments.attribution import Remark


def remarks_of(scans: Iterable[ScanFact]) -> Iterator[Remark]:
    """The reasons that failed and held scans gave, without those a correction withdrew."""
    for scan in standing(scans):
        if scan.reason and scan.code in NEEDS_REASON:
            yield Remark(scan.occurred_at, scan.reason, reason_text(scan.reason))


def reason_text(reason: str) -> str:
    """A scan's reason in words; one nobody described as it was sent."""
    return str(ScanReason(reason).label) if reason in ScanReason.values else reason
