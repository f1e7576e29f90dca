"""Settling commitments: in any order and any number of times, the earliest valid milestone counts."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance.models import Event
from alliance.tenancy import Scope, scope
from slas.commitments.rules import judge
from slas.commitments.services.settling import Milestone, open_commitments, settle, void_commitments
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Breach, Commitment, Tally
from tests.helpers.profiles import scaled
from tests.slas.helpers.commitments import (
    DAY,
    DELIVERY,
    HOUR,
    NOON,
    PICKUP,
    Lane,
    assert_books_agree,
    outcome,
    reach,
    standing_breaches,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everything")]
MOMENT = timedelta(microseconds=1)


def test_open_counts_new_commitments_once(lane: Lane) -> None:
    drafts = [lane.draft(), lane.draft(kind=PICKUP)]
    assert open_commitments(drafts) == 2
    assert open_commitments([*drafts, lane.draft()]) == 1
    assert Commitment.objects.count() == 3
    assert sum(Tally.objects.values_list("pending", flat=True)) == 3
    assert_books_agree()


def test_open_without_drafts_runs_no_query(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):
        assert open_commitments([]) == 0


def test_due_date_is_the_local_date_where_it_falls_due(lane: Lane) -> None:
    half_past_nine_in_the_evening_utc = NOON.replace(hour=21, minute=30)
    draft = lane.draft(half_past_nine_in_the_evening_utc)
    assert draft.due_date == NOON.date() + DAY
    assert lane.draft(NOON.replace(hour=15)).due_date == NOON.date()


@pytest.mark.parametrize(
    ("reached", "expected"),
    [(-HOUR, "met"), (timedelta(), "met"), (MOMENT, "late"), (HOUR, "late")],
)
def test_settle_compares_with_the_due_time(lane: Lane, reached: timedelta, expected: str) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON + reached)
    assert outcome(parcel_id) == expected
    assert standing_breaches() == ({(parcel_id, "delivery")} if expected == "late" else set())
    assert_books_agree()


def test_settle_is_not_changed_by_replays_and_later_milestones(lane: Lane) -> None:
    parcel_id = lane.promise()
    assert reach(parcel_id, NOON) == (1, 0, 0)
    assert reach(parcel_id, NOON) == (0, 0, 0)
    assert reach(parcel_id, NOON + HOUR) == (0, 0, 0)
    assert outcome(parcel_id) == "met"
    assert Tally.objects.count() == 2


def test_punctual_scan_that_arrives_late_withdraws_the_breach(lane: Lane) -> None:
    parcel_id = lane.promise()
    assert reach(parcel_id, NOON + HOUR) == (1, 1, 0)
    assert reach(parcel_id, NOON - HOUR, now=NOON + DAY) == (1, 0, 1)
    assert outcome(parcel_id) == "met"
    breach = Breach.objects.get(parcel_id=parcel_id)
    assert (breach.opened_at, breach.withdrawn_at) == (NOON + HOUR, NOON + DAY)
    assert_books_agree()


def test_correction_reopens_the_breach_as_a_new_one(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON + HOUR)
    reach(parcel_id, NOON - HOUR)
    assert reach(parcel_id, NOON + 2 * HOUR, exact=True, now=NOON + DAY) == (1, 1, 0)
    breach = Breach.objects.get(parcel_id=parcel_id)
    assert (breach.opened_at, breach.withdrawn_at) == (NOON + DAY, None)
    assert_books_agree()


@pytest.mark.parametrize(
    ("now", "expected"), [(NOON - HOUR, "pending"), (NOON, "pending"), (NOON + MOMENT, "overdue")]
)
def test_correction_without_remaining_scan_is_judged_by_the_clock(
    lane: Lane, now: object, expected: str
) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON - 2 * HOUR)
    reach(parcel_id, None, exact=True, now=now)
    assert outcome(parcel_id) == expected
    assert_books_agree()


def test_null_that_is_not_exact_is_ignored(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON)
    assert reach(parcel_id, None) == (0, 0, 0)
    assert outcome(parcel_id) == "met"


def test_overdue_stays_overdue_for_a_clock_that_is_behind(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON + HOUR)
    reach(parcel_id, None, exact=True, now=NOON + HOUR)
    assert outcome(parcel_id) == "overdue"
    reach(parcel_id, NOON + DAY, now=NOON - HOUR)
    assert outcome(parcel_id) == "late"


def test_duplicates_in_one_batch_are_merged_and_exact_ones_win(lane: Lane) -> None:
    twice, corrected = lane.promise(), lane.promise()
    milestones = [
        Milestone(twice, DELIVERY, NOON + HOUR),
        Milestone(twice, DELIVERY, NOON - HOUR),
        Milestone(corrected, DELIVERY, NOON - HOUR),
        Milestone(corrected, DELIVERY, NOON + HOUR, exact=True),
        Milestone(1, DELIVERY, NOON),
    ]
    assert settle(milestones, now=NOON + DAY) == (2, 1, 0)
    assert (outcome(twice), outcome(corrected)) == ("met", "late")
    assert_books_agree()


def test_tallies_of_one_batch_are_grouped(lane: Lane) -> None:
    lane = lane.of_one_home()
    parcels = [lane.promise() for _ in range(5)]
    before = Tally.objects.count()
    settle([Milestone(parcel_id, DELIVERY, NOON) for parcel_id in parcels], now=NOON)
    [tally] = Tally.objects.order_by("pk")[before:]
    assert (tally.pending, tally.met, tally.late) == (-5, 5, 0)


def test_breaches_are_sent_to_both_parties(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON + HOUR)
    reach(parcel_id, NOON)
    opened, withdrawn = Event.objects.order_by("pk")
    assert (opened.topic, withdrawn.topic) == ("commitment.late", "breach.withdrawn")
    assert opened.parcel_id == parcel_id
    assert opened.merchant_id == lane.merchant.pk
    assert opened.courier_id == lane.courier.pk
    assert opened.payload["kind"] == "delivery"


def test_met_on_time_sends_no_event(lane: Lane) -> None:
    reach(lane.promise(), NOON)
    assert not Event.objects.exists()


def test_void_calls_off_delivery_and_pickup_not_yet_due(lane: Lane) -> None:
    draft = lane.draft(NOON + DAY)
    open_commitments([draft, lane.draft(NOON, PICKUP, parcel_id=draft.parcel_id)])
    assert void_commitments(parcel_ids=[draft.parcel_id], at=NOON) == (2, 0, 0)
    assert (outcome(draft.parcel_id), outcome(draft.parcel_id, PICKUP)) == ("void", "void")
    assert void_commitments(parcel_ids=[draft.parcel_id], at=NOON) == (0, 0, 0)
    assert_books_agree()


def test_void_does_not_clear_a_missed_pickup(lane: Lane) -> None:
    draft = lane.draft(NOON + DAY)
    open_commitments([draft, lane.draft(NOON, PICKUP, parcel_id=draft.parcel_id)])
    void_commitments(parcel_ids=[draft.parcel_id], at=NOON + MOMENT)
    assert (outcome(draft.parcel_id), outcome(draft.parcel_id, PICKUP)) == ("void", "pending")


def test_void_withdraws_a_breach_and_stays_void(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON)
    reach(parcel_id, None, exact=True)
    assert void_commitments(parcel_ids=[parcel_id], at=NOON + DAY) == (1, 0, 1)
    assert reach(parcel_id, NOON - HOUR) == (0, 0, 0)
    assert outcome(parcel_id) == "void"
    assert_books_agree()


def test_void_keeps_reached_commitments(lane: Lane) -> None:
    parcel_id = lane.promise()
    reach(parcel_id, NOON)
    assert void_commitments(parcel_ids=[parcel_id], at=NOON) == (0, 0, 0)
    assert outcome(parcel_id) == "met"


def test_settle_in_a_couriers_scope_touches_its_own_only(lane: Lane, rival_courier: object) -> None:
    mine, other = lane.promise(), lane.promise(courier_id=rival_courier.pk)
    with scope(Scope.courier(lane.courier.pk)):
        counted = settle(
            [Milestone(mine, DELIVERY, NOON + HOUR), Milestone(other, DELIVERY, NOON)], now=NOON + DAY
        )
    assert counted == (1, 1, 0)
    assert (outcome(mine), outcome(other)) == ("late", "pending")


def test_database_refuses_an_outcome_that_contradicts_the_times(lane: Lane) -> None:
    parcel_id = lane.promise()
    commitments = Commitment.objects.filter(parcel_id=parcel_id)
    for fields in (
        {"outcome": "met"},
        {"outcome": "met", "reached_at": NOON + HOUR},
        {"outcome": "late", "reached_at": NOON},
        {"outcome": "pending", "reached_at": NOON},
    ):
        with pytest.raises(IntegrityError, match="commitment_outcome_follows_times"), transaction.atomic():
            commitments.update(**fields)


MOMENTS = st.integers(-3, 3).map(lambda steps: NOON + steps * MOMENT)


@settings(
    max_examples=scaled(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    cases=st.lists(
        st.tuples(st.lists(MOMENTS, max_size=3), st.none() | st.none() | MOMENTS, st.booleans()),
        min_size=1,
        max_size=8,
    ),
    settled_at=MOMENTS,
    judged_at=MOMENTS,
)
def test_database_and_pure_rule_judge_alike(
    lane: Lane,
    cases: list[tuple[list[datetime], datetime | None, bool]],
    settled_at: datetime,
    judged_at: datetime,
) -> None:
    """Around the due time, by the microsecond: plain milestones, then a correction to exactly something."""
    now = max(settled_at, judged_at)
    expected = {}
    for scans, corrected, is_corrected in cases:
        parcel_id = lane.promise()
        settle([Milestone(parcel_id, DELIVERY, at) for at in scans], now=settled_at)
        reached = min(scans, default=None)
        assert outcome(parcel_id) == judge(NOON, reached, settled_at if scans else NOON, False)
        if is_corrected:
            reached = corrected
            settle([Milestone(parcel_id, DELIVERY, corrected, exact=True)], now=settled_at)
        expected[parcel_id] = judge(NOON, reached, now, False)
    sweep_overdue(now=now)
    assert {parcel_id: outcome(parcel_id) for parcel_id in expected} == expected
