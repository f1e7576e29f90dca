"""Silent parcels count as lost after some days, and no longer after the next scan."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from alliance.dates import date_text
from alliance.models import Heartbeat, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.lost_parcels import trace_lost_parcels
from parcels.scans.services import record_scans
from parcels.tasks import trace_lost_parcels as trace_task
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.models import Commitment, CreditCheck
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.credit_cases import ledger

pytestmark = pytest.mark.django_db
# Partitions begin with last month.
BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=14)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PICKED_UP = BOOKED + HOUR
Scanned = Callable[..., None]


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)
    with scope(Scope.everything()):
        Commitment.objects.filter(parcel_id=parcel.pk, kind="delivery").update(fee_fen=1_000)
    return parcel


@pytest.fixture
def scanned(courier: Actor, parcel: Parcel) -> Scanned:
    def scan(code: str, at: datetime, *, received_at: datetime | None = None, **extra: Any) -> None:
        line = ScanLine(parcel.number, code, at, **extra)
        with scope(Scope.of(courier)):
            report = record_scans(actor=courier, lines=[line], now=received_at or at)
        assert report.rejections == []

    return scan


def lost_at(parcel: Parcel) -> datetime | None:
    with scope(Scope.everything()):
        return Commitment.objects.get(parcel_id=parcel.pk, kind="delivery").lost_at


def make_local(parcel: Parcel) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(destination_id=parcel.origin_id)


def trace(at: datetime) -> tuple[int, int]:
    result = trace_lost_parcels(now=at)
    assert not result.busy
    return result.lost, result.found


@pytest.mark.parametrize(("local", "days"), [(True, 3), (False, 7)])
def test_silence_counts_as_loss_after_the_limit(
    parcel: Parcel, scanned: Scanned, local: bool, days: int
) -> None:
    if local:
        make_local(parcel)
    scanned("picked_up", PICKED_UP)
    lost_since = PICKED_UP + days * DAY
    assert trace(lost_since - timedelta(seconds=1)) == (0, 0)
    assert trace(lost_since + HOUR) == (1, 0)
    assert lost_at(parcel) == lost_since
    assert trace(lost_since + 2 * HOUR) == (0, 0)


def test_loss_is_credited_and_reversed_when_found(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    now = PICKED_UP + 8 * DAY
    sweep_overdue(now=now)
    work_out_credits(now=now)
    trace(now)
    work_out_credits(now=now)
    assert ledger(parcel.pk) == [(1_000, "overdue"), (19_000, "lost")]
    scanned("arrived", now + HOUR)
    assert trace(now + DAY) == (0, 1)
    assert lost_at(parcel) is None
    work_out_credits(now=now + DAY)
    assert ledger(parcel.pk)[2:] == [(-19_000, "found")]


def test_pages_show_lost_parcels(
    parcel: Parcel, scanned: Scanned, client: Client, merchant_client: Client, courier_client: Client
) -> None:
    """A loss is credited, so members see the reason, and recipients see that the parcel is lost."""
    scanned("picked_up", PICKED_UP)
    sweep_overdue(now=timezone.now())
    pages = (
        (merchant_client, f"/parcels/{parcel.number}/"),
        (courier_client, f"/parcels/{parcel.number}/"),
        (merchant_client, f"/breaches/{parcel.number}/delivery/"),
    )
    for reader, address in pages:
        assert "counts as lost" not in reader.get(address).content.decode()
    trace(timezone.now())
    day = date_text(timezone.localtime(PICKED_UP + 7 * DAY))
    for reader, address in pages:
        assert f"counts as lost since {day}." in reader.get(address).content.decode()
    assert "Presumed lost" in client.get(f"/track/{parcel.number}/").content.decode()
    scanned("delivered", timezone.now())
    assert "Presumed lost" not in client.get(f"/track/{parcel.number}/").content.decode()
    for reader, address in pages:
        assert "counts as lost" not in reader.get(address).content.decode()


def test_late_received_scan_removes_the_loss(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    trace(PICKED_UP + 8 * DAY)
    scanned("arrived", PICKED_UP + 2 * DAY, received_at=PICKED_UP + 8 * DAY)
    assert trace(PICKED_UP + 8 * DAY) == (0, 1)
    # Silent again since then, for longer than the limit.
    assert trace(PICKED_UP + 9 * DAY) == (1, 0)
    assert lost_at(parcel) == PICKED_UP + 9 * DAY


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("departed", {}),
        ("out_for_delivery", {}),
        ("held", {"reason": "customs_inspection"}),
        ("attempt_failed", {"reason": "courier_capacity"}),
        ("attempt_failed", {"reason": "consignee_absent"}),
        ("return_started", {}),
    ],
)
def test_parcels_in_transit_are_traced(
    parcel: Parcel, scanned: Scanned, code: str, extra: dict[str, Any]
) -> None:
    scanned("picked_up", PICKED_UP)
    scanned(code, PICKED_UP + HOUR, **extra)
    sweep_overdue(now=PICKED_UP + 8 * DAY)
    assert trace(PICKED_UP + 8 * DAY) == (1, 0)


@pytest.mark.parametrize(
    ("code", "extra"),
    [("delivered", {}), ("returned", {}), ("available_for_pickup", {"consent": True})],
)
def test_final_and_waiting_parcels_are_not_lost(
    parcel: Parcel, scanned: Scanned, code: str, extra: dict[str, Any]
) -> None:
    scanned("picked_up", PICKED_UP)
    scanned(code, PICKED_UP + HOUR, **extra)
    assert trace(PICKED_UP + 9 * DAY) == (0, 0)


def test_parcel_not_picked_up_is_not_lost(parcel: Parcel, merchant: Actor) -> None:
    sweep_overdue(now=BOOKED + 9 * DAY)
    assert trace(BOOKED + 9 * DAY) == (0, 0)
    with scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=parcel.pk, at=BOOKED + 9 * DAY)
    assert trace(BOOKED + 10 * DAY) == (0, 0)


def test_parcel_scanned_as_lost_stays_lost(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    scanned("lost", PICKED_UP + DAY, event_id="lost-1")
    assert lost_at(parcel) == PICKED_UP + DAY
    assert trace(PICKED_UP + 9 * DAY) == (0, 0)
    assert lost_at(parcel) == PICKED_UP + DAY
    scanned("correction", PICKED_UP + 9 * DAY, corrects="lost-1")
    assert lost_at(parcel) is None


def test_delivered_parcel_is_no_longer_lost(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    trace(PICKED_UP + 8 * DAY)
    scanned("delivered", PICKED_UP + 9 * DAY)
    assert trace(PICKED_UP + 9 * DAY) == (0, 1)


def test_each_change_queues_one_credit_check(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    trace(PICKED_UP + 8 * DAY)
    trace(PICKED_UP + 8 * DAY)
    with scope(Scope.everything()):
        assert CreditCheck.objects.filter(parcel_id=parcel.pk).count() == 1


def test_many_parcels_are_traced_in_batches(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    courier: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parcels.scans.lost_parcels.BATCH", 2)
    parcels = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED, count=5)
    with scope(Scope.of(courier)):
        record_scans(
            actor=courier,
            lines=[ScanLine(parcel.number, "picked_up", PICKED_UP) for parcel in parcels],
            now=PICKED_UP,
        )
    assert trace(PICKED_UP + 8 * DAY) == (5, 0)


def test_task_records_its_heartbeat(parcel: Parcel, scanned: Scanned) -> None:
    scanned("picked_up", PICKED_UP)
    assert trace_task() == 1
    assert trace_task() == 0
    assert Heartbeat.objects.get(name="trace-lost-parcels").detail == {"lost": 0, "found": 0}


@pytest.mark.django_db(transaction=True)
def test_scan_between_selection_and_judgement_counts(
    parcel: Parcel, scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan between selection and judgement: the parcel is not lost."""
    scanned("picked_up", PICKED_UP)
    now = PICKED_UP + 8 * DAY
    errors: list[BaseException] = []

    def scan_now() -> None:
        try:
            scanned("arrived", now)
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            errors.append(error)
        finally:
            connections.close_all()

    from parcels.scans import lost_parcels  # noqa: PLC0415 -- to be watched

    judge = lost_parcels._split_by_silence

    def judge_later(parcels: Any, at: datetime) -> Any:
        other = threading.Thread(target=scan_now)
        other.start()
        other.join(20)
        return judge(parcels, at)

    monkeypatch.setattr(lost_parcels, "_split_by_silence", judge_later)
    assert trace(now) == (0, 0)
    assert errors == []
    assert lost_at(parcel) is None
