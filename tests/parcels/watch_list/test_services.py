"""The refresh of the watch list: what is added and why, what is removed, and its cost."""

import threading
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone

from alliance.database.at_home import rows_at_home
from alliance.identifiers import moment_of, parcel_id_at
from alliance.models import Organisation
from alliance.tenancy import Scope, raw_rows, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.models import Parcel
from parcels.tracking.arrivals import Expectable, arrivals_of
from parcels.tracking.verdicts import verdict_of
from parcels.watch_list import services
from parcels.watch_list.services import refresh_watch_list
from parcels.watch_list.sql import SEEN
from slas.choices import CommitmentKind, WatchReason
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Commitment, WatchItem
from tests.helpers.owner import execute_as_owner
from tests.helpers.plans import plan_inside
from tests.parcels.helpers.parcel_views import scan
from tests.parcels.helpers.watch_list import HOUR, due_in, history, refresh, watched

R = WatchReason
pytestmark = pytest.mark.django_db
Company = Organisation


# --- parcels ---

MINUTE = timedelta(minutes=1)


def later(parcel: Parcel, *, hours: float, kind: str = CommitmentKind.DELIVERY) -> None:
    """Set the promise to `hours` from now."""
    due_at = timezone.now() + hours * HOUR
    with scope(Scope.everything()):
        Commitment.objects.filter(parcel_id=parcel.pk, kind=kind).update(due_at=due_at)


def test_probably_late_parcel_is_at_risk(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    history(courier_organisation, [-60] * 30 + [90] * 70, like=parcel)
    scan(parcel, "picked_up", 3)
    scan(parcel, "arrived", 27)
    assert refresh().listed == 1
    [(reason, item)] = watched(parcel).items()
    assert (reason, item.stage) == (R.AT_RISK, "arrived")
    assert item.chance == pytest.approx(0.7)
    assert item.p50_at is not None
    assert item.due_at < item.p50_at < item.p90_at < item.due_at + 2 * HOUR
    assert (item.merchant_id, item.courier_id) == (merchant_organisation.pk, courier_organisation.pk)


@pytest.mark.parametrize(("late", "listed"), [(4, False), (5, True), (40, True)])
def test_at_risk_starts_at_five_percent(
    merchant_organisation: Company, courier_organisation: Company, late: int, *, listed: bool
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    history(courier_organisation, [-60] * (100 - late) + [90] * late, like=parcel)
    scan(parcel, "picked_up", 27)
    refresh()
    assert (R.AT_RISK in watched(parcel)) == listed


def test_parcel_due_after_tomorrow_is_not_at_risk(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 29)
    history(courier_organisation, [90] * 99, like=parcel)
    assert refresh() == (0, 0, 0, 0, False)
    assert watched(parcel) == {}


def test_without_history_no_parcel_is_at_risk(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    scan(parcel, "picked_up", 27)
    refresh()
    assert watched(parcel) == {}


def test_parcel_is_removed_when_its_reasons_end(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, -1)
    scan(parcel, "picked_up", 30.5)
    sweep_overdue(now=timezone.now())
    refresh()
    assert set(watched(parcel)) == {R.DELAYED}
    assert watched(parcel)[R.DELAYED].chance == 1.0
    scan(parcel, "delivered", 30.9)
    assert refresh().removed == 1
    assert watched(parcel) == {}


def test_reasons_change_separately(merchant_organisation: Company, courier_organisation: Company) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 4)
    sweep_overdue(now=timezone.now())
    refresh()
    assert set(watched(parcel)) == {R.DELAYED_DISPATCH}
    scan(parcel, "picked_up", 25)
    scan(parcel, "attempt_failed", 25.9, reason="courier_vehicle")
    refresh()
    assert set(watched(parcel)) == {R.FAILED_ATTEMPT}
    scan(parcel, "held", 25.95, reason="customs_inspection")
    refresh()
    assert set(watched(parcel)) == {R.EXCEPTION}
    scan(parcel, "out_for_delivery", 25.98)
    refresh()
    assert watched(parcel) == {}


def test_parcel_held_days_before_its_promise_is_listed_at_once(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel, other] = due_in(merchant_organisation, courier_organisation, 28, count=2)
    scan(parcel, "picked_up", 1)
    scan(other, "picked_up", 1)
    scan(parcel, "held", 1.5, reason="weather_snow")
    assert refresh().parcels == 1
    assert set(watched(parcel)) == {R.EXCEPTION}
    # It stays on the list, although its event is not read again.
    refresh()
    refresh()
    assert set(watched(parcel)) == {R.EXCEPTION}
    scan(parcel, "departed", 1.9)
    refresh()
    assert watched(parcel) == {}


@pytest.mark.parametrize(
    ("scan_hours", "silent"),
    [
        # Hours after booking, which was 26 hours ago: the last scan counts, and the limit is a day.
        ([1], True),
        ([1, 1.9], True),
        ([1, 2.1], False),
        ([1, 20], False),
        ([1, 25.9], False),
    ],
)
def test_parcel_silent_days_before_its_promise_is_listed(
    merchant_organisation: Company, courier_organisation: Company, scan_hours: list[float], *, silent: bool
) -> None:
    now = timezone.now()
    [parcel] = due_in(merchant_organisation, courier_organisation, 4)
    later(parcel, hours=72)
    for hours in scan_hours:
        scan(parcel, "picked_up" if hours == 1 else "arrived", hours)
    refresh(now=now)
    assert set(watched(parcel)) == ({R.SILENT} if silent else set())


def test_parcel_that_becomes_silent_between_refreshes_is_listed(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    now = timezone.now()
    [parcel, other] = due_in(merchant_organisation, courier_organisation, 4, count=2)
    for each in (parcel, other):
        later(each, hours=96)
        scan(each, "picked_up", 2.5)
    is_listed = [bool(refresh(now=now + minutes * MINUTE) and watched(parcel)) for minutes in range(0, 60, 5)]
    # Silent after half an hour, and then on the list.
    assert is_listed == [False] * 7 + [True] * 5
    scan(parcel, "departed", 26.5)
    refresh(now=now + HOUR)
    assert (set(watched(parcel)), set(watched(other))) == (set(), {R.SILENT})


def test_silence_from_late_received_scans_is_listed_at_once(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, -10)
    later(parcel, hours=48)
    later(parcel, hours=10, kind=CommitmentKind.PICKUP)
    refresh()
    assert watched(parcel) == {}
    scan(parcel, "picked_up", 3, now=timezone.now())
    refresh()
    assert set(watched(parcel)) == {R.SILENT}


def test_parcels_delivered_a_day_ago_are_not_checked(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    parcels = due_in(merchant_organisation, courier_organisation, 4, count=3)
    for parcel in parcels:
        later(parcel, hours=72)
    scan(parcels[0], "picked_up", 1)
    for parcel in parcels[1:]:
        scan(parcel, "delivered", 1)
    assert refresh().parcels == 1


_A_MONTH_OF_SCANS = """
INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
    reason, facility, event_id, consent)
SELECT %(first)s + n, n, 1, 1, 'arrived', %(begin)s + n * interval '15 seconds',
    %(begin)s + n * interval '15 seconds', '', '', '', false
FROM generate_series(1, 150000) AS n
"""
_SUMMARIZE = """
SELECT brin_summarize_new_values(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
JOIN pg_am a ON a.oid = c.relam WHERE amname = 'brin' AND indrelid = '{}'::regclass
"""


@pytest.mark.one_server("a plan; on a cluster each shard plans for itself")
def test_last_scans_are_found_by_their_index() -> None:
    """For a month of scans, only the summaries of each 4 MB and the few scans of a day ago are read."""
    now = timezone.now()
    first = parcel_id_at(now)
    partition = f"parcels_scan_y{moment_of(first):%Ym%m}"
    with mock.patch.object(services, "rows_at_home", wraps=rows_at_home) as calls:
        refresh()
    [values] = [call.args[1] for call in calls.call_args_list if call.args[0] is SEEN]
    with scope(Scope.everything()):
        raw_rows(_A_MONTH_OF_SCANS, {"first": first, "begin": now - timedelta(days=26)})
        execute_as_owner(_SUMMARIZE.format(partition))
        execute_as_owner(f"ANALYZE {partition}")
        plan = plan_inside(SEEN, *(values[name] for name in SEEN.parameters))
    assert f"Seq Scan on {partition}" not in plan
    assert f"Bitmap Index Scan on {partition}_occurred_at_received_at" in plan


def test_undelivered_parcel_after_a_valid_attempt_stays_listed(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 3)
    scan(parcel, "attempt_failed", 26.5, reason="consignee_absent")
    refresh()
    item = watched(parcel)[R.FAILED_ATTEMPT]
    assert (item.chance, item.p50_at) == (0.0, None)


def test_cancelled_and_lost_parcels_are_not_watched(
    merchant: Any, merchant_organisation: Company, courier_organisation: Company
) -> None:
    [called_off, lost] = due_in(merchant_organisation, courier_organisation, -2, count=2)
    scan(lost, "lost", 31)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=called_off.pk, at=called_off.booked_at + HOUR)
    sweep_overdue(now=timezone.now())
    refresh()
    assert watched(called_off) == watched(lost) == {}


def test_items_of_deleted_parcels_are_removed(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, -1)
    refresh()
    with scope(Scope.everything()):
        Commitment.objects.filter(parcel_id=parcel.pk).delete()
        Parcel.objects.filter(pk=parcel.pk).delete()
    assert refresh() == (1, 0, 2, 1, False)
    assert watched(parcel) == {}


# --- consistency with the pages ---


def test_refresh_and_parcel_page_agree(
    merchant_organisation: Company, courier_organisation: Company, rival_courier: Company
) -> None:
    """For each stage and time left, and for each group of similar parcels."""
    parcels = [
        due_in(merchant_organisation, courier_organisation, hours)[0] for hours in (0.5, 1.5, 4, 9, 20)
    ]
    for number, parcel in enumerate(parcels):
        for code in ("picked_up", "departed", "arrived", "out_for_delivery")[:number]:
            scan(parcel, code, 3 + number)
    # One has another day agreed by the merchant only.
    with scope(Scope.everything()):
        delivery = Commitment.objects.filter(parcel_id=parcels[1].pk, kind=CommitmentKind.DELIVERY)
        delivery.update(revised_due_at=delivery.get().due_at + timedelta(days=1))
    history(courier_organisation, [-40] * 12 + [30] * 9, like=parcels[0])
    history(rival_courier, [-70] * 30 + [30] * 30, like=parcels[0])
    now = timezone.now()
    refresh(now=now)
    with scope(Scope.everything()):
        for parcel in parcels:
            parcel.refresh_from_db()
            commitment = Commitment.objects.get(parcel_id=parcel.pk, kind=CommitmentKind.DELIVERY)
            verdict = verdict_of(commitment, now=now)
            [arrival] = arrivals_of([Expectable(parcel, verdict, None, "Asia/Shanghai")], now=now)
            item = watched(parcel)[R.AT_RISK]
            assert arrival is not None
            assert arrival.chance == pytest.approx(item.chance)


def test_refresh_in_slices_gives_the_same_list(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    parcels = due_in(merchant_organisation, courier_organisation, 3, count=7, homes=[0])
    history(courier_organisation, [-60] * 50 + [60] * 50, like=parcels[0])
    now = timezone.now()

    def rows() -> list[tuple[Any, ...]]:
        with scope(Scope.everything()):
            return sorted(WatchItem.objects.values_list("parcel_id", "reason", "chance", "p50_at", "p90_at"))

    assert refresh(now=now, limit=2)[:4] == (7, 14, 0, 4)
    in_slices = rows()
    assert refresh(now=now)[:4] == (7, 14, 0, 1)
    assert rows() == in_slices


def test_forecast_uses_only_the_last_28_days(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel] = due_in(merchant_organisation, courier_organisation, 2)
    for days_ago in (0, 29):
        history(courier_organisation, [90] * 50, like=parcel, days_ago=days_ago)
    for days_ago in (1, 28):
        history(courier_organisation, [-90] * 45 + [90] * 5, like=parcel, days_ago=days_ago)
    refresh()
    assert watched(parcel)[R.AT_RISK].chance == pytest.approx(0.1)


# --- concurrent refreshes ---


def test_event_committed_late_is_found_by_its_time(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    [parcel, other] = due_in(merchant_organisation, courier_organisation, 28, count=2)
    now = timezone.now()
    refresh(now=now)
    # As if their transactions had been open at the refresh. The second took too long.
    scan(parcel, "held", 1, reason="weather_snow", now=now - timedelta(minutes=4))
    scan(other, "held", 1, reason="weather_snow", now=now - timedelta(minutes=6))
    refresh(now=now + timedelta(minutes=5))
    assert set(watched(parcel)) == {R.EXCEPTION}
    assert watched(other) == {}


@pytest.mark.django_db(transaction=True)
def test_second_refresh_does_not_run_during_the_first(
    merchant_organisation: Company, courier_organisation: Company
) -> None:
    parcels = due_in(merchant_organisation, courier_organisation, -1, count=3)
    results = []

    def second() -> None:
        results.append(refresh_watch_list(now=timezone.now()))
        connection.close()

    with transaction.atomic():
        assert refresh(limit=1).slices == 3
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert [refreshed.busy for refreshed in results] == [True]
    assert all(R.DELAYED in watched(parcel) for parcel in parcels)
