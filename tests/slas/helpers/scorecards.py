"""Months of couriers to score: folded cells as the tally path leaves them, without parcels."""

from datetime import date, datetime, time, timedelta
from typing import Any

from alliance.clocks import wall_clock
from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from slas.choices import CommitmentKind, Measure
from slas.commitments.histograms import MEASURE_STEP, bin_of
from slas.models import OnTimeRate, Scorecard, ServiceTier
from slas.scorecards.rules import final_on, month_after, month_of

ZONE = "Asia/Shanghai"
# Months around the day a test runs on. The running one, the last one, and one that is final whenever it runs.
THIS = month_of(date.today())  # noqa: DTZ011 -- which month hardly matters
LAST = month_after(THIS, -1)
OLD = month_after(THIS, -3)

# What a courier of each grade may count in a month.
GOLD = {"met": 990, "late": 10, "attempted": 1000, "first_attempt": 980, "within_72h": 990}
SILVER = {"met": 950, "late": 50, "attempted": 1000, "first_attempt": 930, "within_72h": 880}
PROBATION = {
    "met": 600,
    "late": 300,
    "overdue": 100,
    "attempted": 900,
    "first_attempt": 600,
    "within_72h": 600,
}


def count(
    courier: Organisation,
    month: date,
    deliveries: dict[str, int],
    *,
    pickups: dict[str, int] | None = None,
    over_a_day: int = 0,
    day: int = 15,
) -> None:
    """Insert a courier's month into the cells: on one lane, due on one day of it."""
    with scope(Scope.everything()):
        cell = {
            "organisation_id": courier.pk,
            "tier": ServiceTier.objects.get(code="next_day"),
            "origin": City.objects.get(code="CN-HGH"),
            "destination": City.objects.get(code="CN-CTU"),
            "due_date": month.replace(day=day),
        }
        marks = [
            Measure.LATENESS * MEASURE_STEP + bin_of(late)
            for late, number in ((timedelta(days=1), 7), (timedelta(days=1, seconds=1), over_a_day))
            for _parcel in range(number)
        ]
        _add({**cell, "kind": CommitmentKind.DELIVERY}, deliveries, marks)
        _add({**cell, "kind": CommitmentKind.PICKUP}, pickups or {}, [])


def _add(cell: dict[str, Any], counts: dict[str, int], marks: list[int]) -> None:
    row, _made = OnTimeRate.objects.get_or_create(**cell)
    for name, number in counts.items():
        setattr(row, name, getattr(row, name) + number)
    row.marks = [*(row.marks or []), *marks]
    row.save()


def on(day: date, hour: int = 2) -> datetime:
    """A moment of a day where the product's days are."""
    return wall_clock(day, time(hour), ZONE)


def final_night(month: date) -> datetime:
    """The night a month becomes final."""
    return on(final_on(month))


def card(courier: Organisation, month: date) -> Scorecard:
    with scope(Scope.everything()):
        return Scorecard.objects.select_related("rules").get(courier_id=courier.pk, month=month)


def cards() -> list[Scorecard]:
    with scope(Scope.everything()):
        return list(Scorecard.objects.order_by("month", "courier_id"))
