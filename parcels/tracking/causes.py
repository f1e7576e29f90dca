"""Why a parcel stands where it does: the scan that decides its status. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from parcels.choices import ParcelStatus, ScanCode, ScanReason
from parcels.scans.rules import CONSIGNEE, STATUS_OF_CODE, ScanFact, party_at_fault, standing, status_of

# Statuses that say too little without their scan.
TELLING: Final = frozenset(
    {ParcelStatus.ATTEMPT_FAILED, ParcelStatus.EXCEPTION, ParcelStatus.AVAILABLE_FOR_PICKUP}
)
# The codes of their scans.
TELLING_CODES: Final = tuple(code for code, status in STATUS_OF_CODE.items() if status in TELLING)
# The courier comes again by itself after these; after other reasons somebody has to do something first.
_RETRIED: Final = frozenset(
    {
        ScanReason.CONSIGNEE_ABSENT,
        ScanReason.CONSIGNEE_UNREACHABLE,
        ScanReason.CONSIGNEE_UNRECORDED,
    }
)


class Cause(NamedTuple):
    """The scan that decides a status."""

    code: str
    at: datetime
    reason: str = ""
    facility: str = ""
    consent: bool = False

    @property
    def party(self) -> str:
        return party_at_fault(self.reason)

    @property
    def was_at_the_door(self) -> bool:
        """Whether the courier tried: only reasons of the recipient say so."""
        return self.code == ScanCode.ATTEMPT_FAILED and self.party == CONSIGNEE

    @property
    def is_left_without_consent(self) -> bool:
        return self.code == ScanCode.AVAILABLE_FOR_PICKUP and not self.consent

    @property
    def is_damage(self) -> bool:
        return self.code == ScanCode.DAMAGED

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt needs nothing but somebody at the door."""
        return self.reason in _RETRIED

    @property
    def is_retried(self) -> bool:
        """Whether another attempt follows without anybody's doing."""
        return self.code == ScanCode.ATTEMPT_FAILED and (self.is_retryable or self.party == "courier")


def cause_of(status: str, status_at: datetime, scans: Iterable[ScanFact]) -> Cause | None:
    """Return the scan that decides this status; None if the status needs none."""
    if status not in TELLING:
        return None
    for scan in standing(scans):
        if scan.occurred_at == status_at and status_of(scan.code, consent=scan.consent) == status:
            return Cause(
                scan.code, scan.occurred_at, scan.reason, getattr(scan, "facility", ""), scan.consent
            )
    return None
