"""When a parcel will probably be attempted, and the chance that it is late. Pure.

The chance is P(margin > 0 | margin > now - due), margin being attempt minus promise, over the parcels due in
the last 28 days that had come as far as this one as long before their promise
(slas/commitments/landmarks.py). Between two landmarks their histograms are mixed in proportion; within a bin
parcels are spread evenly. P50 and P90 are of the same conditional distribution.

With fewer than MANY such parcels, a coarser group is used: courier and lane, then the courier's other lanes,
then all couriers on the lane, then the whole tier. Without any parcels, the promise is the forecast. This
order and the mixing did best in the replay of docs/forecasts.md.
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

# How many due dates a forecast reads. Today's is left out: it is not over, so only its early parcels would
# count.
LOOK_BACK: Final = timedelta(days=28)
MANY: Final = 30
# At this chance a parcel is put on the watch list; from one half on it is more likely late than not.
WORTH_A_LOOK: Final = 0.05
AT_RISK: Final = 0.5


class Basis(StrEnum):
    """Which parcels a forecast is based on, the finest group first. Sent to clients: never rename."""

    COURIER_LANE = "courier_lane"  # the courier's parcels of this lane and tier
    COURIER = "courier"  # the courier's parcels of this tier on any lane
    LANE = "lane"  # all couriers' parcels of this lane and tier
    TIER = "tier"  # all parcels of this tier
    PROMISE = "promise"  # nothing: only the promise is known
    NEXT_ATTEMPT = "next_attempt"  # no parcels: the day of the next attempt, after a failed one
    ROUND = "round"  # no parcels: it is out for delivery today


class Group(NamedTuple):
    """The parcels a histogram counts; None is any."""

    tier_id: int
    courier_id: int | None = None
    origin_id: int | None = None
    destination_id: int | None = None


# The edges of each bin in seconds from the promise, and all edges in order.
_SECONDS: Final = {
    number: (low.total_seconds(), high.total_seconds())
    for start in (0, EARLY)
    for number in range(start, start + LAST_BIN + 1)
    for low, high in (margin_bounds(number),)
}
_EDGES: Final = sorted({edge for bounds in _SECONDS.values() for edge in bounds})


class Curve:
    """The distribution of parcels' margins: a histogram, with parcels spread evenly within each bin.

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
        """The number of parcels with a margin of more than `second` seconds."""
        index = bisect_right(self._lows, second) - 1
        if index < 0:
            return self.total
        low, high = self._lows[index], self._highs[index]
        if second >= high:
            return self._after[index]
        return self._after[index] + self._counts[index] * (high - second) / (high - low)


class Mixture:
    """A weighted sum of curves."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[tuple[Curve, float]]) -> None:
        self._parts = parts

    def beyond(self, second: float) -> float:
        return sum(weight * curve.beyond(second) for curve, weight in self._parts)

    def second_with(self, beyond: float) -> float:
        """The margin that `beyond` parcels exceed: the inverse of beyond(), for 0 < beyond < total."""
        # Between two edges of bins every curve is straight, and so is their sum.
        index = bisect_right(_EDGES, -beyond, key=lambda edge: -self.beyond(edge))
        low, high = _EDGES[max(index - 1, 0)], _EDGES[min(index, len(_EDGES) - 1)]
        before, after = self.beyond(low), self.beyond(high)
        return high if before <= after else low + (before - beyond) / (before - after) * (high - low)


EMPTY: Final = Curve({})
NOTHING: Final = Mixture(())
CurveOf = Callable[[Group, int], Curve]


@dataclass(frozen=True, slots=True)
class Position:
    """The data of a parcel on its way that a forecast needs."""

    tier_id: int
    courier_id: int
    origin_id: int
    destination_id: int
    stage: Stage
    # The agreed due time, which couriers drive by.
    due_at: datetime
    # The due time that on-time is judged by, if earlier: a merchant's change of day moves due_at only.
    judged_at: datetime | None = None

    @property
    def groups(self) -> tuple[tuple[Basis, Group], ...]:
        """The groups the parcel belongs to, in the order they are tried."""
        tier, courier, lane = self.tier_id, self.courier_id, (self.origin_id, self.destination_id)
        return (
            (Basis.COURIER_LANE, Group(tier, courier, *lane)),
            (Basis.COURIER, Group(tier, courier)),
            (Basis.LANE, Group(tier, None, *lane)),
            (Basis.TIER, Group(tier)),
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a parcel will probably be attempted first, and the basis of that.

    With basis PROMISE the times are the promise itself, and the chance is unknown before it.
    """

    p50_at: datetime | None
    p90_at: datetime | None
    # The chance of missing the promise, 0 to 1; 1 once it is missed.
    chance: float | None
    basis: Basis
    # The number of parcels it is based on: those that had not been attempted by this point either.
    n: int = 0


def weights(left: timedelta) -> tuple[tuple[int, float], ...]:
    """The landmarks on either side of the time left, each with its weight."""
    if left >= LANDMARKS[0]:
        return ((0, 1.0),)
    if left <= LANDMARKS[-1]:
        return ((len(LANDMARKS) - 1, 1.0),)
    nearer = next(number for number, landmark in enumerate(LANDMARKS) if landmark <= left)
    before, after = LANDMARKS[nearer - 1], LANDMARKS[nearer]
    share = (left - after) / (before - after)
    return ((nearer, 1.0),) if share == 0 else ((nearer - 1, share), (nearer, 1 - share))


def measures_for(stage: Stage, left: timedelta) -> list[int]:
    """The measures a forecast reads of each group it may try."""
    return [measure_of(number, stage) for number, _weight in weights(left)]


def fallback_measures(stage: Stage, left: timedelta) -> list[int]:
    """The measures of the tier to fall back to when no parcel reached this stage that early."""
    first = weights(left)[-1][0] + 1
    return [measure_of(number, stage) for number in range(first, len(LANDMARKS))]


def forecast(position: Position, *, now: datetime, curve_of: CurveOf) -> Forecast:
    """Forecast when a parcel not attempted by `now` will be, and the chance that it is late."""
    since = (now - position.due_at).total_seconds()
    basis, mixture = _basis_of(position, position.due_at - now, curve_of)
    judged_margin = ((position.judged_at or position.due_at) - position.due_at).total_seconds()
    is_late = since >= judged_margin
    if basis == Basis.PROMISE:
        promised_at = None if since >= 0 else position.due_at
        return Forecast(promised_at, promised_at, 1.0 if is_late else None, basis)
    remaining = mixture.beyond(since)
    p50, p90 = (
        position.due_at + timedelta(seconds=max(mixture.second_with(share * remaining), since))
        for share in (0.5, 0.1)
    )
    return Forecast(
        p50,
        p90,
        1.0 if is_late else min(mixture.beyond(judged_margin) / remaining, 1.0),
        basis,
        round(remaining),
    )


def _basis_of(position: Position, left: timedelta, curve_of: CurveOf) -> tuple[Basis, Mixture]:
    """The finest group with MANY parcels; else the coarsest group with any."""
    landmarks, since = weights(left), -left.total_seconds()
    best = Basis.PROMISE, NOTHING
    for basis, group in position.groups:
        mixture = Mixture(
            [(curve_of(group, measure_of(number, position.stage)), weight) for number, weight in landmarks]
        )
        count = mixture.beyond(since)
        if count >= 1:
            best = basis, mixture
        if count >= MANY:
            return best
    if best[0] != Basis.PROMISE:
        return best
    # No parcel reached this stage that early: fall back to the next later landmark.
    for measure in fallback_measures(position.stage, left):
        mixture = Mixture([(curve_of(Group(position.tier_id), measure), 1.0)])
        if mixture.beyond(since) >= 1:
            return Basis.TIER, mixture
    return best
