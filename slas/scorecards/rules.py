"""Scorecards: the points, the grade and the rank of a courier's month. Pure.

Each component's value reaches a band, the band gives points, and the weighted points are a score from 0 to
100. A component without data is left out of the weighting, so the others weigh more. Values are rounded to a
hundredth of a percent before they are compared with a band, so that pages show the values that were scored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple, Self

from couriers.choices import Grade
from slas.choices import ScoreComponent

# A month is final on this day of the next one: excuses can be claimed for 14 days after its end, and a week
# is left to decide the last claims.
CLAIM_DAYS: Final = 14
FINAL_DAY: Final = 21
# Months a trend shows.
TREND_MONTHS: Final = 12
VALUE_PLACES: Final = 4
# The grades with a least score, the best first; a lower score is on probation.
EARNED: Final = (Grade.GOLD, Grade.SILVER, Grade.MEMBER)
_CENT: Final = Decimal("0.01")


class Band(NamedTuple):
    """Points for a value that reaches the threshold: at least it, or at most if lower is better."""

    threshold: float
    points: int


class Measured(NamedTuple):
    """A component's value, and its number of observations; the value is None if there are none."""

    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The sums of a courier's cells in a month."""

    met: int = 0
    late: int = 0
    overdue: int = 0
    excused: int = 0
    attempted: int = 0
    first_attempt: int = 0
    within_72h: int = 0
    pickups_met: int = 0
    pickups_missed: int = 0
    pickups_excused: int = 0
    # The part of `late` that was late by more than a day.
    over_a_day: int = 0

    @property
    def judged(self) -> int:
        """Deliveries that fell due and are judged: the month's volume."""
        return self.met + self.late + self.overdue


@dataclass(frozen=True, slots=True)
class Rules:
    """A version of the published rules. Bands run from the best to the worst."""

    weights: Mapping[ScoreComponent, int]
    bands: Mapping[ScoreComponent, tuple[Band, ...]]
    grades: Mapping[Grade, int]
    minimum_volume: int

    @classmethod
    def from_stored(
        cls,
        weights: Mapping[str, int],
        bands: Mapping[str, Iterable[Any]],
        grades: Mapping[str, int],
        minimum_volume: int,
    ) -> Self:
        # In the order of the enums: the database keeps no order.
        return cls(
            {name: int(weights[name]) for name in ScoreComponent if name in weights},
            {
                name: tuple(Band(float(threshold), int(points)) for threshold, points in bands[name])
                for name in ScoreComponent
                if name in bands
            },
            {grade: int(grades[grade]) for grade in Grade if grade in grades},
            minimum_volume,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One component of a scorecard: its value and its part of the score."""

    component: ScoreComponent
    value: float | None
    n: int
    points: int | None
    # The band reached and the next better one; None where there is no such band.
    band: Band | None
    next_band: Band | None
    weight: int
    # Its weight in the score after components without a value are left out.
    share: float
    adds: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    """A courier's month before any rules: the components, and the number of deliveries judged."""

    components: Mapping[ScoreComponent, Measured]
    volume: int


@dataclass(frozen=True, slots=True)
class Card:
    """A courier's month scored by rules. Without a grade it is too small to be ranked."""

    month: Month
    score: Decimal | None
    grade: Grade | None
    rank: int | None = None
    # The number of ranked couriers.
    ranked: int = 0


def measure(counts: Counts) -> Month:
    """Return the components of a month.

    On time is the accountable rate: excused breaches do not count against the courier. Lateness is a share of
    all deliveries judged, and counts at most those that count against the courier.
    """
    accountable_breaches = counts.late + counts.overdue - counts.excused
    very_late = min(counts.over_a_day + counts.overdue, accountable_breaches)
    values = {
        ScoreComponent.DELIVERY_ON_TIME: (counts.met, counts.judged - counts.excused),
        ScoreComponent.PICKUP_ON_TIME: (
            counts.pickups_met,
            counts.pickups_met + counts.pickups_missed - counts.pickups_excused,
        ),
        ScoreComponent.FIRST_ATTEMPT: (counts.first_attempt, counts.attempted),
        ScoreComponent.WITHIN_72H: (counts.within_72h, counts.judged),
        ScoreComponent.LATENESS: (very_late, counts.judged),
    }
    return Month({name: _share(part, whole) for name, (part, whole) in values.items()}, counts.judged)


def _share(part: int, whole: int) -> Measured:
    return Measured(round(part / whole, VALUE_PLACES), whole) if whole > 0 else Measured(None, 0)


def reaches(component: ScoreComponent, value: float, threshold: float) -> bool:
    return value <= threshold if component.lower_is_better else value >= threshold


def band_of(component: ScoreComponent, value: float, bands: Iterable[Band]) -> Band | None:
    """Return the best band a value reaches; None below all of them, which gives no points."""
    return next((band for band in bands if reaches(component, value, band.threshold)), None)


def next_band(component: ScoreComponent, value: float, bands: Iterable[Band]) -> Band | None:
    """Return the band above the one reached; None in the best one."""
    above = [band for band in bands if not reaches(component, value, band.threshold)]
    return above[-1] if above else None


def points_of(component: ScoreComponent, value: float, bands: Iterable[Band]) -> int:
    band = band_of(component, value, bands)
    return band.points if band else 0


def lines(month: Month, rules: Rules) -> list[Line]:
    """Return the components of a month as lines; what they add is the score."""
    components = {name for name in rules.weights if _value(month, name) is not None}
    total = sum(rules.weights[name] for name in components)
    return [_line(name, month, rules, total if name in components else 0) for name in rules.weights]


def _line(name: ScoreComponent, month: Month, rules: Rules, total: int) -> Line:
    component = month.components.get(name, Measured(None, 0))
    weight, bands = rules.weights[name], rules.bands[name]
    if component.value is None:
        return Line(name, None, component.n, None, None, None, weight, 0.0, Decimal(0))
    points = points_of(name, component.value, bands)
    return Line(
        name, component.value, component.n, points,
        band_of(name, component.value, bands), next_band(name, component.value, bands),
        weight,
        weight / total if total else 0.0,
        _round(Decimal(points * weight) / total) if total else Decimal(0),
    )  # fmt: skip


def score_of(month: Month, rules: Rules) -> Decimal | None:
    """Return the weighted points, to a hundredth; None if no weighted component has a value."""
    values = {name: _value(month, name) for name in rules.weights}
    total = sum(rules.weights[name] for name, value in values.items() if value is not None)
    if not total:
        return None
    points = sum(
        rules.weights[name] * points_of(name, value, rules.bands[name])
        for name, value in values.items()
        if value is not None
    )
    return _round(Decimal(points) / total)


def grade_of(score: Decimal | None, volume: int, rules: Rules) -> Grade | None:
    """Return the grade of a score; None below the minimum volume, where the grade does not change."""
    if score is None or volume < rules.minimum_volume:
        return None
    return next((grade for grade in EARNED if score >= rules.grades[grade]), Grade.PROBATION)


def judge_month(months: Mapping[int, Month], rules: Rules) -> dict[int, Card]:
    """Score every courier's month and rank the graded ones; equal scores share a rank."""
    cards = {courier: _card(month, rules) for courier, month in months.items()}
    scores = [card.score for card in cards.values() if card.grade is not None and card.score is not None]
    return {
        courier: Card(
            card.month,
            card.score,
            card.grade,
            1 + sum(score > card.score for score in scores)
            if card.grade is not None and card.score is not None
            else None,
            len(scores),
        )
        for courier, card in cards.items()
    }


def _card(month: Month, rules: Rules) -> Card:
    score = score_of(month, rules)
    return Card(month, score, grade_of(score, month.volume, rules))


def month_of(day: date) -> date:
    """Return the month of a day, as its first day."""
    return day.replace(day=1)


def month_after(month: date, months: int = 1) -> date:
    """Return the month `months` later, or earlier if negative."""
    count = month.year * 12 + month.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def final_on(month: date) -> date:
    return month_after(month).replace(day=FINAL_DAY)


def _value(month: Month, name: ScoreComponent) -> float | None:
    return month.components.get(name, Measured(None, 0)).value


def _round(number: Decimal) -> Decimal:
    return number.quantize(_CENT, ROUND_HALF_UP)
