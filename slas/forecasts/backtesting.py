"""Backtesting: repeat past forecasts with the data known at the time and compare them with the
outcomes. Pure.

A forecast of a day sees the parcels due in the 28 days before that day and attempted before it began. Two
methods are replayed side by side: `time_left` is `slas.forecasts.rules`; `durations` uses the time parcels
took from the last stage they reached, the obvious first method to try.
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
    """A delivery that fell due, with its outcome."""

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
    """The accuracy of a set of forecasts."""

    n: int = 0
    late: int = 0
    squares: float = 0.0
    by_p50: int = 0
    by_p90: int = 0
    # By tenth of the forecast chance: number of parcels, sum of their chances, number late.
    bands: list[list[float]] = field(default_factory=lambda: [[0, 0.0, 0] for _band in range(BANDS)])

    def add(self, past: Past, prediction: Forecast) -> None:
        assert prediction.chance is not None  # noqa: S101 -- only forecasts with a chance are scored
        self.n += 1
        self.late += past.is_late
        self.squares += (prediction.chance - past.is_late) ** 2
        self.by_p50 += _is_by(past.reached_at, prediction.p50_at)
        self.by_p90 += _is_by(past.reached_at, prediction.p90_at)
        band = self.bands[min(int(prediction.chance * BANDS), BANDS - 1)]
        band[0], band[1], band[2] = band[0] + 1, band[1] + prediction.chance, band[2] + past.is_late

    @property
    def base_rate(self) -> float:
        return self.late / self.n

    @property
    def brier(self) -> float:
        """The mean squared difference of forecast and outcome: 0 is perfect."""
        return self.squares / self.n

    @property
    def base_brier(self) -> float:
        """The Brier score of always forecasting the overall base rate, which was not known at the time."""
        return self.base_rate * (1 - self.base_rate)

    @property
    def skill(self) -> float | None:
        """The share of the base rate's error that the forecasts remove; negative is worse than the base
        rate."""
        return 1 - self.brier / self.base_brier if self.base_brier else None


@dataclass(slots=True)
class Report:
    """Scores by method and moment, and by method and basis."""

    moments: dict[tuple[Method, str], Score] = field(default_factory=lambda: defaultdict(Score))
    bases: dict[tuple[Method, Basis], Score] = field(default_factory=lambda: defaultdict(Score))
    overall: dict[Method, Score] = field(default_factory=lambda: defaultdict(Score))
    # Forecasts for which only the promise was known.
    unknown: Counter[Method] = field(default_factory=Counter)

    def add(self, method: Method, moment: str, past: Past, prediction: Forecast) -> None:
        if prediction.chance is None:
            self.unknown[method] += 1
            return
        for score in (
            self.overall[method],
            self.moments[method, moment],
            self.bases[method, prediction.basis],
        ):
            score.add(past, prediction)


# When forecasts are made; None if the parcel has no such moment.
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
    """Forecast at the MOMENTS of the days from first to last, and score against the outcomes.

    `pasts` should begin 28 days before. Only parcels not attempted at a moment, and due by the end of the
    last day, are forecast.
    """
    deliveries = list(pasts)
    report = Report()
    moments_by_day = _moments_by_day(deliveries, first, last, zone)
    bins = {method: _History(method, deliveries, zone) for method in Method}
    for day in sorted(moments_by_day):
        for history in bins.values():
            history.move_to(day)
        for moment, now, past, stage in moments_by_day[day]:
            for method, history in bins.items():
                report.add(method, moment, past, history.forecast(past, stage, now))
    return report


def _moments_by_day(
    pasts: Iterable[Past], first: date, last: date, zone: ZoneInfo
) -> dict[date, list[tuple[str, datetime, Past, Stage]]]:
    """The forecasts to make, by the day they are made on."""
    end = datetime.combine(last + DAY, time(0), zone)
    moments_by_day: dict[date, list[tuple[str, datetime, Past, Stage]]] = defaultdict(list)
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
                moments_by_day[day].append((moment, now, past, stage))
    return moments_by_day


class _History:
    """The histograms of one method as known on one day; move_to() moves them on to a later day."""

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
        for changed_on in sorted(known_from for known_from in self._changes if self._day < known_from <= day):
            for step, past in self._changes.pop(changed_on):
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
        assert past.reached_at is not None  # noqa: S101 -- parcels not attempted are not in the changes
        if self._method == Method.TIME_LEFT:
            marks = progress_marks(past.journey, due_at=past.due_at, reached_at=past.reached_at)
            yield from (divmod(mark, MEASURE_STEP) for mark in marks)
            return
        for stage_index, since in enumerate(past.journey):
            if since is not None and since <= past.reached_at:
                yield stage_index, bin_of(past.reached_at - since)

    def _curve(self, group: Group, measure: int) -> Curve:
        key = group, measure
        if key not in self._curves:
            self._curves[key] = Curve(self._counts[key]) if key in self._counts else EMPTY
        return self._curves[key]

    def _by_duration(self, past: Past, stage: Stage, now: datetime) -> Forecast:
        since = past.journey[STAGES.index(stage)]
        assert since is not None  # noqa: S101 -- a stage has a time
        elapsed, time_left = (now - since).total_seconds(), (past.due_at - since).total_seconds()
        best = Basis.PROMISE, Mixture(())
        for basis, group in past.position(stage).groups:
            mixture = Mixture([(self._curve(group, STAGES.index(stage)), 1.0)])
            if mixture.beyond(elapsed) >= 1:
                best = basis, mixture
            if mixture.beyond(elapsed) >= MANY:
                break
        basis, mixture = best
        if basis == Basis.PROMISE:
            return Forecast(past.due_at, past.due_at, None, basis)
        remaining = mixture.beyond(elapsed)
        p50, p90 = (
            since + timedelta(seconds=max(mixture.second_with(share * remaining), elapsed))
            for share in (0.5, 0.1)
        )
        return Forecast(p50, p90, mixture.beyond(time_left) / remaining, basis, round(remaining))


def _is_by(reached_at: datetime | None, moment: datetime | None) -> bool:
    return reached_at is not None and moment is not None and reached_at <= moment
