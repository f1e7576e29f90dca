"""Months are created, detached and dropped during bookings and scans, and beside a long transaction."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from alliance.database import partitions
from alliance.database.owner import as_owner
from alliance.database.partitions import Month
from alliance.members.acquaintances import acquaint
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.models import Parcel, Scan
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.models import Commitment
from tests.citus import servers
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db(transaction=True)

# No other test uses these months.
FAR, GONE = Month(2071, 1), Month(2070, 6)
# The longest a writer may wait for a lock here: on a cluster, for a month that waits for its own.
PATIENCE = "5s" if servers.URL else "500ms"


@pytest.fixture
def old_month() -> Iterator[Month]:
    """A month that a test may drop; it is removed at the end."""
    partitions.ensure_months(GONE, GONE)
    yield GONE
    for table in partitions.partitioned_tables():
        for month in (GONE.plus(-1), GONE, *(FAR.plus(number) for number in range(4))):
            partitions.detach_month(table, month)
            partitions.drop_detached(table, month)


@contextmanager
def in_background(work: Callable[[], Any], count: int = 1) -> Iterator[list[Any]]:
    """Run work in threads with separate connections; yields a list of the exceptions they raise."""
    raised: list[Any] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- the test looks at it
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield raised
    finally:
        for thread in threads:
            thread.join(30)


@contextmanager
def long_transaction() -> Iterator[threading.Event]:
    """A transaction that has read every busy table stays open during the block, or until the event is set."""
    reads, done = threading.Event(), threading.Event()

    def read() -> None:
        with scope(Scope.everything()):
            for table in partitions.partitioned_tables():
                raw_rows(f"SELECT count(*) FROM {table}")
            reads.set()
            done.wait(30)

    with in_background(read) as raised:
        assert reads.wait(30)
        try:
            yield done
        finally:
            done.set()
    assert raised == []


@contextmanager
def writers(merchant: Organisation, courier: Organisation, scans: Actor) -> Iterator[Callable[[int], None]]:
    """Two threads book and scan until the block ends; neither waits longer than PATIENCE.

    Gives a function that waits until they have done so many more rounds.
    """
    stop, rounds = threading.Event(), [0]
    # Else one writer waits for the other to be the first.
    with scope(Scope.everything()):
        acquaint([(merchant.pk, courier.pk)])

    def write() -> None:
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = %s", [PATIENCE])
            booked = booked_parcels(
                merchant, courier, booked_at=timezone.now() - timedelta(minutes=1), count=5
            )
            with scope(Scope.of(scans)):
                lines = [ScanLine(parcel.number, "picked_up", timezone.now()) for parcel in booked]
                assert record_scans(actor=scans, lines=lines).accepted == 5
            rounds[0] += 1

    def wait(more: int) -> None:
        aim, until = rounds[0] + more, time.monotonic() + 30
        while rounds[0] < aim:
            assert time.monotonic() < until, "the writers stand still"
            time.sleep(0.01)

    with in_background(write, count=2) as raised:
        try:
            wait(2)
            yield wait
            wait(2)
        finally:
            stop.set()
    assert raised == []
    with scope(Scope.everything()):
        assert Parcel.objects.count() == Scan.objects.count() == rounds[0] * 5
        assert Commitment.objects.count() == rounds[0] * 10


def test_months_are_created_beside_writers_and_a_long_transaction(
    old_month: Month, merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    with writers(merchant_organisation, courier_organisation, courier) as wait, long_transaction():
        month_count = partitions.ensure_months(FAR, FAR.plus(3))
        wait(2)
    assert month_count == 4 * len(partitions.partitioned_tables())


@pytest.mark.one_server("a cluster has no DETACH ... CONCURRENTLY: a month is detached at once, or not yet")
def test_month_is_dropped_beside_writers_after_a_long_transaction(
    old_month: Month, merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    def drop() -> None:
        for table in partitions.partitioned_tables():
            partitions.detach_month(table, old_month)
            partitions.drop_detached(table, old_month)

    with (
        writers(merchant_organisation, courier_organisation, courier) as wait,
        long_transaction() as reader_done,
        in_background(drop) as raised,
    ):
        # The first table's month waits for the reader: it is already invisible, and blocks no writers.
        until = time.monotonic() + 30
        while old_month.suffix in partitions.months_of(partitions.partitioned_tables()[0]):
            assert time.monotonic() < until
            time.sleep(0.02)
        wait(5)
        [(exists,)] = raw_rows("SELECT to_regclass('parcels_parcel_y2070m06') IS NOT NULL")
        assert exists
        reader_done.set()
    assert raised == []
    assert all(
        old_month.suffix not in partitions.months_of(table) for table in ("parcels_scan", "slas_breach")
    )
    assert raw_rows("SELECT relname FROM pg_class WHERE relname LIKE '%%y2070m06'", []) == []


@pytest.mark.one_server("a cluster has no DETACH ... CONCURRENTLY: a month is detached at once, or not yet")
def test_interrupted_detaching_is_finished(old_month: Month) -> None:
    with long_transaction(), as_owner(), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '200ms'")
        with pytest.raises(Exception, match="statement timeout"):
            partitions.detach_month("parcels_scan", old_month)
    assert old_month.suffix not in partitions.months_of("parcels_scan")
    partitions.detach_month("parcels_scan", old_month)
    partitions.detach_month("parcels_scan", old_month)
    partitions.drop_detached("parcels_scan", old_month)
    assert raw_rows("SELECT to_regclass('parcels_scan_y2070m06') IS NULL") == [(True,)]


def test_creating_a_month_gives_up_soon_and_retries(
    old_month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(partitions, "_PAUSE", 0.05)
    locked, release = threading.Event(), threading.Event()

    def analyse() -> None:
        with scope(Scope.everything()), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE parcels_scan IN SHARE UPDATE EXCLUSIVE MODE")
            locked.set()
            release.wait(10)

    with in_background(analyse) as raised:
        assert locked.wait(10)
        threading.Timer(0.4, release.set).start()
        assert partitions.ensure_months(FAR, FAR) == len(partitions.partitioned_tables())
    assert raised == []


def test_no_partitioned_table_has_a_foreign_key() -> None:
    """With one, attaching, detaching and dropping a month would lock the referenced table."""
    assert (
        raw_rows(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            [partitions.partitioned_tables()],
        )
        == []
    )


def test_month_has_the_storage_parameters_and_gets_changes(
    old_month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parameters() -> list[str]:
        [(options,)] = raw_rows("SELECT reloptions FROM pg_class WHERE relname = 'parcels_parcel_y2070m06'")
        return sorted(options)

    expected = partitions.table_storage.PARAMETERS["parcels_parcel"]
    assert parameters() == sorted(f"{name}={value}" for name, value in expected.items())
    monkeypatch.setitem(partitions.table_storage.PARAMETERS, "parcels_parcel", {"fillfactor": "90"})
    partitions.set_storage()
    assert parameters() == ["fillfactor=90"]
    monkeypatch.undo()
    partitions.set_storage()
    assert parameters() == sorted(f"{name}={value}" for name, value in expected.items())


def test_every_table_with_parameters_exists() -> None:
    for name in partitions.table_storage.PARAMETERS:
        assert raw_rows("SELECT to_regclass(%s) IS NOT NULL", [name]) == [(True,)], name
