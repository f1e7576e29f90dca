"""Fold a parcel's scans into its status and milestones, and find the party at fault for a failure.

Pure, and the reference for the SQL of `parcels/scans/sql.py`, which is generated from the tables here.
The fold selects one of the effective scans by a total order over (time, status): the order of arrival,
duplicates and the division into batches cannot change the result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from parcels.choices import ParcelStatus, ScanCode, ScanReason

S, C = ParcelStatus, ScanCode

# A correction has no status: it withdraws another scan.
STATUS_OF_CODE: Final[Mapping[str, ParcelStatus]] = {
    C.PICKED_UP: S.PICKED_UP,
    C.DEPARTED: S.IN_TRANSIT,
    C.ARRIVED: S.IN_TRANSIT,
    C.OUT_FOR_DELIVERY: S.OUT_FOR_DELIVERY,
    C.ATTEMPT_FAILED: S.ATTEMPT_FAILED,
    C.AVAILABLE_FOR_PICKUP: S.AVAILABLE_FOR_PICKUP,
    C.DELIVERED: S.DELIVERED,
    C.HELD: S.EXCEPTION,
    C.DAMAGED: S.EXCEPTION,
    C.LOST: S.LOST,
    C.RETURN_STARTED: S.RETURNING,
    C.RETURNED: S.RETURNED,
}

# Statuses by precedence: of two scans at the same moment, the later in this list wins.
RANKED: Final[tuple[ParcelStatus, ...]] = (
    S.BOOKED,
    S.PICKED_UP,
    S.IN_TRANSIT,
    S.EXCEPTION,
    S.OUT_FOR_DELIVERY,
    S.ATTEMPT_FAILED,
    S.AVAILABLE_FOR_PICKUP,
    S.RETURNING,
    S.LOST,
    S.RETURNED,
    S.DELIVERED,
    S.CANCELLED,
)
RANK: Final[Mapping[str, int]] = {status: rank for rank, status in enumerate(RANKED)}

TERMINAL: Final = frozenset({S.DELIVERED, S.RETURNED, S.LOST, S.CANCELLED})

# The first of these counts as the pickup: a parcel that has moved was picked up.
MOVEMENTS: Final = frozenset(
    {
        C.PICKED_UP,
        C.DEPARTED,
        C.ARRIVED,
        C.OUT_FOR_DELIVERY,
        C.ATTEMPT_FAILED,
        C.AVAILABLE_FOR_PICKUP,
        C.DELIVERED,
    }
)
# The courier was, or claims to have been, at the door: the basis of first-attempt success.
TRIES: Final = frozenset({C.ATTEMPT_FAILED, C.AVAILABLE_FOR_PICKUP, C.DELIVERED})
# Statuses after an attempt or a loss: a new time of an earlier stage then changes the commitments.
TRIED: Final = frozenset(
    {
        ParcelStatus.ATTEMPT_FAILED,
        ParcelStatus.AVAILABLE_FOR_PICKUP,
        ParcelStatus.DELIVERED,
        ParcelStatus.EXCEPTION,
        ParcelStatus.RETURNING,
        ParcelStatus.RETURNED,
        ParcelStatus.LOST,
    }
)
NEEDS_REASON: Final = frozenset({C.ATTEMPT_FAILED, C.HELD})
CONSIGNEE: Final = "consignee"
PARTIES: Final = ("courier", "merchant", CONSIGNEE, "customs", "weather", "force_majeure")


class ScanFact(Protocol):
    """What the fold reads of a scan."""

    event_key: int
    code: str
    occurred_at: datetime
    reason: str
    consent: bool
    corrects: int | None


@dataclass(frozen=True, slots=True)
class Folded:
    """The result of folding a parcel's scans."""

    status: ParcelStatus
    status_at: datetime
    last_scan_at: datetime | None
    delivered_at: datetime | None
    # When the two commitments were reached: the first movement, the first valid attempt.
    picked_up_at: datetime | None
    reached_at: datetime | None
    # The rest of the journey: the first scan of each kind.
    departed_at: datetime | None
    arrived_at: datetime | None
    out_for_delivery_at: datetime | None
    attempted_at: datetime | None
    first_delivered_at: datetime | None
    lost_at: datetime | None


def status_of(code: str, *, consent: bool) -> ParcelStatus:
    """The status a scan gives. Raises KeyError for a correction.

    A drop in a locker or station without the recipient's consent counts as a failed attempt (law since
    2024-03-01).
    """
    if code == C.AVAILABLE_FOR_PICKUP and not consent:
        return S.ATTEMPT_FAILED
    return STATUS_OF_CODE[code]


def is_valid_attempt(code: str, *, reason: str, consent: bool) -> bool:
    """Whether a scan reaches the delivery milestone: delivered, or failed because of the recipient."""
    if code == C.AVAILABLE_FOR_PICKUP:
        return consent
    return code == C.DELIVERED or (code == C.ATTEMPT_FAILED and party_at_fault(reason) == CONSIGNEE)


def party_at_fault(reason: str) -> str:
    """The party that a reason blames: one of PARTIES, or "" for none."""
    return next((party for party in PARTIES if reason.startswith(f"{party}_")), "")


def standing(scans: Iterable[ScanFact]) -> list[ScanFact]:
    """The scans that count: without corrections and the scans they withdraw, in either order of arrival."""
    all_scans = list(scans)
    withdrawn = {scan.corrects for scan in all_scans if scan.code == C.CORRECTION}
    return [scan for scan in all_scans if scan.code != C.CORRECTION and scan.event_key not in withdrawn]


def fold(scans: Iterable[ScanFact], *, booked_at: datetime, cancelled_at: datetime | None = None) -> Folded:
    """Fold a parcel's scans; their order and duplicates do not matter.

    The earliest terminal scan decides, else the latest scan. A cancelled parcel stays cancelled.
    """
    effective = standing(scans)
    deciding = min(effective, key=_precedence, default=None)
    if cancelled_at is not None:
        status, status_at = S.CANCELLED, cancelled_at
    elif deciding is not None:
        status, status_at = status_of(deciding.code, consent=deciding.consent), deciding.occurred_at
    else:
        status, status_at = S.BOOKED, booked_at
    attempts = [
        scan.occurred_at
        for scan in effective
        if is_valid_attempt(scan.code, reason=scan.reason, consent=scan.consent)
    ]

    def first(*codes: str) -> datetime | None:
        return min((scan.occurred_at for scan in effective if scan.code in codes), default=None)

    return Folded(
        status=status,
        status_at=status_at,
        last_scan_at=max((scan.occurred_at for scan in effective), default=None),
        delivered_at=status_at if status == S.DELIVERED else None,
        picked_up_at=first(*MOVEMENTS),
        reached_at=min(attempts, default=None),
        departed_at=first(C.DEPARTED),
        arrived_at=first(C.ARRIVED),
        out_for_delivery_at=first(C.OUT_FOR_DELIVERY),
        attempted_at=first(*TRIES),
        first_delivered_at=first(C.DELIVERED),
        lost_at=first(C.LOST),
    )


def _precedence(scan: ScanFact) -> tuple[bool, float, int]:
    status = status_of(scan.code, consent=scan.consent)
    terminal = status in TERMINAL
    # A float holds seconds exactly to the microsecond until 2242.
    moment = scan.occurred_at.timestamp()
    return not terminal, moment if terminal else -moment, -RANK[status]


def is_known_reason(reason: str) -> bool:
    return reason in _REASONS


_REASONS: Final = frozenset(ScanReason.values)

# --- our statuses in the vocabularies of other tracking services --------------------------------

AFTERSHIP: Final[Mapping[str, str]] = {
    S.BOOKED: "InfoReceived",
    S.PICKED_UP: "InTransit",
    S.IN_TRANSIT: "InTransit",
    S.OUT_FOR_DELIVERY: "OutForDelivery",
    S.ATTEMPT_FAILED: "AttemptFail",
    S.AVAILABLE_FOR_PICKUP: "AvailableForPickup",
    S.DELIVERED: "Delivered",
    S.EXCEPTION: "Exception",
    S.RETURNING: "Exception",
    S.RETURNED: "Exception",
    S.LOST: "Exception",
    S.CANCELLED: "Exception",
}

EASYPOST: Final[Mapping[str, str]] = {
    S.BOOKED: "pre_transit",
    S.PICKED_UP: "in_transit",
    S.IN_TRANSIT: "in_transit",
    S.OUT_FOR_DELIVERY: "out_for_delivery",
    S.ATTEMPT_FAILED: "failure",
    S.AVAILABLE_FOR_PICKUP: "available_for_pickup",
    S.DELIVERED: "delivered",
    S.EXCEPTION: "failure",
    S.RETURNING: "return_to_sender",
    S.RETURNED: "return_to_sender",
    S.LOST: "failure",
    S.CANCELLED: "cancelled",
}

# kuaidi100 has no status for a parcel that was not picked up.
KUAIDI100: Final[Mapping[str, str]] = {
    S.BOOKED: "",
    S.PICKED_UP: "1",
    S.IN_TRANSIT: "0",
    S.OUT_FOR_DELIVERY: "5",
    S.ATTEMPT_FAILED: "2",
    S.AVAILABLE_FOR_PICKUP: "5",
    S.DELIVERED: "3",
    S.EXCEPTION: "2",
    S.RETURNING: "6",
    S.RETURNED: "4",
    S.LOST: "2",
    S.CANCELLED: "",
}
