"""The ledger: changes of a delivery become entries, each difference once."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from alliance.database.cluster import shard_keys
from alliance.models import Event
from alliance.tenancy import Scope, raw_rows, scope
from slas.commitments.services.settling import excuse_commitments, mark_lost, revise_due, void_commitments
from slas.credits.audit import audit_credits
from slas.credits.months import month_of, next_month
from slas.credits.services import entries
from slas.credits.services.entries import check_grown_credits, open_month, work_out_credits
from slas.models import ClosedMonth, Commitment, CreditCheck, CreditEntry, CreditSchedule
from tests.slas.helpers.commitments import DAY, DELIVERY, HOUR, NOON, PICKUP, Lane
from tests.slas.helpers.credit_cases import (
    FEE,
    assert_ledger_agrees,
    check,
    credited,
    deliver,
    ledger,
    send,
    take_back,
    work,
)

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _everything(everything: None) -> None:
    """Workers see everything."""


def excuse(parcel_id: int, reason: str | None = "weather") -> int:
    return excuse_commitments(keys=[(parcel_id, DELIVERY)], reason=reason, now=NOON + HOUR)


# --- what is written ---------------------------------------------------------------------------


def test_late_is_credited_once(lane: Lane) -> None:
    parcel = send(lane)
    deliver(parcel, NOON + 25 * HOUR)
    work(NOON + 26 * HOUR)
    assert ledger() == [(500, "late")]
    [entry] = CreditEntry.objects.all()
    assert (entry.merchant_id, entry.courier_id, entry.tier_id) == (
        lane.merchant.pk,
        lane.courier.pk,
        lane.tier.pk,
    )
    assert (entry.late_by, entry.due_at, entry.reached_at) == (25 * 3600, NOON, NOON + 25 * HOUR)
    assert (entry.kind, entry.at, entry.month) == (DELIVERY, NOON + 26 * HOUR, month_of(NOON + 26 * HOUR))
    assert entry.schedule == CreditSchedule.objects.get(tier=lane.tier, number=1)
    assert_ledger_agrees(NOON + 26 * HOUR)


def test_on_time_is_not_credited(lane: Lane) -> None:
    parcel = send(lane)
    deliver(parcel, NOON)
    work()
    assert ledger() == []


def test_overdue_credit_grows_by_band_and_ends_at_the_lateness(lane: Lane) -> None:
    parcel = send(lane)
    for late_by in (MINUTE, 5 * HOUR, DAY, DAY + HOUR, 3 * DAY):
        work(NOON + late_by)
    assert ledger() == [(200, "overdue"), (300, "overdue"), (500, "overdue")]
    deliver(parcel, NOON + 25 * HOUR, now=NOON + 4 * DAY)
    work(NOON + 4 * DAY)
    assert ledger()[3:] == [(-500, "late")]
    assert credited(parcel) == 500
    assert_ledger_agrees(NOON + 4 * DAY)


def test_a_punctual_scan_that_arrives_late_reverses(lane: Lane) -> None:
    parcel = send(lane)
    work(NOON + HOUR)
    deliver(parcel, NOON - HOUR, now=NOON + 2 * HOUR)
    work(NOON + 2 * HOUR)
    assert ledger() == [(200, "overdue"), (-200, "withdrawn")]
    take_back(parcel, now=NOON + 3 * HOUR)
    work(NOON + 3 * HOUR)
    assert ledger()[2:] == [(200, "overdue")]


def test_an_excuse_reverses_and_lifting_it_credits_again(lane: Lane) -> None:
    parcel = send(lane)
    work(NOON + HOUR)
    assert excuse(parcel) == 1
    work(NOON + HOUR)
    assert ledger() == [(200, "overdue"), (-200, "excused")]
    work(NOON + 2 * DAY)
    assert len(ledger()) == 2
    assert excuse(parcel, None) == 1
    work(NOON + 2 * DAY)
    assert ledger()[2:] == [(500, "overdue")]


def test_a_lost_parcel_is_paid_instead(lane: Lane) -> None:
    parcel = send(lane)
    work(NOON + HOUR)
    mark_lost(lost={parcel: NOON + HOUR}, now=NOON + HOUR)
    work(NOON + HOUR)
    assert ledger() == [(200, "overdue"), (19_800, "lost")]
    work(NOON + 10 * DAY)
    assert credited(parcel) == 20_000
    deliver(parcel, NOON + 9 * DAY, now=NOON + 11 * DAY)
    work(NOON + 11 * DAY)
    assert ledger()[2:] == [(-19_000, "found")]
    assert credited(parcel) == FEE


def test_a_lost_parcel_is_paid_its_declared_value_until_it_is_found(lane: Lane) -> None:
    parcel = send(lane, declared_value_fen=150_000)
    mark_lost(lost={parcel: NOON + HOUR}, now=NOON + HOUR)
    work()
    assert ledger() == [(150_000, "lost")]
    assert_ledger_agrees(NOON + HOUR)
    mark_lost(lost={parcel: None}, now=NOON + HOUR)
    work()
    # Overdue it is all the same.
    assert ledger()[1:] == [(-149_800, "found")]
    assert_ledger_agrees(NOON + HOUR)


def test_a_parcel_lost_after_a_punctual_attempt_is_paid(lane: Lane) -> None:
    parcel = send(lane)
    deliver_attempt = NOON - HOUR
    Commitment.objects.filter(parcel_id=parcel).update(
        outcome="met", reached_at=deliver_attempt, attempted_at=deliver_attempt
    )
    mark_lost(lost={parcel: NOON + HOUR}, now=NOON + HOUR)
    work()
    mark_lost(lost={parcel: None}, now=NOON + HOUR)
    work()
    assert ledger() == [(20_000, "lost"), (-20_000, "found")]


@pytest.mark.parametrize(("reason", "stays"), [("weather", 20_000), ("force_majeure", 0)])
def test_only_force_majeure_excuses_a_loss(lane: Lane, reason: str, stays: int) -> None:
    parcel = send(lane)
    work(NOON + HOUR)
    mark_lost(lost={parcel: NOON + HOUR}, now=NOON + HOUR)
    work()
    excuse(parcel, reason)
    work()
    assert credited(parcel) == stays
    assert_ledger_agrees(NOON + HOUR)


def test_cancelling_reverses(lane: Lane) -> None:
    parcel = send(lane)
    work(NOON + HOUR)
    void_commitments(parcel_ids=[parcel], at=NOON + HOUR)
    work(NOON + HOUR)
    assert ledger() == [(200, "overdue"), (-200, "withdrawn")]


def test_lateness_counts_from_the_day_the_recipient_requested(lane: Lane) -> None:
    parcel = send(lane)
    revise_due(parcel_id=parcel, kind=DELIVERY, due_at=NOON + DAY, judged=True, now=NOON - HOUR)
    work(NOON + HOUR)
    assert ledger() == []
    deliver(parcel, NOON + DAY + HOUR)
    work(NOON + 2 * DAY)
    assert ledger() == [(200, "late")]


@pytest.mark.parametrize("fee_fen", [None, 0])
def test_delivery_without_a_fee_earns_no_credit(lane: Lane, fee_fen: int | None) -> None:
    send(lane, fee_fen=fee_fen)
    work(NOON + 4 * DAY)
    assert ledger() == []
    assert not CreditCheck.objects.exists()
    assert_ledger_agrees(NOON + 4 * DAY)


def test_pickups_are_not_credited(lane: Lane) -> None:
    parcel = lane.promise(kind=PICKUP)
    work(NOON + DAY)
    check(parcel, PICKUP)
    assert work_out_credits(now=NOON + DAY).checks == 1
    assert ledger() == []


def test_a_check_of_an_unknown_parcel_is_dropped() -> None:
    raw_rows(
        "INSERT INTO slas_creditcheck (parcel_id, kind, merchant_id, courier_id) VALUES (7, 'delivery', 1, 2)"
    )
    assert work_out_credits(now=NOON) == (1, 0, False)


# --- exactly once ------------------------------------------------------------------------------


def test_replays_add_no_entries(lane: Lane) -> None:
    parcels = [send(lane) for _ in range(3)]
    work(NOON + HOUR)
    for parcel in (*parcels, *parcels):
        check(parcel)
    assert work_out_credits(now=NOON + HOUR) == (6, 0, False)
    assert len(ledger()) == 3


def test_batches_take_the_oldest_first_until_all_are_done(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A call begins with any shard: with that of the one home, the first.
    monkeypatch.setattr(entries, "shard_keys", lambda: shard_keys()[:1])
    parcels = [send(lane.of_one_home()) for _ in range(7)]
    for parcel in parcels:
        check(parcel)
    Commitment.objects.update(outcome="overdue")
    work_out_credits(now=NOON + HOUR, limit=3, budget=-1)
    assert [entry.parcel_id for entry in CreditEntry.objects.order_by("pk")] == sorted(parcels[:3])
    assert work_out_credits(now=NOON + HOUR, limit=3) == (4, 4, False)
    assert not CreditCheck.objects.exists()


def test_entries_are_announced_to_both_sides(lane: Lane) -> None:
    parcel = send(lane)
    deliver(parcel, NOON + HOUR)
    work(NOON + 2 * HOUR)
    event = Event.objects.get(topic="credit.written")
    assert (event.parcel_id, event.merchant_id, event.courier_id) == (
        parcel,
        lane.merchant.pk,
        lane.courier.pk,
    )
    [entry] = CreditEntry.objects.all()
    assert event.payload == {
        "entry": entry.pk, "amount": "2.00", "currency": "CNY", "cause": "late",
        "statement": f"{entry.month:%Y-%m}",
    }  # fmt: skip


def test_only_overdue_parcels_that_reached_a_band_are_checked(lane: Lane) -> None:
    grown, still, excused = (send(lane) for _ in range(3))
    Commitment.objects.filter(parcel_id=still).update(due_at=NOON + 20 * HOUR)
    work(NOON + 21 * HOUR)
    excuse(excused)
    work(NOON + 21 * HOUR)
    assert check_grown_credits(now=NOON + 25 * HOUR) == 1
    assert [waiting.parcel_id for waiting in CreditCheck.objects.all()] == [grown]
    # It is queued already, and not queued twice.
    assert check_grown_credits(now=NOON + 25 * HOUR) == 0


def test_the_schedule_of_the_booking_applies_however_late_it_is_worked_out(lane: Lane) -> None:
    before, after = send(lane), send(lane)
    [low, high] = sorted((before, after))
    CreditSchedule.objects.create(
        tier=lane.tier, number=2, valid_from=NOON - 400 * DAY, cap_fen=5, lost_fen=5,
        bands=[{"late_by_minutes": 0, "share_percent": 100}],
    )  # fmt: skip
    work(NOON + HOUR)
    assert [credited(low), credited(high)] == [5, 5]
    CreditSchedule.objects.filter(number=2).update(valid_from=NOON + HOUR)
    assert [str(item).partition(":")[0] for item in audit_credits(now=NOON + HOUR)] == [
        f"parcel {low}",
        f"parcel {high}",
    ]


# --- what the database holds -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["UPDATE slas_creditentry SET amount_fen = 1", "DELETE FROM slas_creditentry"]
)
def test_ledger_cannot_be_edited(lane: Lane, change: str) -> None:
    send(lane)
    work()
    raw_rows(change)
    assert ledger() == [(200, "overdue")]


def test_an_entry_moves_something(lane: Lane) -> None:
    send(lane)
    work()
    [entry] = CreditEntry.objects.all()
    entry.pk, entry.amount_fen = None, 0
    with pytest.raises(IntegrityError, match="credit_entry_moves_something"), transaction.atomic():
        entry.save(force_insert=True)


def test_an_entry_goes_into_the_first_open_month(lane: Lane) -> None:
    month = month_of(NOON)
    assert open_month(NOON) == month
    ClosedMonth.objects.create(month=month)
    ClosedMonth.objects.create(month=next_month(month))
    assert open_month(NOON) == next_month(next_month(month))
    send(lane)
    work()
    [entry] = CreditEntry.objects.all()
    assert (entry.at, entry.month) == (NOON + HOUR, next_month(next_month(month)))


def test_members_can_read_and_not_write_the_ledger(lane: Lane) -> None:
    send(lane)
    work()
    for own in (Scope.merchant(lane.merchant.pk), Scope.courier(lane.courier.pk)):
        with scope(own):
            [entry] = CreditEntry.objects.all()
            entry.pk = None
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                entry.save(force_insert=True)
    with scope(Scope.merchant(0)):
        assert not CreditEntry.objects.exists()


# --- the audit ---------------------------------------------------------------------------------


def test_the_audit_finds_a_planted_entry(lane: Lane) -> None:
    parcel = send(lane)
    work()
    assert_ledger_agrees(NOON + HOUR)
    [entry] = CreditEntry.objects.all()
    entry.pk, entry.amount_fen = None, 7
    entry.save(force_insert=True)
    [difference] = audit_credits(now=NOON + HOUR)
    assert str(difference) == f"parcel {parcel}: credited with 2.07 instead of 2.00"


def test_the_audit_finds_a_missing_entry(lane: Lane) -> None:
    parcel = send(lane)
    deliver(parcel, NOON + HOUR)
    assert_ledger_agrees(NOON + HOUR)
    raw_rows("DELETE FROM slas_creditcheck")
    [difference] = audit_credits(now=NOON + HOUR)
    assert str(difference) == f"parcel {parcel}: credited with 0.00 instead of 2.00"


def test_the_audit_leaves_an_overdue_parcel_time_to_be_looked_at(lane: Lane) -> None:
    send(lane)
    work(NOON + HOUR)
    assert_ledger_agrees(NOON + DAY + HOUR)
    assert len(audit_credits(now=NOON + DAY + 3 * HOUR)) == 1
    work(NOON + DAY + 3 * HOUR)
    assert_ledger_agrees(NOON + DAY + 3 * HOUR)
