"""Prints beside what else takes the rows of parcels."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Scope, raw_rows, scope
from parcels.labels.services import note_prints
from parcels.models import Parcel
from tests.access.trade import owner
from tests.parcels.helpers.parcel_views import some_parcels

HELD = "SELECT id FROM parcels_parcel WHERE id = %s FOR NO KEY UPDATE"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
PLANS = "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off"


@pytest.mark.django_db(transaction=True)
@pytest.mark.one_server("plans are not ours to choose on a worker")
def test_labels_take_parcels_in_the_order_of_scans_whatever_the_plan(
    merchant_organisation: Organisation, courier_organisation: Organisation
) -> None:
    """A deadlock, when the rows are taken as they lie on the disk."""
    actor = owner(merchant_organisation)
    parcels = some_parcels(merchant_organisation, courier_organisation, count=2)
    low, high = sorted(parcels, key=lambda parcel: parcel.pk)
    with scope(Scope.everything()):
        # Behind the other one on the disk.
        Parcel.objects.filter(pk=low.pk).update(weight_g=900)

    def note() -> list[bool]:
        try:
            with scope(Scope.of(actor)):
                raw_rows(f"{PLANS}; SELECT 1")
                numbers = [low.number, high.number]
                printed = note_prints(actor=actor, numbers=numbers, at=timezone.now())
                return [each.is_reprint for each in printed]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, scope(Scope.everything()):
        # As a batch of scans does: the lower id first.
        raw_rows(HELD, [low.pk])
        noted = pool.submit(note)
        until = time.monotonic() + 20
        while raw_rows(WAITING) == [(0,)] and not noted.done() and time.monotonic() < until:
            time.sleep(0.02)
        raw_rows(HELD, [high.pk])
        connection.set_rollback(True)
    assert noted.result(timeout=20) == [False, False]
