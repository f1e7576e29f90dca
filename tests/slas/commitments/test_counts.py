"""Counts that a journey adds to the rates: attempts, times from pickup, lateness, durations, excuses by
reason."""

from collections import Counter
from datetime import timedelta

import pytest

from slas import tasks
from slas.audits.rates import audit_rates
from slas.choices import Measure
from slas.commitments.histograms import MEASURE_STEP
from slas.commitments.landmarks import EARLY, HOURS, STAGES
from slas.commitments.services.settling import Milestone, excuse_commitments, mark_lost, settle
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.folding import fold_progress, forget_progress, kept_from
from slas.models import Commitment, CreditCheck, HistogramBin, OnTimeRate, Progress, ProgressTally
from slas.rates.services.folding import fold_tallies
from tests.slas.helpers import recount
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, PICKUP, Lane, outcome, reach

pytestmark = pytest.mark.usefixtures("everything")
NOW = NOON + 9 * DAY


def journey(parcel_id: int, *, exact: bool = False, **times: timedelta | None) -> None:
    """Settle a delivery whose times are given from NOON; `reached` is the first valid attempt."""
    moments = {f"{name}_at": None if at is None else NOON + at for name, at in times.items()}
    settle([Milestone(parcel_id, DELIVERY, moments.pop("reached_at", None), exact, **moments)], now=NOW)


def total(lane: Lane, name: str) -> tuple[int, int]:
    """The sums of the courier's and the merchant's cells."""
    fold_tallies()
    both = [OnTimeRate.objects.filter(organisation=side) for side in (lane.courier, lane.merchant)]
    courier, merchant = (sum(cells.values_list(name, flat=True)) for cells in both)
    return courier, merchant


def bins(lane: Lane, measure: Measure) -> dict[int, int]:
    fold_tallies()
    result: Counter[int] = Counter()
    marks = HistogramBin.objects.filter(organisation=lane.courier, measure=measure)
    for number, count in marks.values_list("bin", "count"):
        result[number] += count
    return {number: count for number, count in result.items() if count}


def progress(lane: Lane) -> set[tuple[str, int, int]]:
    """The progress in the courier's cells: stage, hours before the promise, bin."""
    fold_progress()
    result = Progress.objects.filter(courier=lane.courier.pk).values_list("marks", flat=True)
    return {
        (STAGES[measure % 10], HOURS[(measure - Measure.PROGRESS) // 10], number)
        for marks in result
        for measure, number in (divmod(mark, MEASURE_STEP) for mark in marks)
    }


def agrees() -> None:
    assert audit_rates().differences == []
    fold_tallies()
    fold_progress()
    assert recount.folded() == recount.expected()
    assert audit_rates().differences == []


@pytest.mark.parametrize(
    ("times", "attempted", "first", "within_48h", "within_72h"),
    [
        # Delivered at the first attempt, five hours after pickup.
        ({"picked_up": -5, "attempted": 0, "delivered": 0, "reached": 0}, 1, 1, 1, 1),
        # The first attempt failed, the second succeeded.
        ({"picked_up": -5, "attempted": 0, "delivered": 20, "reached": 20}, 1, 0, 1, 1),
        # Exactly 48 hours, and a moment over; the same with 72.
        ({"picked_up": -48, "attempted": 0, "delivered": 0, "reached": 0}, 1, 1, 1, 1),
        ({"picked_up": -48.001, "attempted": 0, "delivered": 0, "reached": 0}, 1, 1, 0, 1),
        ({"picked_up": -72.001, "attempted": 0, "delivered": 0, "reached": 0}, 1, 1, 0, 0),
        # A valid attempt that was no delivery: kept, but not delivered.
        ({"picked_up": -5, "attempted": 0, "reached": 0}, 1, 0, 0, 0),
        # One failed attempt, and no other.
        ({"picked_up": -5, "attempted": 0}, 1, 0, 0, 0),
        # The pickup was not scanned.
        ({"attempted": 0, "delivered": 0, "reached": 0}, 1, 1, 0, 0),
    ],
)
def test_attempts_and_times_from_pickup(
    lane: Lane, times: dict[str, float], attempted: int, first: int, within_48h: int, within_72h: int
) -> None:
    journey(lane.promise(), **{name: timedelta(hours=hours) for name, hours in times.items()})
    for name, n in {
        "attempted": attempted,
        "first_attempt": first,
        "within_48h": within_48h,
        "within_72h": within_72h,
    }.items():
        assert total(lane, name) == (n, n), name
    agrees()


def test_pickup_heard_of_after_delivery_counts_the_hours(lane: Lane) -> None:
    parcel_id = lane.promise()
    journey(parcel_id, attempted=timedelta(), delivered=timedelta(), reached=timedelta())
    assert total(lane, "within_48h") == (0, 0)
    journey(parcel_id, picked_up=-3 * HOUR)
    assert total(lane, "within_48h") == (1, 1)
    agrees()


def test_correction_takes_attempt_and_durations_back(lane: Lane) -> None:
    parcel_id = lane.promise(ready_at=NOON - DAY)
    journey(parcel_id, picked_up=-5 * HOUR, attempted=HOUR, delivered=HOUR, reached=HOUR)
    assert bins(lane, Measure.LATENESS) == {3: 1}
    # A day before the promise it was booked, six hours before it too; picked up from then on.
    booked = {("booked", hours, 3) for hours in (24, 20, 16, 12, 6)}
    assert progress(lane) == {*booked, ("picked_up", 3, 3), ("picked_up", 1, 3)}
    journey(parcel_id, exact=True, picked_up=-5 * HOUR, attempted=None, delivered=None, reached=None)
    assert outcome(parcel_id) == "overdue"
    assert total(lane, "attempted") == (0, 0)
    assert bins(lane, Measure.LATENESS) == {}
    assert progress(lane) == set()
    agrees()


def test_earlier_scan_moves_lateness_to_another_bin(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON + DAY, now=NOW)
    assert bins(lane, Measure.LATENESS) == {71: 1}
    reach(parcel_id, NOON + HOUR, now=NOW)
    assert bins(lane, Measure.LATENESS) == {3: 1}
    reach(parcel_id, NOON, now=NOW)
    assert bins(lane, Measure.LATENESS) == {}
    agrees()


def test_progress_adds_up_in_one_cell_whenever_it_is_folded(lane: Lane) -> None:
    for _time in range(2):
        for _parcel in range(2):
            journey(lane.promise(ready_at=NOON - 2 * HOUR), attempted=HOUR, delivered=HOUR, reached=HOUR)
        assert fold_progress().tallies == 2
        assert fold_progress().tallies == 0
    cell = Progress.objects.get()
    assert (cell.courier_id, cell.counts) == (lane.courier.pk, [4])
    agrees()


def test_progress_is_folded_in_batches_and_left_when_the_time_is_up(lane: Lane) -> None:
    lane = lane.of_one_home()
    for _parcel in range(3):
        journey(lane.promise(ready_at=NOON - 2 * HOUR), attempted=HOUR, delivered=HOUR, reached=HOUR)
    assert fold_progress(limit=2, budget=0) == (2, 1, False)
    assert ProgressTally.objects.count() == 1
    assert audit_rates().differences == []
    assert tasks.fold_progress() == 1
    agrees()


def test_progress_ends_with_the_attempt(lane: Lane) -> None:
    journey(lane.promise(ready_at=NOON - 2 * DAY), picked_up=-30 * HOUR, out_for_delivery=-9 * HOUR,
        attempted=-6 * HOUR, reached=-6 * HOUR)  # fmt: skip
    early = EARLY + 23
    assert progress(lane) == {
        ("booked", 48, early),
        ("picked_up", 24, early),
        ("picked_up", 20, early),
        ("picked_up", 16, early),
        ("picked_up", 12, early),
    }
    agrees()


def test_parcel_never_ready_has_no_progress(lane: Lane) -> None:
    journey(lane.promise(), attempted=HOUR, reached=HOUR)
    assert progress(lane) == set()
    agrees()


class TestExcuses:
    def test_are_counted_by_reason_and_lifted(self, lane: Lane) -> None:
        keys = [(lane.promise(), "delivery"), (lane.promise(kind=PICKUP), "pickup")]
        sweep_overdue(now=NOW)
        assert excuse_commitments(keys=keys, reason="weather", now=NOW) == 2
        assert excuse_commitments(keys=keys, reason="disaster", now=NOW) == 0
        assert bins(lane, Measure.EXCUSED) == {6: 2}
        assert total(lane, "excused") == (2, 2)
        agrees()
        assert excuse_commitments(keys=keys[:1], reason=None, now=NOW) == 1
        assert total(lane, "excused") == (1, 1)
        assert set(Commitment.objects.values_list("excused", "excuse_reason")) == {
            (False, ""),
            (True, "weather"),
        }
        agrees()

    def test_count_only_while_the_breach_stands(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        sweep_overdue(now=NOW)
        excuse_commitments(keys=[(parcel_id, "delivery")], reason="weather", now=NOW)
        reach(parcel_id, NOON, now=NOW)
        assert total(lane, "excused") == (0, 0)
        assert bins(lane, Measure.EXCUSED) == {}
        journey(parcel_id, exact=True, reached=None)
        assert bins(lane, Measure.EXCUSED) == {6: 1}
        agrees()

    def test_only_standing_breaches_are_excused(self, lane: Lane) -> None:
        kept = lane.promise()
        reach(kept, NOON)
        keys = [(kept, "delivery"), (lane.promise(NOON + 20 * DAY), "delivery"), (1, "delivery")]
        assert excuse_commitments(keys=keys, reason="weather", now=NOW) == 0
        assert excuse_commitments(keys=[], reason="weather", now=NOW) == 0


class TestCredits:
    """A commitment whose credit may have changed is queued in the same transaction."""

    @staticmethod
    def waiting() -> list[int]:
        result = list(CreditCheck.objects.order_by("id").values_list("parcel_id", flat=True))
        CreditCheck.objects.all().delete()
        return result

    def test_breach_and_all_that_changes_it(self, lane: Lane) -> None:
        paid, free = lane.promise(fee_fen=1000), lane.promise()
        assert self.waiting() == []
        sweep_overdue(now=NOW)
        assert self.waiting() == [paid]
        for parcel_id in (paid, free):
            reach(parcel_id, NOON + DAY, now=NOW)
        assert self.waiting() == [paid]
        excuse_commitments(keys=[(paid, "delivery"), (free, "delivery")], reason="weather", now=NOW)
        assert self.waiting() == [paid]
        excuse_commitments(keys=[(paid, "delivery")], reason=None, now=NOW)
        assert self.waiting() == [paid]
        reach(paid, NOON, now=NOW)
        assert self.waiting() == [paid]
        reach(paid, NOON - HOUR, now=NOW)
        assert self.waiting() == []

    def test_loss_and_finding(self, lane: Lane) -> None:
        parcel_id = lane.promise(fee_fen=1000)
        assert mark_lost(lost={parcel_id: NOON}, now=NOW) == 1
        assert mark_lost(lost={parcel_id: NOON}, now=NOW) == 0
        assert mark_lost(lost={}, now=NOW) == 0
        assert Commitment.objects.get(parcel_id=parcel_id).lost_at == NOON
        assert outcome(parcel_id) == "pending"
        assert mark_lost(lost={parcel_id: None}, now=NOW) == 1
        assert self.waiting() == [parcel_id, parcel_id]

    def test_lost_scan(self, lane: Lane) -> None:
        parcel_id = lane.promise(fee_fen=1000)
        journey(parcel_id, lost=DAY)
        assert Commitment.objects.get(parcel_id=parcel_id).lost_at == NOON + DAY
        assert self.waiting() == [parcel_id]


def test_old_progress_is_forgotten_and_not_missed(lane: Lane) -> None:
    old, kept = (kept_from() + shift * DAY for shift in (-1, 0))
    for due in (old, kept):
        parcel_id = lane.promise(ready_at=NOON - DAY)
        Commitment.objects.filter(parcel_id=parcel_id).update(due_date=due)
        reach(parcel_id, NOON + HOUR, now=NOW)
    fold_tallies()
    fold_progress()
    # The cohort was moved by hand, without tallies.
    OnTimeRate.objects.all().update(pending=0)
    assert forget_progress() == 1
    assert forget_progress() == 0
    assert set(HistogramBin.objects.values_list("measure", "due_date")) == {(1, old), (1, kept)}
    assert list(Progress.objects.values_list("due_date", flat=True)) == [kept]
    assert audit_rates().bins == []
