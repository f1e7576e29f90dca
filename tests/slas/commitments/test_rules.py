"""Outcomes: judged from facts, changed only as the table allows, counted once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slas.choices import CommitmentKind, Outcome
from slas.commitments.rules import (
    TRANSITIONS,
    accountable_rate,
    can_become,
    is_breach,
    judge,
    raw_rate,
    voided_by_cancellation,
)

DUE = datetime(2026, 3, 3, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
BEFORE, AFTER = DUE - MOMENT, DUE + MOMENT
# How far ahead of our clock a scan may be, see the scan service.
TOLERANCE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("reached_at", "now", "voided", "outcome"),
    [
        (None, BEFORE, False, Outcome.PENDING),
        (None, DUE, False, Outcome.PENDING),
        (None, AFTER, False, Outcome.OVERDUE),
        (BEFORE, BEFORE, False, Outcome.MET),
        (BEFORE, AFTER, False, Outcome.MET),
        (DUE, AFTER, False, Outcome.MET),
        (AFTER, AFTER, False, Outcome.LATE),
        (AFTER, BEFORE, False, Outcome.LATE),
        (None, BEFORE, True, Outcome.VOID),
        (None, AFTER, True, Outcome.VOID),
        (AFTER, AFTER, True, Outcome.VOID),
    ],
)
def test_judge(reached_at, now, voided, outcome):
    assert judge(DUE, reached_at, now, voided) == outcome


@pytest.mark.parametrize(
    ("kind", "cancelled_at", "voided"),
    [
        (CommitmentKind.DELIVERY, BEFORE, True),
        (CommitmentKind.DELIVERY, AFTER, True),
        (CommitmentKind.PICKUP, BEFORE, True),
        (CommitmentKind.PICKUP, DUE, True),
        (CommitmentKind.PICKUP, AFTER, False),
    ],
)
def test_cancelling_lifts_all_but_a_pickup_that_had_fallen_due(kind, cancelled_at, voided):
    assert voided_by_cancellation(kind, DUE, cancelled_at) is voided


@pytest.mark.parametrize("outcome", Outcome)
def test_only_overdue_and_late_are_breaches(outcome):
    assert is_breach(outcome) == (outcome in {Outcome.OVERDUE, Outcome.LATE})


def test_table_names_each_change_once_and_no_change_never():
    changes = Counter((transition.before, transition.after) for transition in TRANSITIONS)
    assert set(changes.values()) == {1}
    assert all(before != after for before, after in changes)
    assert all(str(transition.cause) for transition in TRANSITIONS)


def test_void_is_final_and_overdue_never_becomes_pending():
    assert not any(can_become(Outcome.VOID, after) for after in Outcome if after != Outcome.VOID)
    assert not can_become(Outcome.OVERDUE, Outcome.PENDING)
    assert can_become(Outcome.VOID, Outcome.VOID)


# Facts come and go in any order, time only passes: a scan of some moment is heard of or withdrawn,
# the clock advances, and once nothing has been reached the parcel may be cancelled.
facts = st.lists(
    st.one_of(
        st.tuples(st.just("scan"), st.integers(-600, 600)),
        st.tuples(st.just("withdraw"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 400)),
        st.tuples(st.just("cancel"), st.just(0)),
    ),
    max_size=20,
)


def outcomes_of(history, kind=CommitmentKind.DELIVERY):
    """The outcome after each fact, judged from all facts so far."""
    now, scans, voided = DUE - timedelta(minutes=600), [], False
    outcomes = [Outcome.PENDING]
    for fact, number in history:
        if fact == "wait":
            now += timedelta(minutes=number)
        elif fact == "scan" and not voided:
            scans.append(min(DUE + timedelta(minutes=number), now + TOLERANCE))
        elif fact == "withdraw" and number < len(scans):
            scans.pop(number)
        elif fact == "cancel" and not scans:
            voided = voided or voided_by_cancellation(kind, DUE, now)
        outcomes.append(judge(DUE, min(scans, default=None), now, voided))
    return outcomes


@given(facts, st.sampled_from(CommitmentKind))
def test_whatever_happens_is_in_the_table(history, kind):
    for before, after in pairwise(outcomes_of(history, kind)):
        assert can_become(before, after), (before, after)


# One history for each line of the table: minutes are from the due time, waits from ten hours before it.
HISTORIES = {
    (Outcome.PENDING, Outcome.MET): [("wait", 300), ("scan", -400)],
    (Outcome.PENDING, Outcome.LATE): [("wait", 598), ("scan", 1)],
    (Outcome.PENDING, Outcome.OVERDUE): [("wait", 601)],
    (Outcome.PENDING, Outcome.VOID): [("cancel", 0)],
    (Outcome.OVERDUE, Outcome.LATE): [("wait", 601), ("scan", 1)],
    (Outcome.OVERDUE, Outcome.MET): [("wait", 601), ("scan", -1)],
    (Outcome.OVERDUE, Outcome.VOID): [("wait", 601), ("cancel", 0)],
    (Outcome.MET, Outcome.LATE): [("wait", 700), ("scan", -1), ("scan", 5), ("withdraw", 0)],
    (Outcome.MET, Outcome.OVERDUE): [("wait", 700), ("scan", -1), ("withdraw", 0)],
    (Outcome.MET, Outcome.PENDING): [("wait", 300), ("scan", -400), ("withdraw", 0)],
    (Outcome.LATE, Outcome.MET): [("wait", 700), ("scan", 5), ("scan", -1)],
    (Outcome.LATE, Outcome.OVERDUE): [("wait", 700), ("scan", 5), ("withdraw", 0)],
    (Outcome.LATE, Outcome.PENDING): [("wait", 598), ("scan", 1), ("withdraw", 0)],
}


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda transition: "-".join(transition[:2]))
def test_each_change_in_the_table_can_happen(transition):
    change = transition.before, transition.after
    assert tuple(outcomes_of(HISTORIES[change])[-2:]) == change


def test_rates_count_everything_due():
    # The real file: 1,818 met, 128 late, 45 overdue.
    assert raw_rate(1818, 128, 45) == pytest.approx(0.9131, abs=5e-5)
    assert accountable_rate(1818, 128, 45, 0) == raw_rate(1818, 128, 45)


def test_accountable_rate_leaves_out_excused_breaches():
    assert accountable_rate(met=90, late=8, overdue=2, excused=5) == 90 / 95


def test_rates_without_commitments_are_none():
    assert raw_rate(0, 0, 0) is None
    assert accountable_rate(0, 3, 0, 3) is None
    assert raw_rate(0, 1, 0) == 0
