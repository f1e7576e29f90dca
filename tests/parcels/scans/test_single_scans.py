"""A single scan, stored by a statement of its own, leaves the same as in a batch."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance.choices import Role
from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from parcels.models import Parcel
from parcels.scans.batch import ScanBatch
from parcels.scans.lines import ScanLine
from parcels.scans.services import ScanReport, record_scans
from slas.audits.rates import audit_rates
from slas.commitments.services.sweeping import sweep_overdue
from slas.models import Commitment
from tests import factories
from tests.helpers.profiles import scaled
from tests.parcels.helpers.parcels import booked_parcels
from tests.parcels.scans.test_histories import BOOKED, NOW, scan_lines

# All that scans change, and how a row is compared.
ROW, ROW_WITHOUT_ID = "to_jsonb(t)", "(to_jsonb(t) - 'id')"
TABLES = {
    **dict.fromkeys(("parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"), ROW),
    **dict.fromkeys(
        ("alliance_event", "slas_tally", "slas_progresstally", "slas_creditcheck"), ROW_WITHOUT_ID
    ),
}
STORY = (("picked_up", 2), ("departed", 3), ("arrived", 8), ("out_for_delivery", 20), ("delivered", 25))


def as_batches() -> AbstractContextManager[Any]:
    return mock.patch.object(ScanBatch, "parameters_of_one", return_value=None)


def stored() -> dict[str, list[str]]:
    """All rows, but for ids that are drawn in order."""
    with scope(Scope.everything()):
        return {
            table: [text for (text,) in raw_rows(f"SELECT {row}::text FROM {table} t ORDER BY 1")]  # noqa: S608
            for table, row in TABLES.items()
        }


def sent_singly(
    courier: Actor, parcels: Sequence[Parcel], drawn: Sequence[tuple[int, dict[str, Any]] | None]
) -> tuple[list[ScanReport], dict[str, list[str]]]:
    """Send scans one by one, with a sweep in place of each None; undo all; return what was said and left."""
    reports = []
    with transaction.atomic():
        for number, fields in (each or (0, {}) for each in drawn):
            if not fields:
                sweep_overdue(now=NOW)
                continue
            lines = [ScanLine(parcels[number].number, **fields)]
            with scope(Scope.of(courier)):
                reports.append(record_scans(actor=courier, lines=lines, now=NOW))
        left = stored()
        transaction.set_rollback(True)
    return reports, left


@pytest.mark.django_db
@settings(max_examples=scaled(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(st.one_of(scan_lines(), scan_lines(), scan_lines(), st.none()), min_size=1, max_size=8))
def test_single_scans_leave_what_batches_of_one_leave(
    drawn: list[tuple[int, dict[str, Any]] | None],
) -> None:
    with transaction.atomic():
        organisation = factories.courier_organisation("Swift Express")
        merchant = factories.merchant_organisation("Lotus Tea")
        courier = actor_of_organisation(organisation, kind="user", role=Role.OWNER)
        parcels = booked_parcels(merchant, organisation, booked_at=BOOKED, count=2)
        parcels += booked_parcels(
            merchant, organisation, booked_at=BOOKED, status="cancelled", cancelled_at=BOOKED
        )
        singly = sent_singly(courier, parcels, drawn)
        with as_batches():
            assert sent_singly(courier, parcels, drawn) == singly
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_plain_scans_do_without_the_statement_of_batches(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    [parcel] = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)
    refusal = mock.patch.object(ScanBatch, "parameters", side_effect=AssertionError)
    for number, (code, hours) in enumerate([*STORY, ("departed", 30)]):
        line = ScanLine(parcel.number, code, BOOKED + timedelta(hours=hours))
        # After a delivery a scan means something else.
        with refusal if number < len(STORY) else nullcontext(), scope(Scope.of(courier)):
            assert record_scans(actor=courier, lines=[line], now=NOW).accepted == 1
    with scope(Scope.everything()):
        parcel.refresh_from_db()
        assert parcel.status == "delivered"
        assert set(Commitment.objects.values_list("outcome", flat=True)) == {"met"}


@pytest.mark.django_db(transaction=True)
def test_single_scans_beside_each_other_and_batches_count_once(
    merchant_organisation: Organisation, courier_organisation: Organisation, courier: Actor
) -> None:
    # Parcels of two months: PostgreSQL 18 crashes on a row lock wait if months are pruned row by row.
    last_month = timezone.now().replace(day=1, hour=0, minute=0) - timedelta(hours=1)
    months = (BOOKED, min(BOOKED, last_month))
    parcels = [
        booked_parcels(merchant_organisation, courier_organisation, booked_at=booked_at)[0]
        for booked_at in months
    ]
    lines = [
        ScanLine(parcel.number, code, parcel.booked_at + timedelta(hours=hours))
        for code, hours in STORY
        for parcel in parcels
    ]
    calls = [[line] for line in lines]
    accepted, failures = [], []
    start = threading.Barrier(4)

    def work(calls: list[list[ScanLine]]) -> None:
        try:
            start.wait()
            for call in calls:
                with scope(Scope.of(courier)):
                    accepted.append(record_scans(actor=courier, lines=call).accepted)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test must see it
            failures.append(error)
        finally:
            connection.close()

    works = (calls, calls[::-1], calls[3:] + calls[:3], [lines])
    threads = [threading.Thread(target=work, args=[each]) for each in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(accepted) == len(lines)
    with scope(Scope.everything()):
        assert set(Parcel.objects.values_list("status", "scan_count")) == {("delivered", len(STORY))}
        assert set(Commitment.objects.values_list("outcome", flat=True)) == {"met"}
        assert audit_rates().is_clean
