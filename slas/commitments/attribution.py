"""Who a broken promise is attributed to, and why. Pure.

The first of these that holds decides:

1. an excuse was granted: its reason names the party;
2. a failed or held scan of before the milestone fell due gave a reason: the last such scan names the
   party, by the prefix of its reason (metrics of the field, section 3). A reason of later on can't
   have broken the promise: it was broken already;
3. of a delivery, the parcel was handed over late, and rule 1 or 2 says of that pickup who was to blame;
4. nobody else is named: the courier.

Who is blamed says nothing about the rates: only a granted excuse changes those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from django.utils.translation import gettext as _

from alliance.durations import duration_text
from alliance.wording import sentences
from slas.choices import CommitmentKind, ExcuseReason, Ground, Leg, Party

# A party's prefix ends at the underscore; of the excuses' reasons, these name their party otherwise.
_OTHERWISE: Final = {
    ExcuseReason.WEATHER: Party.WEATHER,
    ExcuseReason.DISASTER: Party.FORCE_MAJEURE,
    ExcuseReason.FORCE_MAJEURE: Party.FORCE_MAJEURE,
}


class Promised(Protocol):
    """What is read of a commitment."""

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
    """The reason a failed or held scan gave, when it happened, and the reason in words."""

    at: datetime
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class LegTime:
    """How long one leg of the journey took; or has taken so far, when it is not over."""

    leg: Leg
    time: timedelta
    open: bool = False

    @property
    def text(self) -> str:
        said = {"leg": Leg(self.leg).label, "time": duration_text(self.time)}
        return (_("%(leg)s %(time)s so far") if self.open else _("%(leg)s %(time)s")) % said


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who a breach is attributed to, on what ground, and where the time went."""

    party: Party
    ground: Ground
    # What the ground is in words: the reason of an excuse or of a scan.
    reason: str = ""
    legs: tuple[LegTime, ...] = ()
    # By how much the pickup was late, of a delivery that was picked up late.
    pickup_late: timedelta | None = None
    # By how much the milestone was late, or is by now.
    late: timedelta = timedelta()

    @property
    def leg(self) -> Leg | None:
        """The leg that counts: the wait when a punctual pickup would have saved it, else the longest."""
        if self.pickup_late is not None and self.pickup_late >= self.late:
            return Leg.WAITING
        longest = max(self.legs, key=lambda leg: leg.time, default=None)
        return longest.leg if longest else None

    @property
    def why(self) -> str:
        """Why that party, in a sentence or two, and which leg took how long."""
        return sentences(self._ground_text(), self._pickup_text(), self._legs_text())

    def _ground_text(self) -> str:
        said = {"reason": self.reason}
        match self.ground:
            case Ground.EXCUSE:
                return _("An excuse was granted: %(reason)s.") % said
            case Ground.SCAN:
                return _("The last scan with a reason before it fell due said: %(reason)s.") % said
            case Ground.HANDED_OVER_LATE:
                return _("It was handed over late, and of the pickup it is said: %(reason)s.") % said
        return _("No excuse was granted, and no scan of before it fell due names anybody else.")

    def _pickup_text(self) -> str:
        if self.pickup_late is None:
            return ""
        return _("It was picked up %(time)s after the promised pickup.") % {
            "time": duration_text(self.pickup_late)
        }

    def _legs_text(self) -> str:
        if not self.legs:
            return ""
        told = _("; ").join(leg.text for leg in self.legs)
        return _("Where the time went: %(legs)s.") % {"legs": told}


def attribute(
    commitment: Promised, *, pickup: Promised | None, remarks: Iterable[Remark], now: datetime
) -> Attribution:
    """Say who a broken promise is attributed to, by the rules above.

    `pickup` is the pickup commitment of the same parcel; None when that is what is judged, or none is.
    Remarks come in any order; those whose reason names nobody are left out.
    """
    known = sorted((remark for remark in remarks if party_of(remark.reason)), key=lambda remark: remark.at)
    legs = tuple(_legs(commitment, pickup, now))
    late = (
        _lateness(pickup, now) if pickup is not None and commitment.kind == CommitmentKind.DELIVERY else None
    )
    times: dict[str, Any] = {
        "legs": legs,
        "pickup_late": late,
        "late": (commitment.reached_at or now) - commitment.due_at,
    }
    if (found := _blamed(commitment, known)) is not None:
        return Attribution(*found, **times)
    if late is not None and pickup is not None and (found := _blamed(pickup, known)) is not None:
        party, _ground, reason = found
        return Attribution(party, Ground.HANDED_OVER_LATE, reason, **times)
    return Attribution(Party.COURIER, Ground.NOBODY_ELSE, **times)


def party_of(reason: str) -> Party | None:
    """The party a reason names: by its prefix, or as one of the excuses' own reasons. None: nobody."""
    if reason in _OTHERWISE:
        return _OTHERWISE[ExcuseReason(reason)]
    return next((party for party in Party if reason.startswith(f"{party.value}_")), None)


def _blamed(commitment: Promised, remarks: Sequence[Remark]) -> tuple[Party, Ground, str] | None:
    """Rules 1 and 2, of one milestone."""
    if commitment.excused and (party := party_of(commitment.excuse_reason)) is not None:
        return party, Ground.EXCUSE, str(ExcuseReason(commitment.excuse_reason).label)
    before = [remark for remark in remarks if remark.at <= commitment.due_at]
    if not before:
        return None
    party = party_of(before[-1].reason)
    return (party, Ground.SCAN, before[-1].text or before[-1].reason) if party is not None else None


def _lateness(pickup: Promised, now: datetime) -> timedelta | None:
    late = (pickup.reached_at or now) - pickup.due_at
    return late if late > timedelta() else None


def _legs(commitment: Promised, pickup: Promised | None, now: datetime) -> Iterable[LegTime]:
    """The legs there were, up to when the milestone was reached or to now.

    The last mile begins when the parcel goes out. Where no scan says so it begins on arrival, once it is
    over; until then a parcel that arrived somewhere is still between depots.
    """
    ready, reached = commitment.ready_at, commitment.reached_at
    if ready is None:
        return
    end = reached or max(now, ready)
    # The delivery is told when it was picked up once it is tried; the pickup knows before.
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
    # Couriers' clocks disagree: a leg never takes less than no time.
    return LegTime(leg, max((stop or end) - start, timedelta()), open=stop is None)
