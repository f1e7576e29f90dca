"""Invented promises with a known end, the cells and bins they add up to, and their rates worked out by hand.

Nothing here is shared with the product's own arithmetic but the bins' edges and the tables' columns: the
figures are counted promise by promise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

from alliance.models import City
from slas.choices import CommitmentKind, ExcuseReason, Measure, Outcome
from slas.commitments.histograms import MEASURE_STEP, bin_of
from slas.models import OnTimeRate

DAY = timedelta(days=1)
JUDGED = (Outcome.MET, Outcome.LATE, Outcome.OVERDUE)


@dataclass(frozen=True)
class Fact:
    """One promise and its outcome."""

    merchant: int
    courier: int
    tier: int
    origin: City
    destination: City
    due: date
    outcome: Outcome = Outcome.MET
    kind: CommitmentKind = CommitmentKind.DELIVERY
    # How late it was reached; only of what is late.
    late: timedelta | None = None
    reason: ExcuseReason | None = None
    attempted: bool = False
    first_attempt: bool = False
    within_48h: bool = False
    within_72h: bool = False

    @property
    def is_judged(self) -> bool:
        return self.outcome in JUDGED


COUNTS = ("attempted", "first_attempt", "within_48h", "within_72h")
Cell = tuple[int, int | None, str, int, int, int, date]
COLUMNS = ("organisation_id", "counterpart_id", "kind", "tier_id", "origin_id", "destination_id", "due_date")


def write_cells(facts: Iterable[Fact]) -> None:
    """Write the rows the fold would have made of the promises, in both grains."""
    cells: dict[Cell, Counter[str]] = {}
    marks: dict[Cell, list[int]] = defaultdict(list)
    for fact in facts:
        lane = (fact.kind.value, fact.tier, fact.origin.pk, fact.destination.pk, fact.due)
        for cell in ((fact.courier, None, *lane), (fact.merchant, fact.courier, *lane)):
            counts = cells.setdefault(cell, Counter())
            counts[fact.outcome.value] += 1
            counts["excused"] += fact.reason is not None
            counts.update({name: int(getattr(fact, name)) for name in COUNTS})
            if fact.late is not None:
                marks[cell].append(Measure.LATENESS * MEASURE_STEP + bin_of(fact.late))
            if fact.reason is not None:
                place = list(ExcuseReason).index(fact.reason)
                marks[cell].append(Measure.EXCUSED * MEASURE_STEP + place)
    OnTimeRate.objects.bulk_create(
        OnTimeRate(**dict(zip(COLUMNS, cell, strict=True)), **counts, marks=marks.get(cell))
        for cell, counts in cells.items()
    )


def key_of(fact: Fact, by: str) -> Any:
    """The row that a promise is in, by one dimension."""
    match by:
        case "day":
            return fact.due
        case "week":
            return fact.due - fact.due.weekday() * DAY
        case "month":
            return fact.due.replace(day=1)
        case "weekday":
            return fact.due.isoweekday()
        case "origin" | "destination":
            return getattr(fact, by).pk
        case "lane":
            return fact.origin.pk, fact.destination.pk
        case "origin_province" | "destination_province":
            city: City = getattr(fact, by.removesuffix("_province"))
            return city.country, city.province_en
    return getattr(fact, by)


def grouped(facts: Iterable[Fact], group_by: Sequence[str]) -> dict[tuple[Any, ...], list[Fact]]:
    result: dict[tuple[Any, ...], list[Fact]] = {}
    for fact in facts:
        result.setdefault(tuple(key_of(fact, by) for by in group_by), []).append(fact)
    return result


def figures(facts: Sequence[Fact], pickups: Sequence[Fact]) -> dict[str, Any]:
    """Every count and share of a row, promise by promise; `pickups` are those of the same row."""
    judged = [fact for fact in facts if fact.is_judged]
    met = sum(fact.outcome == Outcome.MET for fact in facts)
    excused = sum(fact.reason is not None for fact in facts)
    pickups_judged = [fact for fact in pickups if fact.is_judged]
    pickups_met = sum(fact.outcome == Outcome.MET for fact in pickups_judged)
    attempted = sum(fact.attempted for fact in facts)
    days_late = [ceil(fact.late / DAY) for fact in facts if fact.late is not None]
    result: dict[str, Any] = {
        outcome.value: sum(fact.outcome == outcome for fact in facts) for outcome in Outcome
    }
    result |= {name: sum(getattr(fact, name) for fact in facts) for name in COUNTS}
    return result | {
        "excused": excused,
        "n": len(judged),
        "accountable_n": len(judged) - excused,
        "raw": share(met, len(judged)),
        "accountable": share(met, len(judged) - excused),
        "excused_by": dict(Counter(fact.reason for fact in facts if fact.reason)),
        "late_by": (
            *(sum(days == wanted for days in days_late) for wanted in (1, 2, 3)),
            sum(days > 3 for days in days_late),
            sum(fact.outcome == Outcome.OVERDUE for fact in facts),
        ),
        "first_attempt_rate": share(sum(fact.first_attempt for fact in facts), attempted),
        "pickup_met": pickups_met,
        "pickup_n": len(pickups_judged),
        "pickup_on_time": share(pickups_met, len(pickups_judged)),
    }


def percentile(latenesses: Sequence[timedelta], percent: int) -> timedelta | None:
    """Nearest rank, by definition."""
    ordered = sorted(latenesses)
    return ordered[max(1, ceil(len(ordered) * percent / 100)) - 1] if ordered else None


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
