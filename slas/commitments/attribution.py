"""The party a broken promise is attributed to, and why. Pure.

The first rule that applies decides:

1. an excuse was granted: its reason names the party;
2. a failed or held scan before the milestone fell due gave a reason: the last such scan names the
   party, by the prefix of its reason (metrics of the field, section 3). A later reason cannot have
   broken the promise: it was broken already;
3. for a delivery, the parcel was handed over late, and rule 1 or 2 names a party for that pickup;
4. otherwise: the courier.

The attribution does not affect the rates: only a granted excuse changes those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from django.utils.translation import gettext as _

from alliance.durations import duration_text
from alliance.wording import sentences
from slas.choices import CommitmentKind, ExcuseReason, Ground, Leg, Party

# Reasons that do not begin with their party's prefix, which ends at the underscore.
_PARTIES_WITHOUT_PREFIX: Final = {
    ExcuseReason.WEATHER: Party.WEATHER,
    ExcuseReason.DISASTER: Party.FORCE_MAJEURE,
    ExcuseReason.FORCE_MAJEURE: Party.FORCE_MAJEURE,
}


class Promised(Protocol):
    """The fields read from a commitment."""

    kind: str
    due_at: datetime
    reached_at: datetime | None
    excused: bool
    excuse_reason: str
    ready_at: datetime | None
    picked_up_at: datetime | None
    arrived_at: datetime | None
    out_for_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class Remark:
    """The reason given by a failed or held scan, its time, and the reason as text."""

    at: datetime
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class LegTime:
    """The time one leg of the journey took, or has taken so far while `open`."""

    leg: Leg
    time: timedelta
    open: bool = False

    @property
    def text(self) -> str:
        params = {"leg": Leg(self.leg).label, "time": duration_text(self.time)}
        return (_("%(leg)s %(time)s so far") if self.open else _("%(leg)s %(time)s")) % params


@dataclass(frozen=True, slots=True)
class Attribution:
    """The party a breach is attributed to, the ground, and the time each leg took."""

    party: Party
    ground: Ground
    # The ground as text: the reason of an excuse or of a scan.
    reason: str = ""
    legs: tuple[LegTime, ...] = ()
    # How late the pickup was, if the delivery was picked up late.
    pickup_late: timedelta | None = None
    # How late the milestone was, or is by now.
    late: timedelta = timedelta()

    @property
    def leg(self) -> Leg | None:
        """The leg to blame: the wait if a punctual pickup would have saved the promise, else the longest."""
        if self.pickup_late is not None and self.pickup_late >= self.late:
            return Leg.WAITING
        longest = max(self.legs, key=lambda leg: leg.time, default=None)
        return longest.leg if longest else None

    @property
    def why(self) -> str:
        """The reason for the party in a sentence or two, and the time of each leg."""
        return sentences(self._ground_text(), self._pickup_text(), self._legs_text())

    def _ground_text(self) -> str:
        params = {"reason": self.reason}
        match self.ground:
            case Ground.EXCUSE:
                return _("An exemption was granted: %(reason)s.") % params
            case Ground.SCAN:
                return _("Reason given by the last scan before the due time: %(reason)s.") % params
            case Ground.HANDED_OVER_LATE:
                return _("Handed over late; reason given at pickup: %(reason)s.") % params
        return _("No exemption was granted, and no scan before the due time names another party.")

    def _pickup_text(self) -> str:
        if self.pickup_late is None:
            return ""
        return _("Picked up %(time)s after the promised pickup.") % {"time": duration_text(self.pickup_late)}

    def _legs_text(self) -> str:
        if not self.legs:
            return ""
        texts = _("; ").join(leg.text for leg in self.legs)
        return _("Time spent: %(legs)s.") % {"legs": texts}


def attribute(
    commitment: Promised, *, pickup: Promised | None, remarks: Iterable[Remark], now: datetime
) -> Attribution:
    """Return the party a broken promise is attributed to, by the rules above.

    `pickup` is the pickup commitment of the same parcel; None if it is the one judged, or there is none.
    Remarks may come in any order; those whose reason names no party are ignored.
    """
    sorted_remarks = sorted(
        (remark for remark in remarks if party_of(remark.reason)), key=lambda remark: remark.at
    )
    legs = tuple(_legs(commitment, pickup, now))
    pickup_late = (
        _lateness(pickup, now) if pickup is not None and commitment.kind == CommitmentKind.DELIVERY else None
    )
    times: dict[str, Any] = {
        "legs": legs,
        "pickup_late": pickup_late,
        "late": (commitment.reached_at or now) - commitment.due_at,
    }
    if (blame := _blame(commitment, sorted_remarks)) is not None:
        return Attribution(*blame, **times)
    if (
        pickup_late is not None
        and pickup is not None
        and (blame := _blame(pickup, sorted_remarks)) is not None
    ):
        party, _ground, reason = blame
        return Attribution(party, Ground.HANDED_OVER_LATE, reason, **times)
    return Attribution(Party.COURIER, Ground.NOBODY_ELSE, **times)


def party_of(reason: str) -> Party | None:
    """The party a reason names, by its prefix or as an excuse reason; None if it names none."""
    if reason in _PARTIES_WITHOUT_PREFIX:
        return _PARTIES_WITHOUT_PREFIX[ExcuseReason(reason)]
    return next((party for party in Party if reason.startswith(f"{party.value}_")), None)


def _blame(commitment: Promised, remarks: Sequence[Remark]) -> tuple[Party, Ground, str] | None:
    """Apply rules 1 and 2 to one milestone."""
    if commitment.excused and (party := party_of(commitment.excuse_reason)) is not None:
        return party, Ground.EXCUSE, str(ExcuseReason(commitment.excuse_reason).label)
    earlier_remarks = [remark for remark in remarks if remark.at <= commitment.due_at]
    if not earlier_remarks:
        return None
    party = party_of(earlier_remarks[-1].reason)
    return (
        (party, Ground.SCAN, earlier_remarks[-1].text or earlier_remarks[-1].reason)
        if party is not None
        else None
    )


def _lateness(pickup: Promised, now: datetime) -> timedelta | None:
    lateness = (pickup.reached_at or now) - pickup.due_at
    return lateness if lateness > timedelta() else None


def _legs(commitment: Promised, pickup: Promised | None, now: datetime) -> Iterable[LegTime]:
    """The legs of the journey, until the milestone was reached or until now.

    The last mile begins when the parcel goes out for delivery. Without such a scan it begins on arrival once
    the milestone is reached; until then an arrived parcel counts as between depots.
    """
    ready, reached = commitment.ready_at, commitment.reached_at
    if ready is None:
        return
    end = reached or max(now, ready)
    # A delivery stores its pickup time only once it is attempted; the pickup has it earlier.
    picked_up = commitment.picked_up_at or (pickup.reached_at if pickup else None)
    if commitment.kind == CommitmentKind.PICKUP:
        picked_up = reached
    yield _leg(Leg.WAITING, ready, picked_up or reached, end)
    if picked_up is None or commitment.kind == CommitmentKind.PICKUP:
        return
    out = commitment.out_for_delivery_at or (commitment.arrived_at if reached else None)
    yield _leg(Leg.LINEHAUL, picked_up, out or reached, end)
    if out is not None:
        yield _leg(Leg.LAST_MILE, out, reached, end)


def _leg(leg: Leg, start: datetime, stop: datetime | None, end: datetime) -> LegTime:
    # Couriers' clocks differ: a leg never takes negative time.
    return LegTime(leg, max((stop or end) - start, timedelta()), open=stop is None)
