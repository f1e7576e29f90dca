"""When a parcel will probably be attempted, and how likely that is too late. Pure.

The chance is P(margin > 0 | margin > now - due), margin being attempt minus promise, over the parcels of the
last 28 days of due dates that had come as far as this one as long before their promise
(slas/commitments/landmarks.py).
Between two landmarks their histograms are mixed in proportion; within a bin parcels lie evenly. P50 and P90
are of the same conditional distribution.

Where fewer than MANY such parcels are known, a coarser group is asked: courier and lane, then the courier's
other lanes, then everybody's parcels of the lane, then all of the tier. Where nothing is known, the promise
alone stands. That order, and the mixing, are what did best in the replay of docs/forecasts.md.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from slas.choices import Stage
from slas.commitments.histograms import LAST_BIN
from slas.commitments.landmarks import EARLY, LANDMARKS, margin_bounds, measure_of

# Due dates a forecast looks back on; today's are not over, so its early parcels would count alone.
LOOK_BACK: Final = timedelta(days=28)
MANY: Final = 30
# From here on a parcel is worth a look; from one half on it is more likely late than not.
WORTH_A_LOOK: Final = 0.05
AT_RISK: Final = 0.5


class Basis(StrEnum):
    """What a forecast rests on, the finest first. Sent: never rename."""

    COURIER_LANE = "courier_lane"  # the courier's parcels of this lane and tier
    COURIER = "courier"  # the courier's parcels of this tier on any lane
    LANE = "lane"  # all couriers' parcels of this lane and tier
    TIER = "tier"  # all parcels of this tier
    PROMISE = "promise"  # nothing: only the promise is known


class Group(NamedTuple):
    """Whose parcels a histogram is of; None is any."""

    tier_id: int
    courier_id: int | None = None
    origin_id: int | None = None
    destination_id: int | None = None


# The edges of each bin in seconds from the promise, and all of them in order.
_SECONDS: Final = {
    number: (low.total_seconds(), high.total_seconds())
    for start in (0, EARLY)
    for number in range(start, start + LAST_BIN + 1)
    for low, high in (margin_bounds(number),)
}
_EDGES: Final = sorted({edge for bounds in _SECONDS.values() for edge in bounds})


class Curve:
    """How parcels' margins are spread: a histogram, read as parcels lying evenly within each bin.

    Seconds are from the promise, negative before it. Histograms add up bin by bin, and so do curves.
    """

    __slots__ = ("_after", "_counts", "_highs", "_lows", "bins", "total")

    def __init__(self, bins: Mapping[int, float]) -> None:
        self.bins = bins
        filled = sorted((*_SECONDS[number], count) for number, count in bins.items() if count > 0)
        self._lows = [low for low, _high, _count in filled]
        self._highs = [high for _low, high, _count in filled]
        self._counts = [count for _low, _high, count in filled]
        self._after: list[float] = []
        total = 0.0
        for count in reversed(self._counts):
            self._after.append(total)
            total += count
        self._after.reverse()
        self.total = total

    def beyond(self, second: float) -> float:
        """How many have a margin of more than so many seconds."""
        place = bisect_right(self._lows, second) - 1
        if place < 0:
            return self.total
        low, high = self._lows[place], self._highs[place]
        if second >= high:
            return self._after[place]
        return self._after[place] + self._counts[place] * (high - second) / (high - low)


class Mixture:
    """Curves of which each counts so much."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[tuple[Curve, float]]) -> None:
        self._parts = parts

    def beyond(self, second: float) -> float:
        return sum(weight * curve.beyond(second) for curve, weight in self._parts)

    def second_with(self, beyond: float) -> float:
        """The margin that so many are beyond: the inverse of the other, for 0 < beyond < all."""
        # Between two edges of bins every curve is straight, and so is their sum.
        place = bisect_right(_EDGES, -beyond, key=lambda edge: -self.beyond(edge))
        low, high = _EDGES[max(place - 1, 0)], _EDGES[min(place, len(_EDGES) - 1)]
        before, after = self.beyond(low), self.beyond(high)
        return high if before <= after else low + (before - beyond) / (before - after) * (high - low)


EMPTY: Final = Curve({})
NOTHING: Final = Mixture(())
CurveOf = Callable[[Group, int], Curve]


@dataclass(frozen=True, slots=True)
class Position:
    """A parcel on its way, as far as a forecast cares."""

    tier_id: int
    courier_id: int
    origin_id: int
    destination_id: int
    stage: Stage
    # The day agreed on, which couriers drive by.
    due_at: datetime
    # What on-time is judged by, where that is earlier: a merchant's word moves the one, not the other.
    judged_at: datetime | None = None

    @property
    def groups(self) -> tuple[tuple[Basis, Group], ...]:
        """The groups it belongs to, in the order they are asked."""
        tier, courier, lane = self.tier_id, self.courier_id, (self.origin_id, self.destination_id)
        return (
            (Basis.COURIER_LANE, Group(tier, courier, *lane)),
            (Basis.COURIER, Group(tier, courier)),
            (Basis.LANE, Group(tier, None, *lane)),
            (Basis.TIER, Group(tier)),
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a parcel will probably be attempted first, and what that rests on.

    With basis PROMISE the moments are the promise itself and the chance is unknown before it.
    """

    p50_at: datetime | None
    p90_at: datetime | None
    # Of missing the promise, 0 to 1; 1 once it is missed.
    chance: float | None
    basis: Basis
    # Parcels it rests on: those that had not been attempted as long before the promise, either.
    n: int = 0


def weights(left: timedelta) -> tuple[tuple[int, float], ...]:
    """Which landmarks a parcel with so much time left is between, and how much each counts."""
    if left >= LANDMARKS[0]:
        return ((0, 1.0),)
    if left <= LANDMARKS[-1]:
        return ((len(LANDMARKS) - 1, 1.0),)
    nearer = next(number for number, landmark in enumerate(LANDMARKS) if landmark <= left)
    before, after = LANDMARKS[nearer - 1], LANDMARKS[nearer]
    share = (left - after) / (before - after)
    return ((nearer, 1.0),) if share == 0 else ((nearer - 1, share), (nearer, 1 - share))


def measures_for(stage: Stage, left: timedelta) -> list[int]:
    """The measures a forecast reads of each group it may ask."""
    return [measure_of(number, stage) for number, _weight in weights(left)]


def later_measures(stage: Stage, left: timedelta) -> list[int]:
    """Those it reads of the tier besides, should nobody have been so far so early."""
    first = weights(left)[-1][0] + 1
    return [measure_of(number, stage) for number in range(first, len(LANDMARKS))]


def forecast(position: Position, *, now: datetime, curve_of: CurveOf) -> Forecast:
    """Say when a parcel that has not been attempted by `now` probably will be, and how likely late."""
    since = (now - position.due_at).total_seconds()
    basis, mixture = _resting_on(position, position.due_at - now, curve_of)
    judged = ((position.judged_at or position.due_at) - position.due_at).total_seconds()
    late = since >= judged
    if basis == Basis.PROMISE:
        promised = None if since >= 0 else position.due_at
        return Forecast(promised, promised, 1.0 if late else None, basis)
    left = mixture.beyond(since)
    p50, p90 = (
        position.due_at + timedelta(seconds=max(mixture.second_with(share * left), since))
        for share in (0.5, 0.1)
    )
    return Forecast(p50, p90, 1.0 if late else min(mixture.beyond(judged) / left, 1.0), basis, round(left))


def _resting_on(position: Position, left: timedelta, curve_of: CurveOf) -> tuple[Basis, Mixture]:
    """The finest group with enough parcels; else the coarsest with any."""
    landmarks, since = weights(left), -left.total_seconds()
    known = Basis.PROMISE, NOTHING
    for basis, group in position.groups:
        mixture = Mixture(
            [(curve_of(group, measure_of(number, position.stage)), weight) for number, weight in landmarks]
        )
        found = mixture.beyond(since)
        if found >= 1:
            known = basis, mixture
        if found >= MANY:
            return known
    if known[0] != Basis.PROMISE:
        return known
    # Nobody was so far so early: those who were so far a little later are the nearest there is.
    for measure in later_measures(position.stage, left):
        mixture = Mixture([(curve_of(Group(position.tier_id), measure), 1.0)])
        if mixture.beyond(since) >= 1:
            return Basis.TIER, mixture
    return known
