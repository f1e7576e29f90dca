"""For any file, each row has the same result as booking it separately."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance.errors import AllianceError
from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services import files as booking_files
from parcels.bookings.rules import BookingRequest, IfFull, Recipient
from parcels.bookings.services.booking import book_order
from parcels.models import Parcel
from slas.models import CapacityDay, Commitment, Offer
from tests.helpers.profiles import scaled
from tests.parcels.helpers.booking_files import finished, results, row, text_of
from tests.slas.helpers import offers as offering

ROWS = st.lists(
    st.builds(
        lambda reference, weight, if_full, phone: row(
            reference=reference, weight_g=weight, if_full=if_full, recipient_phone=phone
        ),
        st.sampled_from(["", "", "A", "B", "C"]),
        st.sampled_from(["800", "800", "800", "25000", "x", ""]),
        st.sampled_from(["", "refuse", "next"]),
        st.sampled_from(["13812345678", "13812345678", "none"]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True)
def _alone(settings: Any, tmp_path: Path, sent: list[Any]) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def offers(
    courier_organisation: Organisation, rival_courier: Organisation, hangzhou: City, chengdu: City
) -> list[Offer]:
    with scope(Scope.everything()):
        return [
            offering.offer(courier, hangzhou, chengdu, daily_capacity=2)
            for courier in (courier_organisation, rival_courier)
        ]


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def one_by_one(
    merchant: Actor, rows: Sequence[dict[str, str]], ends: tuple[City, City]
) -> list[tuple[str, ...]]:
    """The results of booking each order by a separate call, each reference once."""
    results: list[tuple[str, ...]] = []
    references: dict[str, int] = {}
    for order in orders_of(rows):
        count, reference, now = len(order), order[0]["reference"], timezone.now()
        is_mixed = len({(cells["if_full"] or "refuse", cells["recipient_phone"]) for cells in order}) > 1
        if is_mixed or not all(cells["weight_g"].isdigit() for cells in order):
            results += [("rejected",)] * count
            continue
        if reference in references:
            is_known = count == 1 or count <= references[reference]
            results += [("duplicate",) if is_known else ("rejected",)] * count
            continue
        requests = [
            BookingRequest(
                tier=cells["tier"],
                origin=ends[0],
                destination=ends[1],
                weight_g=int(cells["weight_g"]),
                ready_at=now,
                recipient=Recipient(
                    cells["recipient_name"], cells["recipient_phone"], cells["recipient_address"]
                ),
                reference=cells["reference"],
                if_full=IfFull(cells["if_full"] or "refuse"),
                piece=n,
                pieces=count,
            )
            for n, cells in enumerate(order, start=1)
        ]
        try:
            with scope(Scope.of(merchant)):
                booked = book_order(actor=merchant, requests=requests, at=now)
        except AllianceError:
            results += [("rejected",)] * count
            continue
        if reference:
            references[reference] = count
        results += [("booked", each.offer.courier, each.promise.deliver_by.isoformat()) for each in booked]
    return results


def orders_of(rows: Sequence[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Rows of one reference that stand together."""
    orders: list[list[dict[str, str]]] = []
    for cells in rows:
        if orders and cells["reference"] and cells["reference"] == orders[-1][0]["reference"]:
            orders[-1].append(cells)
        else:
            orders.append([cells])
    return orders


def state() -> tuple[Any, ...]:
    """The rows of the database, without random values and times."""
    with scope(Scope.everything()):
        return (
            sorted(
                Parcel.objects.values_list(
                    "reference", "courier", "deliver_by", "weight_g", "fee_fen", "piece", "pieces"
                )
            ),
            sorted(
                Commitment.objects.values_list("kind", "courier", "due_at", "fee_fen", "outcome"), key=str
            ),
            sorted(CapacityDay.objects.filter(reserved__gt=0).values_list("offer", "date", "reserved")),
        )


@settings(max_examples=scaled(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, size=st.integers(1, 6))
def test_file_gives_the_same_results_as_single_bookings(
    merchant: Actor,
    offers: list[Offer],
    hangzhou: City,
    chengdu: City,
    rows: list[dict[str, str]],
    size: int,
) -> None:
    with rolled_back():
        singles = one_by_one(merchant, rows, (hangzhou, chengdu))
        expected = state()
    with rolled_back(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(booking_files, "SLICE", size)
        file = finished(merchant, text_of(*rows))
        file_results = [
            (item["result"], item["courier"], item["promise_current"])
            # A refused row names what could be booked instead.
            if item["result"] == "booked"
            else (item["result"],)
            for item in results(file)
        ]
        assert file_results == singles
        assert state() == expected
        assert (file.booked, file.duplicate) == (
            sum(made[0] == "booked" for made in singles),
            sum(made[0] == "duplicate" for made in singles),
        )
