"""What counts once on the coordinator and on a worker commits in two phases: both, or neither."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from alliance.database.together import require_settled
from alliance.errors import Unavailable
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.bookings.services.booking import book_parcel
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from slas.models import Offer
from slas.offers.services.capacity import Slot, lock
from slas.rates.services.folding import fold_tallies
from tests.citus.servers import of_nodes, on_coordinator
from tests.helpers.locks import is_somebody_waiting
from tests.parcels.helpers.bookings import request_for
from tests.slas.helpers.offers import offer, reserved, today_at

pytestmark = pytest.mark.django_db(transaction=True)
NOON = today_at(12)
_WAITING = """
    SELECT transaction_number FROM get_all_active_transactions() JOIN pg_locks ON pid = process_id
    WHERE NOT granted
"""


@pytest.fixture
def sold(courier_organisation: Organisation, hangzhou: City, chengdu: City) -> Offer:
    return offer(courier_organisation, hangzhou, chengdu)


def prepared() -> set[str]:
    """The names of prepared transactions that the coordinator has noted to be committed."""
    return {gid for (gid,) in raw_rows("SELECT gid FROM pg_dist_transaction")}


@contextmanager
def in_two_phases(workers: int) -> Iterator[None]:
    before = prepared()
    yield
    assert len(prepared() - before) == workers


def book(merchant: Actor, sold: Offer) -> Booked:
    with scope(Scope.of(merchant)):
        return book_parcel(actor=merchant, request=request_for(sold.origin, sold.destination, NOON), at=NOON)


def test_booking_and_its_place_commit_together(merchant: Actor, sold: Offer) -> None:
    with in_two_phases(workers=1):
        book(merchant, sold)
    assert reserved(sold, NOON.date()) == 1


def test_booking_waits_for_its_place_under_a_number_of_its_own(merchant: Actor, sold: Offer) -> None:
    """All that have none are one to the detector of deadlocks: two of them in a queue are one to it."""

    def book_beside() -> None:
        book(merchant, sold)
        connection.close()

    other = threading.Thread(target=book_beside)
    with scope(Scope.everything()):
        lock([Slot(sold.pk, NOON.date())])
        other.start()
        until = time.monotonic() + 30
        while not is_somebody_waiting():
            assert time.monotonic() < until
            time.sleep(0.02)
        waiting = raw_rows(_WAITING)
    other.join()
    assert len(waiting) == 1
    assert all(number for (number,) in waiting)


def test_cancelling_and_the_place_given_back_commit_together(merchant: Actor, sold: Offer) -> None:
    booked = book(merchant, sold)
    with in_two_phases(workers=1), scope(Scope.of(merchant)):
        cancel_parcel(actor=merchant, parcel_id=booked.parcel_id, at=NOON)
    assert reserved(sold, NOON.date()) == 0


def test_deleted_tallies_and_their_cells_commit_together(merchant: Actor, sold: Offer) -> None:
    book(merchant, sold)
    with in_two_phases(workers=1):
        assert fold_tallies().tallies == 2


@contextmanager
def left_prepared(name: str) -> Iterator[None]:
    """Leave a transaction of a worker prepared while the block runs."""
    database = connection.settings_dict["NAME"]
    assert list(of_nodes(database, f"BEGIN; SELECT 1; PREPARE TRANSACTION '{name}'"))
    try:
        yield
    finally:
        assert list(of_nodes(database, f"ROLLBACK PREPARED '{name}'"))


def test_what_is_committed_is_settled_once_each_worker_has_it(merchant: Actor, sold: Offer) -> None:
    book(merchant, sold)
    require_settled()
    database = connection.settings_dict["NAME"]
    with left_prepared("undecided"):
        # The coordinator has not committed it, as far as anybody knows.
        require_settled()
        # Of a group that Citus knows no node of: it does not finish the transaction meanwhile.
        on_coordinator(database, "INSERT INTO pg_dist_transaction (groupid, gid) VALUES (-1, 'undecided')")
        with pytest.raises(Unavailable):
            require_settled()
    require_settled()
    on_coordinator(database, "DELETE FROM pg_dist_transaction WHERE gid = 'undecided'")
