"""The credit of a late or lost parcel. Pure; whole fen; half a fen rounds up.

Only deliveries earn credit. A late one earns a share of the fee by its lateness, the last band reached
counting, and at most the cap; an overdue one is as late as it is by now, so its credit grows band by band. A
parcel lost and not delivered earns its declared value instead, or without one a fixed amount, on time or not:
a refused parcel that is lost on its way back was attempted in time, but is lost all the same.

An excuse removes the credit for lateness. A loss is excused only by reasons that excuse losses: disaster and
force majeure. An absent recipient, or rain, explains a late parcel, not a lost one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from django.utils.translation import gettext as _

from alliance.identifiers import EPOCH, parcel_id_at
from slas.choices import CreditCause, ExcuseReason, Outcome

# [Civil Code of China, art. 832: a carrier answers for loss, force majeure excepted]
EXCUSES_LOSS: Final = frozenset({ExcuseReason.DISASTER, ExcuseReason.FORCE_MAJEURE})
# Ten years: a longer band is a typing error, and does not fit the column of lateness.
MOST_MINUTES: Final = 10 * 366 * 24 * 60
MOST_BANDS: Final = 20


class Band(NamedTuple):
    """The share of the fee credited from a lateness on."""

    late_by_minutes: int
    share_percent: int

    @property
    def late_by(self) -> timedelta:
        return timedelta(minutes=self.late_by_minutes)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A version of a tier's credit schedule."""

    id: int
    bands: tuple[Band, ...]
    cap_fen: int
    lost_fen: int

    def share_at(self, late_by: timedelta) -> int:
        reached = [band for band in self.bands if band.late_by <= late_by]
        return reached[-1].share_percent if reached else 0

    def late_fen(self, late_by: timedelta, fee_fen: int) -> int:
        """The credit for a lateness: half a fen rounds up, and the cap is the limit."""
        return min((fee_fen * self.share_at(late_by) + 50) // 100, self.cap_fen)


class Credit(NamedTuple):
    """The credit of a delivery as of now, its cause, and the lateness it is computed from."""

    fen: int = 0
    cause: CreditCause | None = None
    late_by: timedelta | None = None


class Delivery(Protocol):
    """The fields a credit is computed from: a commitment of the kind delivery."""

    outcome: str
    due_at: datetime
    reached_at: datetime | None
    excused: bool
    excuse_reason: str
    fee_fen: int | None
    declared_value_fen: int | None
    lost_at: datetime | None
    delivered_at: datetime | None


def credit_for(schedule: Schedule | None, delivery: Delivery, *, now: datetime) -> Credit:
    """Compute the credit of a delivery in its current state.

    Zero without a schedule in force at booking, or without a fee: parcels carried before their courier joined
    were not sold here.
    """
    late_by = lateness(delivery, now)
    if schedule is None or delivery.fee_fen is None or delivery.outcome == Outcome.VOID:
        return Credit(late_by=late_by)
    if is_lost(delivery):
        loss_excused = delivery.excused and delivery.excuse_reason in EXCUSES_LOSS
        if loss_excused:
            return Credit(late_by=late_by)
        declared_fen = delivery.declared_value_fen
        fen = schedule.lost_fen if declared_fen is None else declared_fen
        return Credit(fen, CreditCause.LOST, late_by)
    if late_by is None or delivery.excused:
        return Credit(late_by=late_by)
    fen = schedule.late_fen(late_by, delivery.fee_fen)
    cause = CreditCause.LATE if delivery.outcome == Outcome.LATE else CreditCause.OVERDUE
    return Credit(fen, cause if fen else None, late_by)


def lateness(delivery: Delivery, now: datetime) -> timedelta | None:
    """The lateness of a broken promise as of now; None if it is not broken."""
    match delivery.outcome:
        case Outcome.LATE if delivery.reached_at is not None:
            return delivery.reached_at - delivery.due_at
        case Outcome.OVERDUE:
            return max(now - delivery.due_at, timedelta())
    return None


def is_lost(delivery: Delivery) -> bool:
    """Whether a parcel counts as lost. A parcel delivered after all does not."""
    return delivery.lost_at is not None and delivery.delivered_at is None


def cause_of_change(
    change_fen: int, credit: Credit, delivery: Delivery, before: CreditCause | str | None
) -> CreditCause:
    """The cause of an entry over `change_fen`; `before` is the cause of the previous entry.

    An increase has the cause of the credit. A decrease means that a lost parcel was found, that it was
    excused, that it came less late than assumed, or that it was on time after all.
    """
    if change_fen > 0 and credit.cause is not None:
        return credit.cause
    if before == CreditCause.LOST and not is_lost(delivery):
        return CreditCause.FOUND
    if delivery.excused and credit.cause is None and (credit.late_by is not None or is_lost(delivery)):
        return CreditCause.EXCUSED
    return credit.cause or CreditCause.WITHDRAWN


class Schedules:
    """The schedules of all tiers: a parcel's is the one in force when it was booked."""

    def __init__(self, rows: Iterable[tuple[int, datetime, Schedule]]) -> None:
        """`rows` are (tier, valid from, schedule), in any order."""
        self._starts: dict[int, list[int]] = {}
        self._schedules: dict[int, list[Schedule]] = {}
        for tier_id, valid_from, schedule in sorted(rows, key=lambda row: (row[0], row[1])):
            self._starts.setdefault(tier_id, []).append(first_id(valid_from))
            self._schedules.setdefault(tier_id, []).append(schedule)

    def for_parcel(self, tier_id: int, parcel_id: int) -> Schedule | None:
        """The schedule in force when a parcel was booked; None before the first of its tier."""
        index = bisect_right(self._starts.get(tier_id, []), parcel_id)
        return self._schedules[tier_id][index - 1] if index else None

    def spans(self) -> Iterator[tuple[int, int, int | None, Schedule]]:
        """Yield (tier, first parcel id, first parcel id of the next or None, schedule)."""
        for tier_id, starts in self._starts.items():
            ends: Sequence[int | None] = [*starts[1:], None]
            for start, end, schedule in zip(starts, ends, self._schedules[tier_id], strict=True):
                yield tier_id, start, end, schedule


def first_id(valid_from: datetime) -> int:
    return parcel_id_at(max(valid_from, EPOCH))


def bands_from(stored: Iterable[Mapping[str, Any]]) -> tuple[Band, ...]:
    """Parse stored bands. Raises ValueError for an invalid one."""
    try:
        return tuple(Band(int(row["late_by_minutes"]), int(row["share_percent"])) for row in stored)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no band of a credit schedule: {error}") from None


def check_bands(bands: Sequence[Band]) -> None:
    """Raise ValueError, with a message for the author, unless the bands are consistent.

    They begin at lateness 0, ascend, and never share less than the one before.
    """
    if not bands or bands[0].late_by_minutes != 0:
        raise ValueError(_("The first band begins at 0 minutes."))
    if len(bands) > MOST_BANDS:
        raise ValueError(_("There can be at most %(most)d bands.") % {"most": MOST_BANDS})
    previous_band = Band(-1, 0)
    for band in bands:
        params = {"minutes": band.late_by_minutes, "percent": band.share_percent}
        if not 0 <= band.share_percent <= 100:
            raise ValueError(_("A share must be from 0 to 100 percent, not %(percent)d.") % params)
        if not previous_band.late_by_minutes < band.late_by_minutes <= MOST_MINUTES:
            raise ValueError(
                _("The band from %(minutes)d minutes must be later than the one before it.") % params
            )
        if band.share_percent < previous_band.share_percent:
            raise ValueError(
                _("The share of the band from %(minutes)d minutes must not be lower than the one before it.")
                % params
            )
        previous_band = band
