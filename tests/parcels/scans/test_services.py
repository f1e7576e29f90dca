"""Scans: stored once, folded in any order, settled at once, rejected line by line."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alliance.errors import NotPermitted
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.models import Event, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel, Scan
from parcels.scans.batch import event_key, microseconds_of
from parcels.scans.lines import NamedScan, Rejection, ScanLine
from parcels.scans.rules import MOST_SCANS
from parcels.scans.services import ScanReport, record_scans
from slas.models import Breach, Commitment
from tests.parcels.helpers.parcels import booked_parcels

# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
Send = Callable[..., ScanReport]


def line(parcel: Parcel | str, code: str, hours: float, **extra: Any) -> ScanLine:
    number = parcel if isinstance(parcel, str) else parcel.number
    return ScanLine(number, code, BOOKED + timedelta(hours=hours), **extra)


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    return booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)[0]


@pytest.fixture
def send(courier: Actor) -> Send:
    def send(*lines: ScanLine | Rejection, now: datetime | None = None) -> ScanReport:
        with scope(Scope.of(courier)):
            return record_scans(actor=courier, lines=lines, now=now)

    return send


def reread(parcel: Parcel) -> Parcel:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk)


def outcomes(parcel: Parcel) -> dict[str, str]:
    with scope(Scope.everything()):
        return dict(Commitment.objects.filter(parcel_id=parcel.pk).values_list("kind", "outcome"))


def codes(report: ScanReport) -> list[tuple[int, str]]:
    return [(rejection.index, rejection.code) for rejection in report.rejections]


# --- accepted scans --------------------------------------------------------------------------


def test_scans_update_the_status_and_meet_commitments(parcel: Parcel, send: Send) -> None:
    report = send(
        line(parcel, "picked_up", 2), line(parcel, "out_for_delivery", 20), line(parcel, "delivered", 25)
    )
    assert (report.accepted, report.duplicates, report.rejections) == (3, [], [])
    moved = reread(parcel)
    assert (moved.status, moved.status_at) == ("delivered", BOOKED + timedelta(hours=25))
    assert moved.delivered_at == moved.last_scan_at == moved.status_at
    assert outcomes(parcel) == {"pickup": "met", "delivery": "met"}


def test_late_scans_breach_commitments_at_once(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "picked_up", 7), line(parcel, "delivered", 31))
    assert outcomes(parcel) == {"pickup": "late", "delivery": "late"}
    with scope(Scope.everything()):
        assert Breach.objects.standing().filter(parcel_id=parcel.pk).count() == 2


def test_order_of_arrival_does_not_matter(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "delivered", 25))
    send(line(parcel, "out_for_delivery", 26), line(parcel, "departed", 3))
    moved = reread(parcel)
    assert (moved.status, moved.status_at) == ("delivered", BOOKED + timedelta(hours=25))
    assert moved.last_scan_at == BOOKED + timedelta(hours=26)
    assert outcomes(parcel) == {"pickup": "met", "delivery": "met"}


def test_status_change_is_an_event_once(parcel: Parcel, send: Send) -> None:
    for _again in range(2):
        send(line(parcel, "departed", 3), line(parcel, "arrived", 4))
    send(line(parcel, "departed", 5))
    with scope(Scope.everything()):
        [event] = Event.objects.filter(topic="parcel.status_changed", parcel_id=parcel.pk)
    assert event.payload["previous"] == "booked"
    assert event.payload["status"] == "in_transit"
    assert (event.merchant_id, event.courier_id) == (parcel.merchant_id, parcel.courier_id)


def test_late_received_punctual_scan_withdraws_the_breach(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "picked_up", 2), line(parcel, "delivered", 40))
    assert outcomes(parcel)["delivery"] == "late"
    send(line(parcel, "attempt_failed", 29, reason="consignee_absent"))
    assert outcomes(parcel)["delivery"] == "met"
    with scope(Scope.everything()):
        assert Breach.objects.get(parcel_id=parcel.pk, kind="delivery").withdrawn_at is not None


@pytest.mark.parametrize(
    ("values", "status", "outcome"),
    [
        ({"code": "available_for_pickup", "consent": True}, "available_for_pickup", "met"),
        ({"code": "available_for_pickup", "consent": False}, "attempt_failed", "pending"),
        ({"code": "attempt_failed", "reason": "consignee_refused"}, "attempt_failed", "met"),
        ({"code": "attempt_failed", "reason": "courier_vehicle"}, "attempt_failed", "pending"),
    ],
)
def test_attempt_is_valid_only_if_the_courier_is_not_at_fault(
    parcel: Parcel, send: Send, values: dict[str, Any], status: str, outcome: str
) -> None:
    send(line(parcel, hours=20, **values), now=BOOKED + timedelta(hours=21))
    assert reread(parcel).status == status
    assert outcomes(parcel) == {"pickup": "late", "delivery": outcome}
    with scope(Scope.everything()):
        assert Scan.objects.get(parcel_id=parcel.pk).code == values["code"]


def test_cancelled_parcel_stores_scans_and_stays_cancelled(
    merchant_organisation: Organisation, courier_organisation: Organisation, send: Send
) -> None:
    [parcel] = booked_parcels(
        merchant_organisation, courier_organisation, booked_at=BOOKED, status="cancelled", cancelled_at=BOOKED
    )
    assert send(line(parcel, "picked_up", 1), line(parcel, "delivered", 2)).accepted == 2
    fresh = reread(parcel)
    assert (fresh.status, fresh.status_at, fresh.delivered_at) == ("cancelled", BOOKED, None)


# --- repeated scans --------------------------------------------------------------------------


def test_sending_again_changes_nothing(parcel: Parcel, send: Send) -> None:
    lines = [line(parcel, "picked_up", 2), line(parcel, "departed", 3, event_id="e1")]
    send(*lines)
    before = reread(parcel)
    report = send(*lines)
    assert (report.accepted, report.duplicates) == (0, [0, 1])
    assert reread(parcel).__dict__.items() >= {"status": before.status, "status_at": before.status_at}.items()


def test_duplicates_inside_a_batch_count_once(parcel: Parcel, send: Send) -> None:
    report = send(
        line(parcel, "picked_up", 2),
        ScanLine(
            parcel.number.lower(),
            "picked_up",
            (BOOKED + timedelta(hours=2)).astimezone(timezone.get_default_timezone()),
        ),
        line(parcel, "departed", 3, event_id="e1"),
        line(parcel, "arrived", 4, event_id="e1"),
    )
    assert (report.accepted, report.duplicates, codes(report)) == (2, [1], [(3, "differs_from_first")])


def test_event_key_is_stable_and_distinguishes_its_kinds() -> None:
    moment = microseconds_of(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))
    plain = event_key(event_id="", code="departed", microseconds=moment, facility="HGH")
    # The key is stored: if its computation changed, every old scan would be accepted again.
    assert plain == -1266644767463672880
    id_key = event_key(event_id=f"departed|{moment}|HGH", code="", microseconds=0, facility="")
    assert id_key != plain
    assert -(2**63) <= plain < 2**63
    corrections = {
        event_key(event_id=name, code="correction", microseconds=moment, facility="", corrects=corrects)
        for name in ("", "c1")
        for corrects in (plain, id_key)
    }
    assert len(corrections) == 4


# --- rejected scans --------------------------------------------------------------------------


def test_bad_lines_are_rejected_and_good_ones_stored(
    parcel: Parcel, send: Send, merchant_organisation: Organisation, rival_courier: Organisation
) -> None:
    [foreign] = booked_parcels(merchant_organisation, rival_courier, booked_at=BOOKED)
    report = send(
        Rejection(0, "/0", "invalid", "not JSON"),
        line("CA123", "picked_up", 1),
        line(foreign, "picked_up", 1),
        ScanLine(parcel.number, "picked_up", timezone.now() + timedelta(minutes=6)),
        line(parcel, "picked_up", -1),
        ScanLine(parcel.number, "picked_up", datetime(1970, 1, 1, tzinfo=UTC)),
        line(parcel, "attempt_failed", 1),
        line(parcel, "held", 1, reason="dog_ate_it"),
        line(parcel, "teleported", 1),
        line(parcel, "correction", 1),
        line(parcel, "departed", 1, facility="\0"),
        line(parcel, "departed", 1, corrects="e1"),
        line(parcel, "picked_up", 1),
    )
    assert report.accepted == 1
    assert codes(report) == [
        (0, "invalid"),
        (1, "bad_tracking_number"),
        (2, "unknown_parcel"),
        (3, "in_future"),
        (4, "before_booking"),
        (5, "before_booking"),
        (6, "reason_required"),
        (7, "unknown_reason"),
        (8, "unknown_code"),
        (9, "corrects_missing"),
        (10, "invalid"),
        (11, "invalid"),
    ]
    assert report.rejections[4].pointer == "/4/occurred_at"
    assert reread(parcel).status == "picked_up"
    assert reread(foreign).status == "booked"


def test_parcel_of_another_courier_is_rejected_as_unknown(
    send: Send, merchant_organisation: Organisation, rival_courier: Organisation
) -> None:
    [foreign] = booked_parcels(merchant_organisation, rival_courier, booked_at=BOOKED)
    number = tracking_number(new_parcel_id(BOOKED))
    report = send(line(foreign, "picked_up", 1), line(number, "picked_up", 1))
    first, second = report.rejections
    assert (first.code, first.detail) == (second.code, second.detail) == ("unknown_parcel", first.detail)


def test_copy_of_a_rejected_line_is_rejected_too(
    parcel: Parcel, send: Send, merchant_organisation: Organisation, rival_courier: Organisation
) -> None:
    [foreign] = booked_parcels(merchant_organisation, rival_courier, booked_at=BOOKED)
    early = line(parcel, "departed", -1)
    report = send(line(foreign, "departed", 1), early, line(parcel, "departed", 2), *[early] * 2,
                  line(foreign, "departed", 1), line(parcel, "departed", 2))  # fmt: skip
    assert (report.accepted, report.duplicates) == (1, [6])
    assert codes(report) == [
        (0, "unknown_parcel"),
        (1, "before_booking"),
        (3, "before_booking"),
        (4, "before_booking"),
        (5, "unknown_parcel"),
    ]
    assert report.rejections[2].pointer == "/3/occurred_at"
    # Judged again, not known already.
    assert codes(send(early)) == [(0, "before_booking")]


# --- wrong clocks ----------------------------------------------------------------------------


def times(parcel: Parcel) -> list[tuple[datetime, datetime | None]]:
    """What counts and what was stated, of each scan in the order of their times."""
    with scope(Scope.everything()):
        scans = Scan.objects.filter(parcel_id=parcel.pk).order_by("occurred_at")
        return list(scans.values_list("occurred_at", "stated_at"))


def test_scans_of_the_minutes_before_the_booking_count_from_it(
    merchant_organisation: Organisation, courier_organisation: Organisation, send: Send
) -> None:
    booked_at = BOOKED + timedelta(seconds=59, milliseconds=700)
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at)
    # Clocks to the minute, and clocks that are five minutes slow.
    stated = [BOOKED, BOOKED + timedelta(seconds=30), booked_at - timedelta(minutes=5)]
    lines = [
        ScanLine(parcel.number, code, at)
        for code, at in zip(["departed", "lost", "picked_up"], stated, strict=True)
    ]
    for _again in range(2):
        report = send(*lines, ScanLine(parcel.number, "held", stated[2] - timedelta(milliseconds=1), None,
                                       "weather_snow"))  # fmt: skip
        assert codes(report) == [(3, "before_booking")]
    assert report.duplicates == [0, 1, 2]
    # In the order of the clock, and each within a millisecond of the booking.
    assert [at for _counted, at in times(parcel)] == [stated[2], stated[0], stated[1]]
    for counted, _stated in times(parcel):
        assert booked_at <= counted < booked_at + timedelta(milliseconds=1)
    assert reread(parcel).status == "lost"


def test_scans_of_a_fast_clock_count_from_their_receipt(parcel: Parcel, send: Send) -> None:
    due = BOOKED + timedelta(hours=30)
    now = due - timedelta(minutes=2)
    ahead = [now + timedelta(minutes=minutes) for minutes in (3, 5)]
    lines = [ScanLine(parcel.number, "out_for_delivery", ahead[0]), ScanLine(parcel.number, "held", ahead[1],
             None, "weather_snow"), ScanLine(parcel.number, "delivered", ahead[0])]  # fmt: skip
    assert send(*lines, now=now).accepted == 3
    # Received in time, so in time, whatever the clock says.
    assert outcomes(parcel)["delivery"] == "met"
    assert [stated for _counted, stated in times(parcel)] == [ahead[0], ahead[0], ahead[1]]
    assert all(now <= counted < now + timedelta(milliseconds=1) for counted, _stated in times(parcel))
    late = send(ScanLine(parcel.number, "arrived", now + timedelta(minutes=5, milliseconds=1)), now=now)
    assert codes(late) == [(0, "in_future")]


def test_right_clocks_are_not_kept_twice(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "picked_up", 0), line(parcel, "departed", 1), now=BOOKED + timedelta(hours=1))
    assert times(parcel) == [(BOOKED, None), (BOOKED + timedelta(hours=1), None)]


# --- the limit -------------------------------------------------------------------------------


def test_parcel_has_a_limit_of_scans(
    parcel: Parcel, send: Send, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    [other] = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)
    lines = [line(parcel, "arrived", 1 + n / 1_000) for n in range(MOST_SCANS + 2)]
    report = send(*lines[:998])
    assert report.accepted == 998
    # Known scans are no new ones; the first new ones are taken.
    report = send(lines[0], *lines[998:], line(other, "arrived", 1), lines[0])
    assert (report.accepted, report.duplicates) == (3, [0, 6])
    assert codes(report) == [(3, "scan_limit"), (4, "scan_limit")]
    assert "1000" in report.rejections[0].detail
    assert codes(send(line(parcel, "delivered", 2))) == [(0, "scan_limit")]
    assert send(lines[0]).duplicates == [0]
    with scope(Scope.everything()):
        assert Scan.objects.filter(parcel_id=parcel.pk).count() == reread(parcel).scan_count == MOST_SCANS


# --- who may send ----------------------------------------------------------------------------


def test_merchants_and_viewers_cannot_send_scans(merchant: Actor, parcel: Parcel) -> None:
    with scope(Scope.of(merchant)), pytest.raises(NotPermitted):
        record_scans(actor=merchant, lines=[line(parcel, "picked_up", 1)])


# --- corrections -----------------------------------------------------------------------------


def test_correction_removes_all_effects_of_a_scan(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "picked_up", 2), line(parcel, "delivered", 25, event_id="oops"))
    report = send(line(parcel, "correction", 26, corrects="oops"), now=BOOKED + timedelta(hours=27))
    assert report.accepted == 1
    folded = reread(parcel)
    assert (folded.status, folded.status_at) == ("picked_up", BOOKED + timedelta(hours=2))
    assert (folded.delivered_at, folded.last_scan_at) == (None, BOOKED + timedelta(hours=2))
    assert outcomes(parcel) == {"pickup": "met", "delivery": "pending"}
    send(line(parcel, "delivered", 31))
    assert reread(parcel).status == "delivered"
    assert outcomes(parcel) == {"pickup": "met", "delivery": "late"}


def test_correction_of_a_scan_without_event_id_may_arrive_first(parcel: Parcel, send: Send) -> None:
    wrong = NamedScan(
        "delivered", (BOOKED + timedelta(hours=25)).astimezone(timezone.get_default_timezone()), "CTU"
    )
    send(line(parcel, "correction", 26, corrects=wrong))
    report = send(line(parcel, "delivered", 25, facility="CTU"), line(parcel, "departed", 3))
    assert report.accepted == 2
    assert reread(parcel).status == "in_transit"
    with scope(Scope.everything()):
        assert Scan.objects.filter(parcel_id=parcel.pk).count() == 3


def test_withdrawing_the_only_scan_leaves_a_booked_parcel(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "picked_up", 2, event_id="e1"))
    send(line(parcel, "correction", 3, corrects="e1"))
    folded = reread(parcel)
    assert (folded.status, folded.status_at, folded.last_scan_at) == ("booked", BOOKED, None)
    # Past due by today's clock; delivery was never reached and waits for the sweep.
    assert outcomes(parcel) == {"pickup": "overdue", "delivery": "pending"}


def test_corrections_of_one_moment_withdraw_each_its_scan(parcel: Parcel, send: Send) -> None:
    send(line(parcel, "delivered", 25, event_id="a"), line(parcel, "lost", 24, event_id="b"))
    both = [line(parcel, "correction", 26, corrects=name) for name in ("a", "b")]
    report = send(*both, both[0])
    assert (report.accepted, report.duplicates, report.warnings) == (2, [2], [])
    assert reread(parcel).status == "booked"
    assert send(*both).duplicates == [0, 1]


@pytest.mark.parametrize("event_id", ["", "c1"])
def test_correction_of_the_wrong_scan_says_so_and_the_right_one_counts(
    parcel: Parcel, send: Send, event_id: str
) -> None:
    send(line(parcel, "picked_up", 2), line(parcel, "delivered", 25, event_id="real"))
    wrong = send(line(parcel, "correction", 26, event_id=event_id, corrects="reel"))
    assert wrong.accepted == 1
    [warning] = wrong.warnings
    assert (warning.index, warning.pointer, warning.code) == (0, "/0/corrects", "nothing_withdrawn")
    assert reread(parcel).status == "delivered"
    right = send(line(parcel, "correction", 26, event_id=event_id, corrects="real"))
    assert (right.accepted, right.warnings) == (1, [])
    assert reread(parcel).status == "picked_up"


def test_scan_that_an_earlier_correction_withdraws_is_told(parcel: Parcel, send: Send) -> None:
    at = BOOKED + timedelta(hours=27)
    named = NamedScan("delivered", BOOKED + timedelta(hours=25))
    early = send(line(parcel, "correction", 26, corrects=named), now=at)
    assert [warning.code for warning in early.warnings] == ["nothing_withdrawn"]
    later = at + timedelta(minutes=1)
    report = send(line(parcel, "departed", 3), line(parcel, "delivered", 25), now=later)
    assert [(warning.index, warning.code) for warning in report.warnings] == [(1, "withdrawn_already")]
    assert reread(parcel).status == "in_transit"
    # Within one batch, the order does not matter.
    together = send(line(parcel, "correction", 29, corrects="x"), line(parcel, "lost", 28, event_id="x"))
    assert (together.accepted, together.warnings) == (2, [])


def test_correction_cannot_withdraw_a_correction(parcel: Parcel, send: Send) -> None:
    send(
        line(parcel, "delivered", 25, event_id="a"),
        line(parcel, "correction", 26, event_id="c", corrects="a"),
    )
    report = send(line(parcel, "correction", 27, corrects="c"))
    assert [warning.code for warning in report.warnings] == ["nothing_withdrawn"]
    assert reread(parcel).status == "booked"


# --- concurrent batches ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_concurrent_batches_give_the_same_result_as_one(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    # Parcels of two months: PostgreSQL 18 crashes on a row lock wait if months are pruned row by row.
    last_month = timezone.now().replace(day=1, hour=0, minute=0) - timedelta(hours=1)
    parcels = [
        parcel
        for booked_at in (BOOKED, min(BOOKED, last_month))
        for parcel in booked_parcels(
            merchant_organisation, courier_organisation, booked_at=booked_at, count=20
        )
    ]
    story = [
        ("picked_up", 2),
        ("departed", 3),
        ("arrived", 8),
        ("out_for_delivery", 20),
        ("delivered", 25),
        ("lost", 28),
    ]
    batches = [
        [line(parcel, code, hours) for parcel in (parcels if number % 2 else reversed(parcels))]
        + [
            line(parcel, "correction", 27, corrects=NamedScan("lost", BOOKED + timedelta(hours=28)))
            for parcel in parcels[:9]
        ]
        for number in range(2)
        for code, hours in story
    ]
    failures: list[Exception] = []
    reports: list[ScanReport] = []
    start = threading.Barrier(len(batches))

    def work(lines: list[ScanLine]) -> None:
        try:
            start.wait()
            with scope(Scope.of(courier)):
                reports.append(record_scans(actor=courier, lines=lines))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test must see it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[lines]) for lines in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(report.accepted for report in reports) == 40 * 6 + 9
    assert sum(len(report.duplicates) for report in reports) == 12 * 49 - (40 * 6 + 9)
    with scope(Scope.everything()):
        assert set(Parcel.objects.values_list("status", flat=True)) == {"delivered"}
        of_these = Commitment.objects.filter(parcel_id__in=[parcel.pk for parcel in parcels[:20]])
        assert set(of_these.values_list("outcome", flat=True)) == {"met"}
