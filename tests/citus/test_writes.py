"""What writes send to the workers, and what they leave there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from operator import attrgetter
from threading import Event
from time import sleep

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from alliance.choices import Role
from alliance.members.services.actors import actor_of_organisation
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, limited, raw_rows, scope
from alliance.web.outages import outage_of
from parcels.bookings.services.booking import book_parcel
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import ScanReport, record_scans
from tests.citus import servers
from tests.parcels.helpers.bookings import request_for
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import in_threads, offer, reserved, today_at

pytestmark = pytest.mark.django_db(transaction=True)
Sent = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    booked_at = timezone.now() - timedelta(hours=1)
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at)
    return parcel


def send(courier: Actor, parcel: Parcel, *event_ids: str) -> ScanReport:
    at = parcel.booked_at + timedelta(minutes=30)
    lines = [ScanLine(parcel.number, "departed", at, event_id=event_id) for event_id in event_ids]
    with limited(statement_seconds=20, lock_seconds=5), scope(Scope.of(courier)):
        return record_scans(actor=courier, lines=lines)


def commands(said: list[str]) -> list[str]:
    return [command.split(maxsplit=1)[0] for command in said]


def test_single_scan_is_one_message(courier: Actor, parcel: Parcel, sent: Sent) -> None:
    numbers = count()
    said = sent(lambda: send(courier, parcel, f"{next(numbers)}"))
    assert commands(said) == ["SELECT"]


def test_single_scan_takes_no_longer_than_a_statement_may(courier: Actor, parcel: Parcel) -> None:
    database = connection.settings_dict["NAME"]
    held = f"SELECT 1 FROM parcels_parcel WHERE id = {parcel.pk} FOR UPDATE"
    at = parcel.booked_at + timedelta(minutes=30)
    lines = [ScanLine(parcel.number, "departed", at, event_id="once")]
    limits, own = limited(statement_seconds=0.2, lock_seconds=30), scope(Scope.of(courier))
    with servers.holding(database, held), pytest.raises(DatabaseError) as raised, limits, own:
        record_scans(actor=courier, lines=lines)
    outage = outage_of(raised.value)
    assert outage is not None
    assert outage.status == 503
    # The next one of the session has its own time.
    assert send(courier, parcel, "once").accepted == 1


def test_single_scans_are_not_one_transaction_to_the_detector_of_deadlocks(
    courier: Actor, merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    """A scan holds what a batch waits for, and another waits for the batch: that is no deadlock."""
    database = connection.settings_dict["NAME"]
    booked_at = timezone.now() - timedelta(hours=1)
    two = booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at, count=2, homes=[7])
    first, second = sorted(two, key=attrgetter("pk"))
    waiting = Event()

    def scan(number: int, *parcels: Parcel) -> ScanReport:
        lines = [ScanLine(each.number, "picked_up", each.booked_at, event_id=f"{number}") for each in parcels]
        with limited(statement_seconds=60, lock_seconds=60), scope(Scope.of(courier)):
            return record_scans(actor=courier, lines=lines)

    def work(number: int) -> object:
        # Each begins when those before it wait.
        while len(waits(database)) < number and not waiting.is_set():
            sleep(0.02)
        match number:
            case 0:
                return scan(0, second)
            case 1:
                return scan(1, first, second)
            case 2:
                return scan(2, first)
        try:
            return servers.on_coordinator(database, "SELECT check_distributed_deadlocks()")
        finally:
            waiting.set()

    held = f"SELECT 1 FROM slas_commitment WHERE parcel_id = {second.pk} FOR UPDATE"
    with ThreadPoolExecutor(1) as pool:
        with servers.holding(database, held):
            done = pool.submit(in_threads, work, 4)
            all_have_waited = waiting.wait(60)
            # Nobody looks on if one was cancelled instead.
            waiting.set()
        *reports, found = done.result()
    assert all_have_waited
    assert found == [(False,)]
    assert [report.accepted for report in reports] == [1, 2, 1]


def waits(database: str) -> set[object]:
    rows = servers.on_coordinator(database, "SELECT waiting_pid FROM dump_global_wait_edges()")
    return {pid for (pid,) in rows}


def test_batch_of_one_shard_is_one_call_of_its_worker(courier: Actor, parcel: Parcel, sent: Sent) -> None:
    """Nothing is prepared for a commit in two phases, and nothing else is sent than what is needed."""
    numbers = count()
    said = sent(lambda: send(courier, parcel, *(f"{next(numbers)}" for _line in range(9))))
    assert commands(said) == ["BEGIN", "SELECT", "COMMIT"]


def test_booking_is_four_messages(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City, sent: Sent
) -> None:
    offer(courier_organisation, hangzhou, chengdu)
    noon = today_at(12)

    def book() -> None:
        with scope(Scope.of(merchant)):
            book_parcel(actor=merchant, request=request_for(hangzhou, chengdu, noon), at=noon)

    assert commands(sent(book)) == ["BEGIN", "SELECT", "PREPARE", "COMMIT"]


def test_booking_of_a_full_day_goes_to_the_next(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City
) -> None:
    sold, noon = offer(courier_organisation, hangzhou, chengdu, daily_capacity=1), today_at(12)
    for days in range(2):
        request = replace(request_for(hangzhou, chengdu, noon), if_full="next")
        with scope(Scope.of(merchant)):
            booked = book_parcel(actor=merchant, request=request, at=noon)
        assert booked.promise.effective_date == noon.date() + timedelta(days=days)
        assert reserved(sold, booked.promise.effective_date) == 1


def test_single_scan_counts_once(courier: Actor, parcel: Parcel) -> None:
    assert send(courier, parcel, "once").accepted == 1
    again = send(courier, parcel, "once")
    assert (again.accepted, again.duplicates) == (0, [0])
    with scope(Scope.everything()):
        counts = raw_rows(
            "SELECT scan_count, (SELECT count(*) FROM parcels_scan WHERE parcel_id = %(id)s)"
            " FROM parcels_parcel WHERE id = %(id)s",
            {"id": parcel.pk},
        )
    assert counts == [(1, 1)]


def test_single_scan_of_another_couriers_parcel_is_of_an_unknown_one(
    rival_courier: Organisation, courier: Actor, parcel: Parcel
) -> None:
    rival = actor_of_organisation(rival_courier, kind="user", role=Role.OWNER, label="rival")
    [rejection] = send(rival, parcel, "foreign").rejections
    assert rejection.code == "unknown_parcel"
    assert send(courier, parcel, "own").accepted == 1


def test_single_scan_leaves_no_scope_on_the_workers_connection(courier: Actor, parcel: Parcel) -> None:
    assert send(courier, parcel, "first").accepted == 1
    # By the same connection to the worker.
    seen = "SELECT count(*) FROM parcels_parcel WHERE id = %s"
    assert raw_rows(seen, [parcel.pk]) == [(0,)]
    with scope(Scope.of(courier)):
        assert raw_rows(seen, [parcel.pk]) == [(1,)]
