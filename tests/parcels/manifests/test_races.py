"""A courier that scans the barcode twice while the merchant cancels."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from alliance.models import City, Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.services.cancelling import cancel_parcels
from parcels.manifests.queries import Pickup
from parcels.manifests.services.picking_up import Told, pick_up
from parcels.models import Manifest, Parcel, PickupAddress, Scan
from tests.parcels.manifests.conftest import DAY, made_of_day, waiting_parcels


@pytest.mark.django_db(transaction=True)
def test_pickups_and_cancellations_at_once_leave_each_parcel_either_way(
    merchant: Actor,
    courier: Actor,
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    address: PickupAddress,
    hangzhou: City,
) -> None:
    parties = (merchant_organisation, courier_organisation)
    # Of two months, as plans differ over months.
    parcels = [
        *waiting_parcels(*parties, address, count=20),
        *waiting_parcels(*parties, address, count=20, hours_ago=12 * 24),
    ]
    pickup = Pickup(merchant_organisation.pk, courier_organisation.pk, hangzhou.pk, address.pk, DAY())
    manifest = made_of_day(merchant, pickup).manifest
    failures: list[BaseException] = []

    def scan() -> None:
        with scope(Scope.of(courier)):
            pick_up(actor=courier, number=manifest.number, told=Told(), now=timezone.now())

    def cancel() -> None:
        with scope(Scope.of(merchant)):
            ids = [each.pk for each in reversed(parcels[::2])]
            cancel_parcels(actor=merchant, parcel_ids=ids, at=timezone.now())

    def in_thread(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as failure:  # noqa: BLE001 -- the test tells of it
                failures.append(failure)
            finally:
                connection.close()

        return threading.Thread(target=run)

    threads = [in_thread(work) for work in (scan, cancel, scan)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with scope(Scope.everything()):
        picked_up = Parcel.objects.filter(status="picked_up").count()
        cancelled = Parcel.objects.filter(status="cancelled").count()
        row = Manifest.objects.get()
        assert picked_up + cancelled == 40
        assert (row.picked_up, row.cancelled, row.state) == (picked_up, cancelled, "handed_over")
        assert Scan.objects.count() == picked_up
