"""Fold a parcel's scans into its status and milestones, and find the party at fault for a failure.

Pure, and the reference for the SQL of `parcels/scans/sql.py`, which is generated from the tables here.
The fold selects one of the effective scans by a total order over (time, status): the order of arrival,
duplicates and the division into batches cannot change the result.

The latest end that is physically possible decides: a delivery or a return. A loss is no end, as any later
scan shows the parcel. What is scanned after a return has begun belongs to the way back: a delivery there is
the return to the sender, and nothing there reaches a delivery's milestones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from parcels.choices import Contradiction, ParcelStatus, ScanCode, ScanReason

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
# The statuses that scans after them do not change; a lost parcel may be found.
ENDS: Final = frozenset({S.DELIVERED, S.RETURNED})
# A scan after the first of these belongs to the way back.
TURNS: Final = frozenset({C.RETURN_STARTED, C.RETURNED})

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
# The status that a scan gives on the way back to the sender; of other codes, the usual one.
HOMEWARD: Final[Mapping[str, ParcelStatus]] = {
    # In one order: a stored statement is named after its text.
    **dict.fromkeys(sorted(MOVEMENTS), S.RETURNING),
    C.DELIVERED: S.RETURNED,
}
# The courier was, or claims to have been, at the door: the basis of first-attempt success.
TRIES: Final = frozenset({C.ATTEMPT_FAILED, C.AVAILABLE_FOR_PICKUP, C.DELIVERED})
# The scans that a parcel can have: more are a program's fault, and make its pages slow.
MOST_SCANS: Final = 1_000
# Couriers' clocks may be wrong by this much, in either direction.
CLOCK_ERROR: Final = timedelta(minutes=5)
# Without one of these, or with a single one that nothing follows, scans contradict nothing.
_CONTRADICTED: Final = frozenset({C.DELIVERED, C.LOST, *TURNS})
# Looked up in the class, a member takes longer than the comparison.
_CORRECTION: Final = C.CORRECTION
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
    contradiction: str
    last_scan_at: datetime | None
    delivered_at: datetime | None
    # When the two commitments were reached: the first movement, the first valid attempt.
    picked_up_at: datetime | None
    reached_at: datetime | None
    # The journey to the recipient: the first scan of each kind.
    departed_at: datetime | None
    arrived_at: datetime | None
    out_for_delivery_at: datetime | None
    attempted_at: datetime | None
    # The rest: the last delivery, the start of the way back, and the loss while the parcel counts as lost.
    delivery_at: datetime | None
    turned_at: datetime | None
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
    withdrawn = {scan.corrects for scan in all_scans if scan.code == _CORRECTION}
    if not withdrawn:
        return all_scans
    return [scan for scan in all_scans if scan.code != C.CORRECTION and scan.event_key not in withdrawn]


def fold(scans: Iterable[ScanFact], *, booked_at: datetime, cancelled_at: datetime | None = None) -> Folded:
    """Fold a parcel's scans; their order and duplicates do not matter. A cancelled parcel stays cancelled."""
    effective = standing(scans)
    turned_at, outward, homeward = _ways(effective)
    status, status_at = _status(outward, homeward) or (S.BOOKED, booked_at)
    if cancelled_at is not None:
        status, status_at = S.CANCELLED, cancelled_at
    attempts = [
        scan.occurred_at
        for scan in outward
        if is_valid_attempt(scan.code, reason=scan.reason, consent=scan.consent)
    ]

    def first(*codes: str) -> datetime | None:
        return min(_times(outward, *codes), default=None)

    return Folded(
        status=status,
        status_at=status_at,
        contradiction=contradiction_of(effective, cancelled_at=cancelled_at),
        last_scan_at=max((scan.occurred_at for scan in effective), default=None),
        delivered_at=status_at if status == S.DELIVERED else None,
        picked_up_at=min(_times(effective, *MOVEMENTS), default=None),
        reached_at=min(attempts, default=None),
        departed_at=first(C.DEPARTED),
        arrived_at=first(C.ARRIVED),
        out_for_delivery_at=first(C.OUT_FOR_DELIVERY),
        attempted_at=first(*TRIES),
        delivery_at=max(_times(outward, C.DELIVERED), default=None),
        turned_at=turned_at,
        lost_at=status_at if status == S.LOST else None,
    )


def contradiction_of(effective: Sequence[ScanFact], *, cancelled_at: datetime | None) -> str:
    """What the scans that count say against the parcel's status, or against one another; "" for nothing."""
    if cancelled_at is not None:
        _turned_at, outward, homeward = _ways(effective)
        decided = _status(outward, homeward)
        is_back = decided is not None and decided[0] == S.RETURNED
        return Contradiction.MOVING_THOUGH_CANCELLED if effective and not is_back else ""
    # Most parcels have one end at most, and nothing after it.
    ends = [scan.occurred_at for scan in effective if scan.code in _CONTRADICTED]
    if not ends or (len(ends) == 1 and max(scan.occurred_at for scan in effective) == ends[0]):
        return ""
    _turned_at, outward, homeward = _ways(effective)
    return _contradiction(outward, homeward)


def _ways(effective: Sequence[ScanFact]) -> tuple[datetime | None, list[ScanFact], list[ScanFact]]:
    """When the way back began, the scans before that, and those after it."""
    turned_at = min((scan.occurred_at for scan in effective if scan.code in TURNS), default=None)
    homeward = [scan for scan in effective if _is_homeward(scan, turned_at)]
    outward = [scan for scan in effective if not _is_homeward(scan, turned_at)]
    return turned_at, outward, homeward


def _is_homeward(scan: ScanFact, turned_at: datetime | None) -> bool:
    if turned_at is None:
        return False
    # Clocks may have minutes only: a delivery in the minute in which a return begins ends the return.
    return scan.occurred_at > turned_at or (scan.occurred_at == turned_at and scan.code == C.DELIVERED)


def _status(
    outward: Sequence[ScanFact], homeward: Sequence[ScanFact]
) -> tuple[ParcelStatus, datetime] | None:
    """The status of the deciding scan, and its time."""
    returned_at = min(_times([*outward, *homeward], C.RETURNED), default=None)
    statuses = [(status_of(scan.code, consent=scan.consent), scan.occurred_at) for scan in outward]
    for scan in homeward:
        # What is back with the sender can't be delivered.
        if scan.code != C.DELIVERED or returned_at is None or scan.occurred_at <= returned_at:
            status = HOMEWARD.get(scan.code) or status_of(scan.code, consent=scan.consent)
            statuses.append((status, scan.occurred_at))
    return max(statuses, key=_precedence, default=None)


def _precedence(candidate: tuple[ParcelStatus, datetime]) -> tuple[bool, datetime, int]:
    status, at = candidate
    return status in ENDS, at, RANK[status]


def _contradiction(outward: Sequence[ScanFact], homeward: Sequence[ScanFact]) -> str:
    effective = [*outward, *homeward]
    deliveries, returns = _times(outward, C.DELIVERED), _times(effective, C.RETURNED)
    brought_back = _times(homeward, C.DELIVERED)
    others = [scan.occurred_at for scan in effective if scan.code not in {C.DELIVERED, *TURNS}]
    found = [scan.occurred_at for scan in effective if scan.code != C.LOST]
    if brought_back and (not returns or max(brought_back) > max(returns)):
        return Contradiction.DELIVERED_AFTER_RETURN
    if _follows(_times(effective, *TURNS), deliveries):
        return Contradiction.RETURNED_AFTER_DELIVERY
    # Two devices may send the same moment.
    if len(set(deliveries)) > 1:
        return Contradiction.DELIVERED_TWICE
    if _follows(others, returns):
        return Contradiction.SCANNED_AFTER_RETURN
    if _follows(others, deliveries):
        return Contradiction.SCANNED_AFTER_DELIVERY
    return Contradiction.SEEN_AFTER_LOSS if _follows(found, _times(effective, C.LOST)) else ""


def _times(scans: Iterable[ScanFact], *codes: str) -> list[datetime]:
    return [scan.occurred_at for scan in scans if scan.code in codes]


def _follows(later: Sequence[datetime], earlier: Sequence[datetime]) -> bool:
    """Whether one of the later times lies after one of the earlier."""
    return bool(later and earlier) and max(later) > min(earlier)


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
