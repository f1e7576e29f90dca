"""The sweep: commitments past due become overdue once, in slices, beside concurrent writers."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from alliance.database import work_shares
from alliance.models import Event, Heartbeat
from alliance.tenancy import Scope, scope
from slas import tasks
from slas.choices import Measure
from slas.commitments.services.settling import Milestone, excuse_commitments, settle
from slas.commitments.services.sweeping import sweep_overdue
from slas.commitments.sql_settling import SWEEP
from slas.models import Breach, Commitment, HistogramBin, Tally
from slas.rates.services.folding import fold_tallies
from tests.helpers.locks import is_somebody_waiting
from tests.helpers.owner import execute_as_owner
from tests.helpers.plans import plan_inside, plans_of
from tests.slas.helpers.commitments import (
    DAY,
    DELIVERY,
    HOUR,
    NOON,
    PICKUP,
    Lane,
    assert_books_agree,
    counts,
    outcome,
    reach,
    standing_breaches,
)

MOMENT = timedelta(microseconds=1)


@pytest.mark.django_db
@pytest.mark.usefixtures("everything")
class TestSweep:
    def test_sweep_marks_only_commitments_past_due(self, lane: Lane) -> None:
        due, later, met = lane.promise(NOON), lane.promise(NOON + MOMENT), lane.promise(NOON)
        reach(met, NOON)
        assert sweep_overdue(now=NOON + MOMENT) == (1, 1, False)
        assert [outcome(parcel_id) for parcel_id in (due, later, met)] == ["overdue", "pending", "met"]
        breach = Breach.objects.get()
        assert (breach.parcel_id, breach.due_at, breach.opened_at) == (due, NOON, NOON + MOMENT)
        assert_books_agree()

    def test_commitment_is_not_overdue_at_its_due_time(self, lane: Lane) -> None:
        lane.promise(NOON)
        assert sweep_overdue(now=NOON).overdue == 0

    def test_second_sweep_finds_no_commitments(self, lane: Lane) -> None:
        lane.promise()
        sweep_overdue(now=NOON + HOUR)
        tallies = Tally.objects.count()
        assert sweep_overdue(now=NOON + DAY) == (0, 0, False)
        assert Tally.objects.count() == tallies

    def test_sweep_works_in_slices_oldest_first(self, lane: Lane) -> None:
        lane = lane.of_one_home()
        parcels = [lane.promise(NOON - hours * HOUR) for hours in range(5)]
        assert sweep_overdue(now=NOON + HOUR, limit=2) == (5, 3, False)
        assert {outcome(parcel_id) for parcel_id in parcels} == {"overdue"}
        opened = (
            Event.objects.filter(topic="commitment.overdue")
            .order_by("pk")
            .values_list("parcel_id", flat=True)
        )
        assert set(opened[:2]) == set(parcels[-2:])
        assert_books_agree()

    def test_sweep_sends_events_to_both_parties(self, lane: Lane) -> None:
        parcel_id = lane.promise(NOON, PICKUP)
        sweep_overdue(now=NOON + HOUR)
        event = Event.objects.get()
        assert (event.topic, event.parcel_id) == ("commitment.overdue", parcel_id)
        assert (event.merchant_id, event.courier_id) == (lane.merchant.pk, lane.courier.pk)
        assert event.payload["kind"] == "pickup"

    def test_overdue_becomes_late_under_the_same_breach(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        sweep_overdue(now=NOON + HOUR)
        assert reach(parcel_id, NOON + 2 * HOUR, now=NOON + DAY) == (1, 0, 0)
        assert outcome(parcel_id) == "late"
        assert Breach.objects.get().opened_at == NOON + HOUR
        assert_books_agree()

    def test_punctual_scan_after_the_sweep_withdraws(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        sweep_overdue(now=NOON + HOUR)
        assert reach(parcel_id, NOON - HOUR) == (1, 0, 1)
        assert standing_breaches() == set()
        assert_books_agree()

    def test_sweep_reopens_a_withdrawn_breach(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        reach(parcel_id, NOON + MOMENT, now=NOON - HOUR)
        reach(parcel_id, None, exact=True, now=NOON - HOUR)
        assert outcome(parcel_id) == "pending"
        sweep_overdue(now=NOON + HOUR)
        assert standing_breaches() == {(parcel_id, "delivery")}
        assert_books_agree()

    @pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
    def test_takes_the_same_way_whatever_the_statistics_say(self, lane: Lane) -> None:
        """Just after a sweep the statistics have no rows past due: the index of pending commitments looks
        free."""
        for _ in range(50):
            reach(lane.promise(), NOON)
        execute_as_owner("ANALYZE slas_commitment")
        lane.promise()
        with plans_of("slas_commitment") as plans:
            assert sweep_overdue(now=NOON + HOUR).overdue == 1
        # Whether there is anything at all, and what.
        [is_any] = plans
        for plan in (is_any, plan_inside(SWEEP, 0, NOON + HOUR, 100, 0, 2)):
            assert "due_at_idx" in plan
            assert "Scan on slas_commitment_y" not in plan.replace("Index Scan", "")
            assert "Gather" not in plan

    def test_excused_commitment_counts_as_excused_when_overdue_again(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        reach(parcel_id, NOON + MOMENT, now=NOON - HOUR)
        excuse_commitments(keys=[(parcel_id, DELIVERY)], reason="weather", now=NOON - HOUR)
        reach(parcel_id, None, exact=True, now=NOON - HOUR)
        assert outcome(parcel_id) == "pending"
        sweep_overdue(now=NOON + HOUR)
        fold_tallies()
        assert counts(lane.courier) == {"overdue": 1, "excused": 1}
        marks = HistogramBin.objects.filter(organisation=lane.courier, measure=Measure.EXCUSED)
        assert sum(marks.values_list("count", flat=True)) == 1
        assert_books_agree()

    def test_task_sweeps_and_notes_when(self, lane: Lane) -> None:
        lane.promise(NOON - 2 * DAY)
        assert tasks.sweep_overdue() == 1
        assert Heartbeat.objects.get(name="sweep-overdue").detail == {"overdue": 1}


@pytest.mark.django_db(transaction=True)
class TestSweepAmongOthers:
    @pytest.fixture
    def parcels(self, lane: Lane) -> list[int]:
        with scope(Scope.everything()):
            return [lane.promise(NOON) for _ in range(6)]

    def test_killed_in_the_middle_keeps_whole_slices(
        self, lane: Lane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lane = lane.of_one_home()
        with scope(Scope.everything()):
            parcels = [lane.promise(NOON) for _ in range(6)]
        # One share, where all are: others would be empty.
        monkeypatch.setattr(work_shares, "all_shares", lambda: [work_shares.Share(parcels[0], 0, 1)])

        def fail_at_third_slice(execute, sql, *args):  # noqa: ANN001, ANN202
            if SWEEP.name in sql:
                fail_at_third_slice.slices += 1
                if fail_at_third_slice.slices == 3:
                    raise DatabaseError("killed")
            return execute(sql, *args)

        fail_at_third_slice.slices = 0
        with pytest.raises(DatabaseError, match="killed"), connection.execute_wrapper(fail_at_third_slice):
            sweep_overdue(now=NOON + HOUR, limit=2)
        with scope(Scope.everything()):
            assert Commitment.objects.overdue().count() == 4
            assert_books_agree()
        assert sweep_overdue(now=NOON + HOUR, limit=2).overdue == 2

    def test_concurrent_sweeps_do_not_interfere(self, parcels: list[int]) -> None:
        result = []

        def second() -> None:
            result.append(sweep_overdue(now=NOON + HOUR))
            connection.close()

        with transaction.atomic():
            assert sweep_overdue(now=NOON + HOUR, limit=2).overdue == 6
            other = threading.Thread(target=second)
            other.start()
            other.join()
        assert result == [(0, 0, True)]

    def test_scan_that_waited_for_the_sweep_withdraws_its_breach(self, parcels: list[int]) -> None:
        """The scan's statement began before the breach existed, and must find it all the same."""
        waiting = threading.Thread(target=self._settle, args=(parcels, NOON - HOUR))
        with transaction.atomic():
            sweep_overdue(now=NOON + HOUR)
            waiting.start()
            self._wait_until_somebody_waits()
        waiting.join()
        with scope(Scope.everything()):
            assert Breach.objects.count() == 6
            assert standing_breaches() == set()
            assert_books_agree()

    def test_sweep_that_waited_for_a_scan_keeps_its_outcome(self, parcels: list[int]) -> None:
        result = []

        def sweep() -> None:
            result.append(sweep_overdue(now=NOON + HOUR).overdue)
            connection.close()

        waiting = threading.Thread(target=sweep)
        with scope(Scope.everything()):
            self._settle_here(parcels[:4], NOON - HOUR)
            waiting.start()
            self._wait_until_somebody_waits()
        waiting.join()
        assert result == [2]
        with scope(Scope.everything()):
            assert Breach.objects.count() == 2
            assert_books_agree()

    def test_scans_in_opposite_orders_and_a_sweep_do_not_deadlock(self, parcels: list[int]) -> None:
        errors = []

        def run(work: object) -> None:
            try:
                work()
            except DatabaseError as error:
                errors.append(error)
            finally:
                connection.close()

        jobs = [
            lambda: self._settle_here(parcels, NOON - HOUR),
            lambda: self._settle_here(parcels[::-1], NOON - 2 * HOUR),
            lambda: sweep_overdue(now=NOON + HOUR, limit=3),
        ] * 3
        threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with scope(Scope.everything()):
            assert standing_breaches() == set()
            assert_books_agree()

    def _settle(self, parcels: list[int], at: object) -> None:
        self._settle_here(parcels, at)
        connection.close()

    def _settle_here(self, parcels: list[int], at: object) -> None:
        with scope(Scope.everything()):
            settle([Milestone(parcel_id, DELIVERY, at) for parcel_id in parcels], now=NOON + DAY)

    def _wait_until_somebody_waits(self) -> None:
        for _attempt in range(200):
            if is_somebody_waiting():
                return
            time.sleep(0.02)
        raise AssertionError("nobody waits")
