"""A shard that moves while scans are written loses none of them, and nobody is told that it failed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg2
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from alliance.database import at_home
from alliance.database.at_home import of_parcel, rows_at_home
from alliance.database.owner import as_owner
from alliance.homes import home_of
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.bookings.services import booking
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.writing import Booked
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from parcels.tracking.queries import look_up
from parcels.tracking.sql import TRACKED_PARCEL
from tests.parcels.helpers.bookings import request_for
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import offer, reserved, today_at

pytestmark = pytest.mark.django_db(transaction=True)


class Place(NamedTuple):
    shard: int
    host: str
    port: int


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    booked_at = timezone.now() - timedelta(hours=1)
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at)
    return parcel


def place_of(parcel: Parcel) -> Place:
    """The shard of a parcel, and the node that has it."""
    [row] = raw_rows(
        "SELECT shardid, nodename, nodeport FROM pg_dist_placement JOIN pg_dist_node USING (groupid)"
        " WHERE shardid = get_shard_id_for_distribution_column('parcels_parcel', %s::bigint)",
        [parcel.pk],
    )
    return Place(*row)


def move(place: Place) -> None:
    limit = time.monotonic() + 20
    [(host, port)] = raw_rows(
        "SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards"
        " AND (nodename, nodeport) IS DISTINCT FROM (%s, %s) ORDER BY nodeid LIMIT 1",
        [place.host, place.port],
    )
    moving = "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'block_writes')"
    with as_owner():
        # What a move before left behind is dropped once nobody reads it any more.
        while (
            raw_rows("SELECT EXISTS (SELECT 1 FROM pg_dist_cleanup)") == [(True,)]
            and time.monotonic() < limit
        ):
            raw_rows("CALL citus_cleanup_orphaned_resources()")
            time.sleep(0.1)
        raw_rows(moving, [*place, host, port])


def send(courier: Actor, parcel: Parcel) -> None:
    line = ScanLine(parcel.number, "picked_up", timezone.now() - timedelta(minutes=1), event_id="once")
    with scope(Scope.of(courier)):
        assert record_scans(actor=courier, lines=[line]).accepted == 1


def scans_of(parcel: Parcel) -> tuple[str, int, int]:
    with scope(Scope.everything()):
        [(status, count)] = raw_rows(
            "SELECT status, scan_count FROM parcels_parcel WHERE id = %s", [parcel.pk]
        )
        [(stored,)] = raw_rows("SELECT count(*) FROM parcels_scan WHERE parcel_id = %s", [parcel.pk])
    return status, count, stored


@contextmanager
def held_from_moving(place: Place) -> Iterator[None]:
    """Hold a shard on its node against moves and writers, until the block ends."""
    owner = settings.OWNER_DATABASE
    session = psycopg2.connect(
        host=place.host,
        port=place.port,
        user=owner["USER"],
        password=owner["PASSWORD"] or None,
        dbname=connection.settings_dict["NAME"],
    )
    with closing(session), session.cursor() as cursor:
        cursor.execute("SELECT lock_shard_metadata(7, ARRAY[%s::bigint])", [place.shard])
        yield


def until_so_many_wait(count: int) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = ''advisory''"
    for _attempt in range(600):
        rows = raw_rows(f"SELECT result FROM run_command_on_all_nodes('{waiting}')")
        if sum(int(result) for (result,) in rows) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"never {count} waiting")


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Run something in another thread; its failure is that of the block."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- raised below
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
    assert failures == []


def test_scan_that_comes_when_the_move_is_over_is_stored_where_the_shard_is(
    courier: Actor, parcel: Parcel
) -> None:
    before = place_of(parcel)
    with (
        meanwhile(lambda: send_behind_the_move(courier, parcel)),
        meanwhile(lambda: move(before)),
        held_from_moving(before),
    ):
        # The move waits for us, and the scan for the move: it arrives at the node where the shard was.
        until_so_many_wait(2)
    assert place_of(parcel)[1:] != before[1:]
    assert scans_of(parcel) == ("picked_up", 1, 1)


def send_behind_the_move(courier: Actor, parcel: Parcel) -> None:
    until_so_many_wait(1)
    send(courier, parcel)


def test_booking_that_comes_when_the_move_is_over_is_written_where_the_shard_is(
    merchant: Actor, courier_organisation: Organisation, hangzhou: City, chengdu: City, parcel: Parcel
) -> None:
    sold, noon, before = offer(courier_organisation, hangzhou, chengdu), today_at(12), place_of(parcel)
    booked: list[Booked] = []

    def book() -> None:
        until_so_many_wait(1)
        request = request_for(hangzhou, chengdu, noon)
        with pytest.MonkeyPatch.context() as patch, scope(Scope.of(merchant)):
            # In the shard that moves.
            patch.setattr(booking, "draw_ids", lambda *_: [neighbour_of(parcel)])
            booked.append(book_parcel(actor=merchant, request=request, at=noon))

    with meanwhile(book), meanwhile(lambda: move(before)), held_from_moving(before):
        until_so_many_wait(2)
    [made] = booked
    assert place_of(Parcel(pk=made.parcel_id)) == place_of(parcel) != before
    assert reserved(sold, noon.date()) == 1


def neighbour_of(parcel: Parcel) -> int:
    """Another id in the shard of a parcel."""
    home = home_of(parcel.pk)
    return next(number for number in range(parcel.pk + 1, parcel.pk + 10_000) if home_of(number) == home)


def test_move_waits_for_a_scan_that_is_being_stored(courier: Actor, parcel: Parcel) -> None:
    before = place_of(parcel)
    with meanwhile(lambda: move(before)), scope(Scope.of(courier)):
        # A part of a transaction, which alone would be over at once.
        raw_rows("SELECT 1")
        line = ScanLine(parcel.number, "picked_up", timezone.now() - timedelta(minutes=1))
        assert record_scans(actor=courier, lines=[line]).accepted == 1
        # Asked on another connection: this transaction stays as it is.
        with meanwhile(lambda: until_so_many_wait(1)):
            pass
    assert place_of(parcel)[1:] != before[1:]
    assert scans_of(parcel) == ("picked_up", 1, 1)


def test_tracking_after_a_move_says_what_was_scanned_since(courier: Actor, parcel: Parcel) -> None:
    """Also to a session of the coordinator that looked before, and so knows where the shard was."""
    assert look_up(parcel.pk, now=timezone.now()).parcel.status == "booked"
    before = place_of(parcel)

    def move_and_scan() -> None:
        move(before)
        send(courier, parcel)

    with meanwhile(move_and_scan):
        pass
    assert look_up(parcel.pk, now=timezone.now()).parcel.status == "picked_up"


def test_look_at_a_table_that_was_moved_away_and_dropped_is_sent_again(
    parcel: Parcel, dropped: list[str]
) -> None:
    assert of_parcel(TRACKED_PARCEL, parcel.pk)
    assert dropped == []
    dropped.append("in a transaction")
    with scope(Scope.parcel(parcel.pk)):
        assert rows_at_home(TRACKED_PARCEL, {"home": parcel.pk}) != [(None,)]
    assert dropped == []


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For each text in the list, the next call arrives at a node where the table is no more."""
    waiting = ["alone"]

    def late(*call: Any) -> list[tuple[Any, ...]]:
        return raw_rows("SELECT 1 FROM parcels_parcel_1") if waiting and waiting.pop() else raw_rows(*call)

    monkeypatch.setattr(at_home, "raw_rows", late)
    return waiting
