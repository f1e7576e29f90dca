"""Forecasts of the past, made again with what was known then, and held against what came of them. Pure.

Day by day: a forecast sees the parcels that were due on the 28 days before its own, and attempted before its
own began. Two methods are replayed side by side: `time_left` is `slas.forecasts.rules`; `durations` goes by
how
long parcels took from the stage they were last seen at, which is what one would try first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from slas.choices import Stage
from slas.commitments.histograms import MEASURE_STEP, bin_of
from slas.commitments.landmarks import STAGES, Journey, progress_marks
from slas.forecasts.rules import (
    EMPTY,
    LOOK_BACK,
    MANY,
    Basis,
    Curve,
    Forecast,
    Group,
    Mixture,
    Position,
    forecast,
)

DAY: Final = timedelta(days=1)
BANDS: Final = 10


class Method(StrEnum):
    TIME_LEFT = "time_left"
    DURATIONS = "durations"


@dataclass(frozen=True, slots=True)
class Past:
    """One delivery that fell due, and what came of it."""

    tier_id: int
    courier_id: int
    origin_id: int
    destination_id: int
    journey: Journey
    due_at: datetime
    due_date: date
    reached_at: datetime | None

    @property
    def is_late(self) -> bool:
        return self.reached_at is None or self.reached_at > self.due_at

    def position(self, stage: Stage) -> Position:
        return Position(
            self.tier_id, self.courier_id, self.origin_id, self.destination_id, stage, self.due_at
        )


@dataclass(slots=True)
class Score:
    """How well some forecasts did."""

    n: int = 0
    late: int = 0
    squares: float = 0.0
    by_p50: int = 0
    by_p90: int = 0
    # Of each tenth of the chance said: parcels, their chances added up, how many were late.
    bands: list[list[float]] = field(default_factory=lambda: [[0, 0.0, 0] for _band in range(BANDS)])

    def add(self, past: Past, said: Forecast) -> None:
        assert said.chance is not None  # noqa: S101 -- only what says a chance is scored
        self.n += 1
        self.late += past.is_late
        self.squares += (said.chance - past.is_late) ** 2
        self.by_p50 += _is_by(past.reached_at, said.p50_at)
        self.by_p90 += _is_by(past.reached_at, said.p90_at)
        band = self.bands[min(int(said.chance * BANDS), BANDS - 1)]
        band[0], band[1], band[2] = band[0] + 1, band[1] + said.chance, band[2] + past.is_late

    @property
    def base_rate(self) -> float:
        return self.late / self.n

    @property
    def brier(self) -> float:
        """The mean square of what was said minus what came: 0 is perfect."""
        return self.squares / self.n

    @property
    def base_brier(self) -> float:
        """The same for saying the base rate of all of them each time, which nobody knew then."""
        return self.base_rate * (1 - self.base_rate)

    @property
    def skill(self) -> float | None:
        """The share of the base rate's error that is gone; negative is worse than saying the base rate."""
        return 1 - self.brier / self.base_brier if self.base_brier else None


@dataclass(slots=True)
class Report:
    """Scores by method and moment, and by method and what a forecast rested on."""

    moments: dict[tuple[Method, str], Score] = field(default_factory=lambda: defaultdict(Score))
    bases: dict[tuple[Method, Basis], Score] = field(default_factory=lambda: defaultdict(Score))
    overall: dict[Method, Score] = field(default_factory=lambda: defaultdict(Score))
    # Forecasts that were but the promise.
    unknown: Counter[Method] = field(default_factory=Counter)

    def add(self, method: Method, moment: str, past: Past, said: Forecast) -> None:
        if said.chance is None:
            self.unknown[method] += 1
            return
        for score in (self.overall[method], self.moments[method, moment], self.bases[method, said.basis]):
            score.add(past, said)


# When forecasts are made; None where there is no such moment.
MOMENTS: Final[Mapping[str, Callable[[Past], datetime | None]]] = {
    "pickup": lambda past: past.journey.picked_up_at,
    "24 h before": lambda past: past.due_at - timedelta(hours=24),
    "18 h before": lambda past: past.due_at - timedelta(hours=18),
    "12 h before": lambda past: past.due_at - timedelta(hours=12),
    "6 h before": lambda past: past.due_at - timedelta(hours=6),
    "4 h before": lambda past: past.due_at - timedelta(hours=4),
    "2 h before": lambda past: past.due_at - timedelta(hours=2),
    "1 h before": lambda past: past.due_at - timedelta(hours=1),
}


def replay(pasts: Iterable[Past], *, first: date, last: date, zone: ZoneInfo) -> Report:
    """Forecast at the MOMENTS of the days from first to last, and score against what came.

    `pasts` should begin 28 days before. Only what was not attempted at a moment, and is due by the end of the
    last day, is forecast.
    """
    known = list(pasts)
    report = Report()
    asked = _asked(known, first, last, zone)
    bins = {method: _History(method, known, zone) for method in Method}
    for day in sorted(asked):
        for history in bins.values():
            history.move_to(day)
        for moment, now, past, stage in asked[day]:
            for method, history in bins.items():
                report.add(method, moment, past, history.forecast(past, stage, now))
    return report


def _asked(
    pasts: Iterable[Past], first: date, last: date, zone: ZoneInfo
) -> dict[date, list[tuple[str, datetime, Past, Stage]]]:
    """What there is to forecast, by the day it is forecast on."""
    end = datetime.combine(last + DAY, time(0), zone)
    asked: dict[date, list[tuple[str, datetime, Past, Stage]]] = defaultdict(list)
    for past in pasts:
        if past.due_at >= end:
            continue
        for moment, at in MOMENTS.items():
            now = at(past)
            if now is None or now >= past.due_at or (past.reached_at and past.reached_at <= now):
                continue
            stage = past.journey.stage_at(now)
            day = now.astimezone(zone).date()
            if stage is not None and first <= day <= last:
                asked[day].append((moment, now, past, stage))
    return asked


class _History:
    """The histograms of one method as they were known on one day, moved on day by day."""

    def __init__(self, method: Method, pasts: Iterable[Past], zone: ZoneInfo) -> None:
        self._method = method
        self._counts: dict[tuple[Group, int], Counter[int]] = defaultdict(Counter)
        self._curves: dict[tuple[Group, int], Curve] = {}
        self._changes: dict[date, list[tuple[int, Past]]] = defaultdict(list)
        self._day = date.min
        for past in pasts:
            if past.reached_at is not None:
                day = past.reached_at.astimezone(zone).date()
                known_from = max(past.due_date, day) + DAY
                known_until = past.due_date + LOOK_BACK + DAY
                if known_from < known_until:
                    self._changes[known_from].append((1, past))
                    self._changes[known_until].append((-1, past))

    def move_to(self, day: date) -> None:
        for changed in sorted(known for known in self._changes if self._day < known <= day):
            for step, past in self._changes.pop(changed):
                for measure, number in self._marks(past):
                    for _basis, group in past.position(Stage.BOOKED).groups:
                        self._counts[group, measure][number] += step
        self._day = day
        self._curves = {}

    def forecast(self, past: Past, stage: Stage, now: datetime) -> Forecast:
        if self._method == Method.TIME_LEFT:
            return forecast(past.position(stage), now=now, curve_of=self._curve)
        return self._by_duration(past, stage, now)

    def _marks(self, past: Past) -> Iterator[tuple[int, int]]:
        assert past.reached_at is not None  # noqa: S101 -- others are not in the changes
        if self._method == Method.TIME_LEFT:
            marks = progress_marks(past.journey, due_at=past.due_at, reached_at=past.reached_at)
            yield from (divmod(mark, MEASURE_STEP) for mark in marks)
            return
        for place, since in enumerate(past.journey):
            if since is not None and since <= past.reached_at:
                yield place, bin_of(past.reached_at - since)

    def _curve(self, group: Group, measure: int) -> Curve:
        key = group, measure
        if key not in self._curves:
            self._curves[key] = Curve(self._counts[key]) if key in self._counts else EMPTY
        return self._curves[key]

    def _by_duration(self, past: Past, stage: Stage, now: datetime) -> Forecast:
        since = past.journey[STAGES.index(stage)]
        assert since is not None  # noqa: S101 -- a stage has a time
        gone, left = (now - since).total_seconds(), (past.due_at - since).total_seconds()
        found = Basis.PROMISE, Mixture(())
        for basis, group in past.position(stage).groups:
            mixture = Mixture([(self._curve(group, STAGES.index(stage)), 1.0)])
            if mixture.beyond(gone) >= 1:
                found = basis, mixture
            if mixture.beyond(gone) >= MANY:
                break
        basis, mixture = found
        if basis == Basis.PROMISE:
            return Forecast(past.due_at, past.due_at, None, basis)
        rest = mixture.beyond(gone)
        p50, p90 = (
            since + timedelta(seconds=max(mixture.second_with(share * rest), gone)) for share in (0.5, 0.1)
        )
        return Forecast(p50, p90, mixture.beyond(left) / rest, basis, round(rest))


def _is_by(reached_at: datetime | None, moment: datetime | None) -> bool:
    return reached_at is not None and moment is not None and reached_at <= moment
