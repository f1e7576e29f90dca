"""What a parcel's scans add up to: its status, its milestones, and whose fault a failure is.

Pure, and the reference for the SQL of `parcels/scans/sql.py`, which is generated from the tables here.
The fold picks one scan out of all that stand, by a total order over (time, status), so neither the order
of arrival, nor duplicates, nor how the scans were cut into batches can change what comes out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from parcels.choices import ParcelStatus, ScanCode, ScanReason

S, C = ParcelStatus, ScanCode

# A correction has no status of its own: it takes another scan's away.
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

# Statuses by how much they tell: of two scans at the same moment, the later in this list stands.
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

# The first of these is the pickup: a parcel that is anywhere was picked up.
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
# Somebody stood at the door, or says so: what first-attempt success is counted from.
TRIES: Final = frozenset({C.ATTEMPT_FAILED, C.AVAILABLE_FOR_PICKUP, C.DELIVERED})
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
    """What a parcel's scans add up to."""

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

    A locker or station drop without the recipient's consent counts as a failed attempt (law since
    2024-03-01).
    """
    if code == C.AVAILABLE_FOR_PICKUP and not consent:
        return S.ATTEMPT_FAILED
    return STATUS_OF_CODE[code]


def is_valid_attempt(code: str, *, reason: str, consent: bool) -> bool:
    """Whether a scan reaches the delivery milestone: handed over, or it was not for the courier's want."""
    if code == C.AVAILABLE_FOR_PICKUP:
        return consent
    return code == C.DELIVERED or (code == C.ATTEMPT_FAILED and party_at_fault(reason) == CONSIGNEE)


def party_at_fault(reason: str) -> str:
    """Who a reason blames: one of PARTIES, or nobody ("")."""
    return next((party for party in PARTIES if reason.startswith(f"{party}_")), "")


def standing(scans: Iterable[ScanFact]) -> list[ScanFact]:
    """The scans that count: no corrections, and nothing a correction withdrew, whichever came first."""
    known = list(scans)
    withdrawn = {scan.corrects for scan in known if scan.code == C.CORRECTION}
    return [scan for scan in known if scan.code != C.CORRECTION and scan.event_key not in withdrawn]


def fold(scans: Iterable[ScanFact], *, booked_at: datetime, cancelled_at: datetime | None = None) -> Folded:
    """What a parcel's scans add up to, in any order, with any duplicates.

    The earliest terminal scan decides, else the latest scan. A cancelled parcel stays so.
    """
    counted = standing(scans)
    decided = min(counted, key=_precedence, default=None)
    if cancelled_at is not None:
        status, status_at = S.CANCELLED, cancelled_at
    elif decided is not None:
        status, status_at = status_of(decided.code, consent=decided.consent), decided.occurred_at
    else:
        status, status_at = S.BOOKED, booked_at
    attempts = [
        scan.occurred_at
        for scan in counted
        if is_valid_attempt(scan.code, reason=scan.reason, consent=scan.consent)
    ]

    def first(*codes: str) -> datetime | None:
        return min((scan.occurred_at for scan in counted if scan.code in codes), default=None)

    return Folded(
        status=status,
        status_at=status_at,
        last_scan_at=max((scan.occurred_at for scan in counted), default=None),
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
    # Seconds as a float hold microseconds exactly until 2242.
    moment = scan.occurred_at.timestamp()
    return not terminal, moment if terminal else -moment, -RANK[status]


def is_known_reason(reason: str) -> bool:
    return reason in _REASONS


_REASONS: Final = frozenset(ScanReason.values)

# --- the vocabularies users know from elsewhere --------------------------------------------------

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

# kuaidi100 has nothing to say of a parcel that was not picked up.
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
