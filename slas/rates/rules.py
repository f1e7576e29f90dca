"""Queries of on-time rates, and the figures that follow from a group's counts. Pure.

Definitions. A period counts what fell due in it, by the local date where it fell due, and not what was
delivered in it. raw = met / (met + late + overdue); accountable leaves excused breaches out of the
denominator. A figure is provisional until its last cohort closed seven days ago [Amazon]. How late is counted
in days after the promise [39 CFR 3055.60]; percentiles are of late deliveries only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final, NamedTuple

from slas.choices import CommitmentKind, ExcuseReason
from slas.commitments.histograms import EDGES, bounds
from slas.commitments.rules import accountable_rate, raw_rate
from slas.rates.intervals import wilson_lower_bound, wilson_upper_bound

# How long after its day a cohort's figures may still change.
MATURE_AFTER: Final = timedelta(days=7)
# Below this n a rate is flagged (ours).
FEW: Final = 30
# The most dimensions rows can be grouped by at once.
MOST_DIMENSIONS: Final = 3
REASONS: Final = tuple(ExcuseReason)


class GroupBy(StrEnum):
    """The dimensions that rows can be grouped by. Weeks begin on Monday; weekday 1 is Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WEEKDAY = "weekday"
    COURIER = "courier"
    MERCHANT = "merchant"
    TIER = "tier"
    ORIGIN = "origin"
    DESTINATION = "destination"
    LANE = "lane"
    ORIGIN_PROVINCE = "origin_province"
    DESTINATION_PROVINCE = "destination_province"


# Keys of these are pairs: two cities, or country and province.
PAIRS: Final = frozenset({GroupBy.LANE, GroupBy.ORIGIN_PROVINCE, GroupBy.DESTINATION_PROVINCE})
# These are shown in their own order; all others by lower bound, highest first.
IN_ORDER: Final = frozenset({GroupBy.DAY, GroupBy.WEEK, GroupBy.MONTH, GroupBy.WEEKDAY})


@dataclass(frozen=True, slots=True)
class RateQuery:
    """A query: a period of due dates, filters, and what the rows are grouped by.

    A filter holds ids (weekdays: 1 to 7); None matches everything, an empty one nothing.
    """

    first: date
    last: date
    kind: CommitmentKind | str = CommitmentKind.DELIVERY
    group_by: tuple[GroupBy, ...] = ()
    couriers: tuple[int, ...] | None = None
    merchants: tuple[int, ...] | None = None
    tiers: tuple[int, ...] | None = None
    origins: tuple[int, ...] | None = None
    destinations: tuple[int, ...] | None = None
    weekdays: tuple[int, ...] | None = None
    # Whether to use merchants' cells. Queries that need them use them in any case.
    by_merchant: bool = False

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def needs_merchants(self) -> bool:
        return self.by_merchant or self.merchants is not None or GroupBy.MERCHANT in self.group_by


class LateBy(NamedTuple):
    """Breaches by how late they were reached, and those not reached yet."""

    one_day: int
    two_days: int
    three_days: int
    more: int
    missing: int


@dataclass(frozen=True, slots=True)
class RateRow:
    """Counts of outcomes of one group in one period, and the rates that follow."""

    # A date, a courier's id, (origin id, destination id), a tier's id, ...; a tuple of such for rows by
    # several dimensions; () for the total.
    group: Any
    met: int = 0
    late: int = 0
    overdue: int = 0
    excused: int = 0
    pending: int = 0
    void: int = 0
    attempted: int = 0
    first_attempt: int = 0
    within_48h: int = 0
    within_72h: int = 0
    # Pickups of the same group and period, whatever milestone was requested.
    pickup_met: int = 0
    pickup_n: int = 0
    provisional: bool = False
    # Some figures are of deliveries only.
    kind: CommitmentKind | str = CommitmentKind.DELIVERY
    # Bins of slas/commitments/histograms.py with how many were late by so much; indexes in REASONS with how
    # many were excused for it.
    lateness: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[int, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The denominator of the raw rate: all that fell due and is judged."""
        return self.met + self.late + self.overdue

    @property
    def accountable_n(self) -> int:
        return self.n - self.excused

    @property
    def promised(self) -> int:
        """All that falls due in the period and is not void, judged or not."""
        return self.n + self.pending

    @property
    def raw(self) -> float | None:
        return raw_rate(self.met, self.late, self.overdue)

    @property
    def accountable(self) -> float | None:
        return accountable_rate(self.met, self.late, self.overdue, self.excused)

    @property
    def lower_bound(self) -> float | None:
        """Wilson lower bound (95 %) of the accountable rate, which rankings use."""
        return wilson_lower_bound(self.met, self.accountable_n)

    @property
    def upper_bound(self) -> float | None:
        return wilson_upper_bound(self.met, self.accountable_n)

    @property
    def is_few(self) -> bool:
        return self.n < FEW

    @property
    def first_attempt_rate(self) -> float | None:
        return share(self.first_attempt, self.attempted)

    @property
    def within_48h_rate(self) -> float | None:
        """Share delivered within 48 hours of pickup, of all deliveries judged."""
        return share(self.within_48h, self.n) if self.kind == CommitmentKind.DELIVERY else None

    @property
    def within_72h_rate(self) -> float | None:
        return share(self.within_72h, self.n) if self.kind == CommitmentKind.DELIVERY else None

    @property
    def pickup_on_time(self) -> float | None:
        return share(self.pickup_met, self.pickup_n)

    @property
    def late_by(self) -> LateBy:
        """Counts by lateness, in days of 24 hours after the promise."""
        counts = [0, 0, 0, 0]
        for number, count in self.lateness.items():
            counts[_days_late(number) - 1] += count
        return LateBy(counts[0], counts[1], counts[2], counts[3], missing=self.overdue)

    @property
    def excused_by(self) -> dict[ExcuseReason, int]:
        """Counts left out of the accountable rate, by reason; reasons without any are left out."""
        return {REASONS[index]: count for index, count in sorted(self.reasons.items()) if count}

    def lateness_at(self, percent: int) -> timedelta | None:
        return percentile(self.lateness, percent)

    @property
    def p50(self) -> timedelta | None:
        return self.lateness_at(50)

    @property
    def p90(self) -> timedelta | None:
        return self.lateness_at(90)

    @property
    def p95(self) -> timedelta | None:
        return self.lateness_at(95)


# The counts that add up over groups.
SUMMED: Final = (
    "met", "late", "overdue", "excused", "pending", "void", "attempted", "first_attempt", "within_48h",
    "within_72h", "pickup_met", "pickup_n",
)  # fmt: skip


def total_of(rows: Sequence[RateRow], *, kind: CommitmentKind | str = CommitmentKind.DELIVERY) -> RateRow:
    """Return the total of groups."""
    return RateRow(
        group=(),
        provisional=any(row.provisional for row in rows),
        kind=kind,
        lateness=merge_histograms(row.lateness for row in rows),
        reasons=merge_histograms(row.reasons for row in rows),
        **{name: sum(getattr(row, name) for row in rows) for name in SUMMED},
    )


def merge_histograms(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Add up histograms, bin by bin."""
    merged_bins: dict[int, int] = {}
    for histogram in histograms:
        for number, count in histogram.items():
            merged_bins[number] = merged_bins.get(number, 0) + count
    return merged_bins


def percentile(histogram: Mapping[int, int], percent: int) -> timedelta | None:
    """Return the duration that `percent` percent do not exceed, by nearest rank; None if empty.

    Accurate to within its bin, in which durations are taken to be spread evenly.
    """
    total = sum(histogram.values())
    rank = ceil(total * percent / 100)
    for number, count in sorted(histogram.items()):
        if count and rank <= count:
            low, high = bounds(number)
            return low + (high - low) * (rank / count)
        rank -= count
    return None


def is_provisional(newest: date, today: date) -> bool:
    """Whether a cohort closed (its day ended) less than seven days ago."""
    return newest + MATURE_AFTER >= today


def keys_of(row: RateRow, group_by: Sequence[GroupBy]) -> tuple[Any, ...]:
    return (row.group,) if len(group_by) == 1 else tuple(row.group)


def in_order(rows: Iterable[RateRow], group_by: Sequence[GroupBy]) -> list[RateRow]:
    """Sort an answer: days, weeks, months and weekdays in their order, then by lower bound, highest first."""
    time_indexes = [index for index, item in enumerate(group_by) if item in IN_ORDER]

    def key(row: RateRow) -> tuple[Any, ...]:
        keys = keys_of(row, group_by)
        bound = row.lower_bound
        return *(keys[index] for index in time_indexes), bound is None, -(bound or 0.0), -row.n, str(keys)

    return sorted(rows, key=key)


def share(part: int, whole: int) -> float | None:
    """Part of a whole, between 0 and 1; None if the whole is 0."""
    return part / whole if whole > 0 else None


def _days_late(number: int) -> int:
    """The column of LateBy: late by up to one, two or three days, or by more. Days are edges of bins."""
    if number >= len(EDGES):
        return 4
    return min(4, ceil(EDGES[number] / timedelta(days=1)))
