"""Scans that contradict a final status: the latest possible end decides, and everybody concerned is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.models import Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.choices import Contradiction
from parcels.models import Parcel, Scan
from parcels.scans import rules
from parcels.scans.lines import ScanLine
from parcels.scans.services import ScanReport, record_scans
from slas.credits.services.entries import work_out_credits
from slas.models import Commitment
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.credit_cases import ledger

pytestmark = pytest.mark.django_db
# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
Story = list[tuple[str, float]]
FAILED = {"reason": "courier_vehicle"}

# Scans by hours after booking (due after 30) -> status, since when, the delivery's outcome, contradiction.
STORIES: dict[str, tuple[Story, tuple[str, float, str, str]]] = {
    "lost, delivered": (
        [("picked_up", 1), ("lost", 2), ("delivered", 3)], ("delivered", 3, "met", "seen_after_loss")
    ),
    "lost, moving": (
        [("picked_up", 1), ("lost", 2), ("arrived", 3), ("out_for_delivery", 4)],
        ("out_for_delivery", 4, "pending", "seen_after_loss"),
    ),
    "lost again": (
        [("lost", 2), ("arrived", 3), ("lost", 4)], ("lost", 4, "pending", "seen_after_loss")
    ),
    "lost in the minute of its last scan": ([("arrived", 3), ("lost", 3)], ("lost", 3, "pending", "")),
    "lost after delivery": (
        [("delivered", 3), ("lost", 4)], ("delivered", 3, "met", "scanned_after_delivery")
    ),
    "returned, delivered": (
        [("picked_up", 1), ("return_started", 2), ("returned", 3), ("delivered", 4)],
        ("returned", 3, "pending", "delivered_after_return"),
    ),
    "a return ended by delivered": (
        [("picked_up", 1), ("attempt_failed", 2), ("return_started", 3), ("delivered", 4)],
        ("returned", 4, "pending", "delivered_after_return"),
    ),
    "a return ended by both": (
        [("return_started", 3), ("delivered", 4), ("returned", 5)], ("returned", 5, "pending", "")
    ),
    "delivered in the minute in which a return began": (
        [("return_started", 3), ("delivered", 3)], ("returned", 3, "pending", "delivered_after_return")
    ),
    "moving on the way back": (
        [("arrived", 1), ("return_started", 3), ("departed", 4), ("out_for_delivery", 5)],
        ("returning", 5, "pending", ""),
    ),
    "held on the way back": ([("return_started", 3), ("damaged", 4)], ("exception", 4, "pending", "")),
    "lost on the way back": ([("return_started", 3), ("lost", 4)], ("lost", 4, "pending", "")),
    "moving after its return": (
        [("returned", 3), ("arrived", 4)], ("returned", 3, "pending", "scanned_after_return")
    ),
    "returned after delivery": (
        [("delivered", 3), ("returned", 4)], ("returned", 4, "met", "returned_after_delivery")
    ),
    "a return begins after delivery": (
        [("delivered", 3), ("return_started", 4)], ("delivered", 3, "met", "returned_after_delivery")
    ),
    "delivered twice": (
        [("delivered", 29), ("delivered", 31)], ("delivered", 31, "met", "delivered_twice")
    ),
    "moving after delivery": (
        [("delivered", 3), ("out_for_delivery", 4)], ("delivered", 3, "met", "scanned_after_delivery")
    ),
    "nothing contradicts": (
        [("picked_up", 1), ("out_for_delivery", 3), ("delivered", 3)], ("delivered", 3, "met", "")
    ),
}  # fmt: skip


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)
    with scope(Scope.everything()):
        Commitment.objects.filter(parcel_id=parcel.pk, kind="delivery").update(fee_fen=1_000)
    return parcel


def send(parcel: Parcel, *story: tuple[str, float], now: datetime | None = None, **extra: Any) -> ScanReport:
    lines = [
        ScanLine(
            parcel.number,
            code,
            BOOKED + timedelta(hours=hours),
            **(FAILED if code == "attempt_failed" else {}),
            **extra,
        )
        for code, hours in story
    ]
    with scope(Scope.everything()):
        return record_scans(actor=Actor.system("test"), lines=lines, now=now or BOOKED + timedelta(hours=32))


def reread(parcel: Parcel) -> Parcel:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk)


def delivery_of(parcel: Parcel) -> Commitment:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind="delivery")


def told(report: ScanReport) -> list[tuple[int, str]]:
    return [(warning.index, warning.code) for warning in report.warnings]


@pytest.mark.parametrize("way", ["in one batch", "one by one", "in reverse"])
@pytest.mark.parametrize("name", STORIES)
def test_latest_possible_end_decides(name: str, way: str, parcel: Parcel) -> None:
    story, (status, hours, outcome, contradiction) = STORIES[name]
    if way == "in one batch":
        send(parcel, *story)
    else:
        for part in story if way == "one by one" else reversed(story):
            send(parcel, part)
    row, delivery = reread(parcel), delivery_of(parcel)
    since = BOOKED + timedelta(hours=hours)
    assert (row.status, row.status_at, row.contradiction) == (status, since, contradiction)
    assert row.delivered_at == (since if status == "delivered" else None)
    assert delivery.lost_at == (since if status == "lost" else None)
    # What is open is overdue by the clock of a batch that is folded anew.
    assert delivery.outcome in ({"pending", "overdue"} if outcome == "pending" else {outcome})
    with scope(Scope.everything()):
        folded = rules.fold(Scan.objects.filter(parcel_id=parcel.pk), booked_at=BOOKED)
    assert (folded.status, folded.status_at, folded.contradiction) == (status, since, contradiction)


def test_late_return_takes_back_the_promise_that_a_delivery_had_kept(parcel: Parcel) -> None:
    send(parcel, ("picked_up", 1), ("delivered", 10))
    assert delivery_of(parcel).outcome == "met"
    report = send(parcel, ("return_started", 9))
    assert told(report) == [(0, "delivered_after_return")]
    delivery = delivery_of(parcel)
    assert (delivery.outcome, delivery.reached_at, delivery.delivered_at) == ("overdue", None, None)


def test_old_scans_do_not_change_a_later_truth(parcel: Parcel) -> None:
    send(parcel, ("picked_up", 1), ("lost", 5), ("delivered", 10))
    before = reread(parcel)
    send(parcel, ("lost", 4), ("held", 3), reason="weather_snow")
    after = reread(parcel)
    assert (
        (after.status, after.delivered_at)
        == (before.status, before.delivered_at)
        == (
            "delivered",
            BOOKED + timedelta(hours=10),
        )
    )
    assert delivery_of(parcel).lost_at is None


def test_contradiction_ends_with_a_correction(parcel: Parcel) -> None:
    send(parcel, ("delivered", 10), event_id="a")
    assert told(send(parcel, ("delivered", 12), event_id="b")) == [(0, "delivered_twice")]
    assert reread(parcel).contradicted_at is not None
    send(parcel, ("correction", 13), corrects="b")
    row = reread(parcel)
    assert (row.status_at, row.contradiction) == (BOOKED + timedelta(hours=10), "")
    assert row.contradicted_at is None


def test_contradiction_is_an_event_once(parcel: Parcel) -> None:
    send(parcel, ("delivered", 10))
    for hours in (11, 12, 12):
        send(parcel, ("arrived", hours))
    with scope(Scope.everything()):
        [event] = Event.objects.filter(topic="parcel.contradicted", parcel_id=parcel.pk)
    assert event.payload == {"contradiction": "scanned_after_delivery", "status": "delivered"}
    assert (event.merchant_id, event.courier_id) == (parcel.merchant_id, parcel.courier_id)


def test_loss_is_credited_and_reversed_once_when_delivered(parcel: Parcel) -> None:
    send(parcel, ("picked_up", 1), ("lost", 2))
    work_out_credits(now=BOOKED + timedelta(hours=29))
    assert ledger(parcel.pk) == [(20_000, "lost")]
    for _again in range(2):
        send(parcel, ("delivered", 3), now=BOOKED + timedelta(hours=29))
        work_out_credits(now=BOOKED + timedelta(hours=29))
    assert ledger(parcel.pk) == [(20_000, "lost"), (-20_000, "found")]


# --- cancelled parcels -----------------------------------------------------------------------


@pytest.fixture
def cancelled(parcel: Parcel, merchant: Actor) -> Parcel:
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=BOOKED + timedelta(hours=1))
    return parcel


def test_cancelled_parcel_that_moves_is_told(cancelled: Parcel) -> None:
    report = send(cancelled, ("departed", 2), ("delivered", 3))
    assert (report.accepted, told(report)) == (2, [(1, "moving_though_cancelled")])
    assert "cancelled" in report.warnings[0].detail
    row = reread(cancelled)
    assert (row.status, row.contradiction) == ("cancelled", "moving_though_cancelled")
    assert delivery_of(cancelled).outcome == "void"


def test_cancelled_parcel_that_came_back_contradicts_nothing(cancelled: Parcel) -> None:
    send(cancelled, ("picked_up", 2))
    assert told(send(cancelled, ("return_started", 3))) == [(0, "moving_though_cancelled")]
    assert told(send(cancelled, ("returned", 4))) == []
    assert reread(cancelled).contradiction == ""


def test_every_contradiction_has_a_story() -> None:
    seen = {story[1][3] for story in STORIES.values()} | {Contradiction.MOVING_THOUGH_CANCELLED.value}
    assert seen - {""} == set(Contradiction.values)
