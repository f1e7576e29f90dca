"""The fold: every tally counts exactly once, in both grains."""

from dataclasses import replace

import pytest
from django.db import connection, transaction

from alliance.database.cluster import is_distributed
from alliance.homes import ALL_HOMES, draw_parcel_ids
from alliance.locks import Lock
from alliance.models import Heartbeat
from alliance.tenancy import Scope, scope
from slas import tasks
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.folding import fold_progress
from slas.models import OnTimeRate, ProgressTally, Tally
from slas.rates.services import folding
from slas.rates.services.folding import fold_tallies
from tests import factories
from tests.helpers.owner import execute_as_owner
from tests.helpers.plans import plans_of
from tests.slas.helpers.commitments import DAY, HOUR, NOON, PICKUP, Lane, assert_books_agree, counts, reach
from tests.slas.helpers.offers import in_threads
from tests.slas.helpers.recount import expected, folded


@pytest.fixture(params=["in one statement", "in two, as on a cluster"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold both ways on one server; a cluster knows one only."""
    if not is_distributed():
        monkeypatch.setattr(folding, "is_distributed", lambda: "cluster" in request.param)


@pytest.mark.django_db
@pytest.mark.usefixtures("everything", "each_way")
class TestFold:
    def test_adds_up_in_the_couriers_and_the_merchants_cells(self, lane: Lane) -> None:
        reach(lane.promise(), NOON)
        reach(lane.promise(), NOON + HOUR)
        lane.promise()
        sweep_overdue(now=NOON + DAY)
        assert fold_tallies().tallies > 0
        assert counts(lane.courier) == {"met": 1, "late": 1, "overdue": 1}
        assert counts(lane.merchant) == counts(lane.courier)
        assert not Tally.objects.exists()
        assert_books_agree()

    def test_keeps_lanes_for_both_sides_and_couriers_for_merchants(
        self, lane: Lane, rival_courier: object
    ) -> None:
        lane.promise()
        lane.promise(destination_id=lane.origin.pk)
        lane.promise(courier_id=rival_courier.pk)
        fold_tallies()
        own = OnTimeRate.objects.filter(organisation=lane.courier)
        assert set(own.values_list("origin", "destination", "counterpart")) == {
            (lane.origin.pk, lane.destination.pk, None),
            (lane.origin.pk, lane.origin.pk, None),
        }
        cells = OnTimeRate.objects.filter(organisation=lane.merchant)
        assert set(cells.values_list("counterpart", "origin", "destination", "pending")) == {
            (lane.courier.pk, lane.origin.pk, lane.destination.pk, 1),
            (lane.courier.pk, lane.origin.pk, lane.origin.pk, 1),
            (rival_courier.pk, lane.origin.pk, lane.destination.pk, 1),
        }

    def test_cells_are_apart_by_due_date_and_kind(self, lane: Lane) -> None:
        lane.promise(NOON)
        lane.promise(NOON + DAY)
        lane.promise(NOON, PICKUP)
        fold_tallies()
        cells = OnTimeRate.objects.filter(organisation=lane.courier).values_list(
            "due_date", "kind", "pending"
        )
        assert set(cells) == {
            (NOON.date(), "delivery", 1),
            (NOON.date() + DAY, "delivery", 1),
            (NOON.date(), "pickup", 1),
        }

    def test_later_tallies_land_in_the_same_cells(self, lane: Lane) -> None:
        parcel_id = lane.promise()
        fold_tallies()
        reach(parcel_id, NOON)
        fold_tallies()
        assert OnTimeRate.objects.count() == 2
        assert counts(lane.courier) == {"met": 1}

    def test_fold_continues_until_queue_is_empty_or_time_is_up(self, lane: Lane) -> None:
        # One share has them all: that of the courier, or that of the home.
        for parcel_id in draw_parcel_ids(NOON, 5, homes=[7]):
            lane.promise(parcel_id=parcel_id)
        assert fold_tallies(limit=2, budget=0) == (2, 1, False)
        assert fold_tallies(limit=2) == (3, 2, False)
        assert fold_tallies(limit=2) == (0, 0, False)

    def test_histograms_of_lateness_and_progress_are_those_of_the_commitments(self, lane: Lane) -> None:
        for _time in range(2):
            reach(lane.promise(NOON, ready_at=NOON - 20 * HOUR), NOON + HOUR)
            reach(lane.promise(NOON, ready_at=NOON - 9 * HOUR), NOON - HOUR)
            fold_tallies()
            fold_progress()
        assert folded() == expected()
        assert not ProgressTally.objects.exists()

    def test_task_folds_and_notes_when(self, lane: Lane) -> None:
        lane.promise()
        assert tasks.fold_tallies() == 1
        assert Heartbeat.objects.get(name="fold-tallies").detail == {"tallies": 1}


@pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
@pytest.mark.django_db
@pytest.mark.usefixtures("everything")
def test_fold_finds_its_share_by_the_key_whatever_the_statistics_say(lane: Lane) -> None:
    """A queue is mostly empty: the planner's statistics are always wrong."""
    execute_as_owner("ANALYZE slas_tally")
    for _ in range(50):
        lane.promise()
    with plans_of("DELETE FROM slas_tally") as plans:
        assert fold_tallies().tallies == 50
    assert len(plans) == 2
    for plan in plans:
        assert plan.count("Index Scan using slas_tally_pkey") == 2
        assert "Seq Scan" not in plan


@pytest.mark.django_db(transaction=True)
def test_fold_killed_before_commit_neither_loses_nor_doubles_tallies(lane: Lane) -> None:
    with scope(Scope.everything()):
        lane.promise()
    with transaction.atomic():
        assert fold_tallies().tallies == 1
        transaction.set_rollback(True)
    with scope(Scope.everything()):
        assert Tally.objects.count() == 1
        assert_books_agree()
    fold_tallies()
    with scope(Scope.everything()):
        assert counts(lane.courier) == {"pending": 1}
        assert_books_agree()


@pytest.mark.django_db(transaction=True)
def test_folds_side_by_side_take_different_couriers(lane: Lane) -> None:
    couriers = [lane.courier]
    while len({courier.pk % 2 for courier in couriers}) < 2:
        couriers.append(factories.courier_organisation(name=f"Courier {len(couriers)}"))
    ours, theirs = couriers[0], couriers[-1]
    # In the first home and the last: on a cluster shares are shards.
    lanes = [
        replace(lane, courier=ours, homes=ALL_HOMES[:1]),
        replace(lane, courier=theirs, homes=ALL_HOMES[-1:]),
    ]
    held = 0 if is_distributed() else ours.pk % 2
    with scope(Scope.everything()):
        for each in lanes:
            each.promise()
    with transaction.atomic(), connection.cursor() as cursor:
        # Another fold holds this share.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [Lock.FOLD_TALLIES.value, held])
        assert in_threads(lambda _number: fold_tallies(), 1) == [(1, 1, False)]
    with scope(Scope.everything()):
        assert counts(theirs) == {"pending": 1}
        assert counts(ours) == {}
        assert_books_agree()
    assert fold_tallies() == (1, 1, False)
    with scope(Scope.everything()):
        assert counts(ours) == {"pending": 1}
        assert_books_agree()


@pytest.mark.django_db
@pytest.mark.usefixtures("everything")
def test_oldest_are_folded_first_so_that_no_count_falls_below_zero_in_between(lane: Lane) -> None:
    # The parcel that tallies name says nothing about their order.
    later, earlier = sorted((lane.promise(), lane.promise()), reverse=True)
    for parcel_id in (later, earlier):
        reach(parcel_id, NOON)
    assert sorted(Tally.objects.values_list("pending", flat=True)) == [-1, -1, 1, 1]
    assert set(Tally.objects.values_list("parcel_id", flat=True)) == {later, earlier}
    seen = []
    while fold_tallies(limit=1, budget=0).tallies:
        seen.append(counts(lane.courier))
    # On a cluster each fold takes one of every shard.
    assert all(count > 0 for cell in seen for count in cell.values()), seen
    assert seen[-1] == {"met": 2}
