"""A worker that is away costs its homes only: what needs it waits or is refused, all else goes on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from alliance.database.postgresql.fences import NOWHERE
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from alliance.web.outages import outage_of
from couriers.models import CourierHome
from parcels.booking_files.services.files import book_file
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.audit import audit_credits
from slas.credits.services.entries import check_grown_credits, work_out_credits
from slas.models import CreditEntry, CreditSum
from slas.rates.services.folding import fold_tallies
from tests.citus.servers import on_coordinator
from tests.parcels.helpers.booking_files import counts, reread, results, row, started, text_of
from tests.parcels.helpers.parcels import booked_parcels
from tests.slas.helpers.offers import offer

pytestmark = pytest.mark.django_db(transaction=True)
NODE_OF = """
    SELECT nodeid FROM pg_dist_placement JOIN pg_dist_node USING (groupid)
    WHERE shardid = get_shard_id_for_distribution_column('parcels_parcel', %s::bigint)
"""
OTHER_NODES = """
    SELECT nodeid FROM pg_dist_node WHERE groupid > 0 AND nodeid <> %s
"""
LATER = timezone.now() + timedelta(days=30)
Away = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def away() -> Away:
    """Have a worker refuse everybody, as one that was killed."""
    database = connection.settings_dict["NAME"]

    @contextmanager
    def refusing(node: int) -> Iterator[None]:
        on_coordinator(database, f"INSERT INTO pg_dist_poolinfo VALUES ({node}, '{NOWHERE}')")
        # The session has connections to it.
        connection.close()
        try:
            yield
        finally:
            on_coordinator(database, f"DELETE FROM pg_dist_poolinfo WHERE nodeid = {node}")

    return refusing


@pytest.fixture
def by_node(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> dict[int, list[Parcel]]:
    """Parcels of any home, by the worker that has them."""
    booked_at = timezone.now() - timedelta(hours=12)
    found: dict[int, list[Parcel]] = {}
    for parcel in booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at, count=24):
        [(node,)] = raw_rows(NODE_OF, [parcel.pk])
        found.setdefault(node, []).append(parcel)
    assert len(found) == 2
    return found


def send(courier: Actor, parcels: list[Parcel]) -> int:
    at = timezone.now() - timedelta(minutes=1)
    lines = [ScanLine(parcel.number, "picked_up", at, event_id="once") for parcel in parcels]
    with scope(Scope.of(courier)):
        return record_scans(actor=courier, lines=lines).accepted


def test_scans_of_its_homes_are_refused_and_all_others_written(
    courier: Actor, by_node: dict[int, list[Parcel]], away: Away
) -> None:
    lost, there = sorted(by_node)
    with away(lost):
        assert send(courier, by_node[there]) == len(by_node[there])
        with pytest.raises(OperationalError) as raised:
            send(courier, by_node[lost])
        outage = outage_of(raised.value)
        assert outage is not None
        assert (outage.status, outage.retry_after is not None) == (503, True)
    assert send(courier, by_node[lost]) == len(by_node[lost])


def test_sweep_and_fold_go_on_with_the_others_and_catch_up(
    courier: Actor, by_node: dict[int, list[Parcel]], away: Away
) -> None:
    lost, there = sorted(by_node)
    now = timezone.now()
    with away(lost):
        with pytest.raises(OperationalError, match="refused"):
            sweep_overdue(now=now)
        with pytest.raises(OperationalError, match="refused"):
            fold_tallies()
    due = dict(raw_rows_of_everything("SELECT parcel_id, outcome FROM slas_commitment WHERE kind = 'pickup'"))
    assert {due[parcel.pk] for parcel in by_node[there]} == {"overdue"}
    assert {due[parcel.pk] for parcel in by_node[lost]} == {"pending"}
    assert sweep_overdue(now=now).overdue == len(by_node[lost])
    fold_tallies()
    [(overdue,)] = raw_rows_of_everything(
        "SELECT overdue FROM slas_overduecount WHERE kind = 'pickup' AND counterpart_id IS NULL"
        " AND organisation_id = %s",
        courier.organisation_id,
    )
    assert overdue == 24


@pytest.fixture
def overdue(by_node: dict[int, list[Parcel]]) -> dict[int, list[Parcel]]:
    """The same, paid for and overdue since long. Credits were worked out before."""
    raw_rows_of_everything("UPDATE slas_commitment SET fee_fen = 1000 WHERE kind = 'delivery' RETURNING 1")
    work_out_credits(now=LATER)
    sweep_overdue(now=LATER)
    return by_node


def test_credits_of_its_homes_wait_and_all_others_are_worked_out_once(
    overdue: dict[int, list[Parcel]], away: Away
) -> None:
    lost, there = sorted(overdue)
    with away(lost):
        for _again in range(2):
            with pytest.raises(OperationalError, match="refused"):
                work_out_credits(now=LATER)
        assert credited_by_sums() == len(overdue[there])
    assert credited_parcels() == sorted(parcel.pk for parcel in overdue[there])
    work_out_credits(now=LATER)
    assert credited_parcels() == sorted(parcel.pk for parcels in overdue.values() for parcel in parcels)
    assert credited_by_sums() == 24
    with scope(Scope.everything()):
        assert audit_credits(now=LATER) == []


def test_sums_catch_up_after_a_batch_that_was_undone_while_a_worker_is_away(
    overdue: dict[int, list[Parcel]], away: Away
) -> None:
    lost, there = sorted(overdue)
    raw_rows("SELECT nextval('slas_creditentry_id_seq')")
    with away(lost):
        with pytest.raises(OperationalError, match="refused"):
            work_out_credits(now=LATER)
        assert credited_by_sums() == 0
    assert len(credited_parcels()) == len(overdue[there])
    work_out_credits(now=LATER)
    assert (len(credited_parcels()), credited_by_sums()) == (24, 24)


def test_grown_credits_of_other_homes_are_queued(overdue: dict[int, list[Parcel]], away: Away) -> None:
    lost, there = sorted(overdue)
    raw_rows_of_everything("DELETE FROM slas_creditcheck RETURNING 1")
    with away(lost), pytest.raises(OperationalError, match="refused"):
        check_grown_credits(now=LATER)
    queued = raw_rows_of_everything("SELECT parcel_id FROM slas_creditcheck")
    assert {parcel_id for (parcel_id,) in queued} == {parcel.pk for parcel in overdue[there]}
    assert check_grown_credits(now=LATER) == len(overdue[lost])


def credited_parcels() -> list[int]:
    with scope(Scope.everything()):
        return sorted(CreditEntry.objects.values_list("parcel_id", flat=True))


def credited_by_sums() -> int:
    with scope(Scope.everything()):
        return sum(CreditSum.objects.values_list("entry_count", flat=True))


@pytest.fixture
def booking_files(
    courier_organisation: Organisation,
    hangzhou: City,
    chengdu: City,
    settings: Any,
    tmp_path: Path,
    sent: Any,
) -> None:
    settings.MEDIA_ROOT = tmp_path
    offer(courier_organisation, hangzhou, chengdu, daily_capacity=1_000)


@pytest.mark.usefixtures("booking_files")
def test_file_of_bookings_waits_and_books_each_row_once(
    merchant: Actor, by_node: dict[int, list[Parcel]], away: Away
) -> None:
    file = started(merchant, text_of(*(row(reference=f"R{n}") for n in range(40))))
    for node in by_node:
        with away(node):
            # Not failed, and not an attempt: it is taken up again by itself.
            assert not book_file(file_id=file.pk)
        waiting = reread(file)
        assert (counts(waiting), waiting.attempts) == (("queued", 0, 0, 0, 0), 0)
        assert waiting.problem == "Waiting for a part of our storage that does not answer."
        assert waiting.due_at < timezone.now() + timedelta(seconds=10)
    assert book_file(file_id=file.pk)
    assert counts(reread(file)) == ("done", 40, 40, 0, 0)
    assert reread(file).problem == ""
    numbers = {result["tracking_number"] for result in results(file)}
    with scope(Scope.of(merchant)):
        booked = Parcel.objects.filter(reference__startswith="R")
        assert numbers == {parcel.number for parcel in booked}
    assert len(numbers) == 40


@pytest.mark.usefixtures("booking_files")
def test_file_of_a_merchant_whose_couriers_are_elsewhere_goes_on(
    merchant: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    away: Away,
) -> None:
    now = timezone.now()
    with scope(Scope.everything()):
        CourierHome.objects.create(courier_id=courier_organisation.pk, home=7, since=now - timedelta(days=90))
    [known] = booked_parcels(
        merchant_organisation,
        courier_organisation,
        booked_at=now - timedelta(days=1),
        homes=[7],
        reference="R1",
    )
    [(there,)] = raw_rows(NODE_OF, [known.pk])
    [lost] = [node for (node,) in raw_rows(OTHER_NODES, [there])]
    first = started(merchant, text_of(*(row(reference=f"R{n}") for n in range(20))))
    second = started(merchant, text_of(*(row(reference=f"R{n}") for n in range(30))))
    with away(lost):
        for file in (first, second):
            assert book_file(file_id=file.pk)
    assert counts(reread(first)) == ("done", 20, 19, 1, 0)
    assert counts(reread(second)) == ("done", 30, 10, 20, 0)
    third = started(merchant, text_of(row(reference="R99")))
    with away(there):
        assert not book_file(file_id=third.pk)
    assert book_file(file_id=third.pk)


def raw_rows_of_everything(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with scope(Scope.everything()):
        return raw_rows(statement, list(parameters))
