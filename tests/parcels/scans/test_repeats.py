"""Scans that are sent again: the same are duplicates, others under the same identity are rejected."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.lines import NamedScan, ScanLine
from parcels.scans.services import ScanReport, record_scans
from tests.parcels.helpers.parcels import booked_parcels

BOOKED = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture
def parcel(merchant_organisation: Organisation, courier_organisation: Organisation) -> Parcel:
    return booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED)[0]


def line(parcel: Parcel, code: str, hours: float, **extra: Any) -> ScanLine:
    return ScanLine(parcel.number, code, BOOKED + timedelta(hours=hours), **extra)


def send(courier: Actor, *lines: ScanLine) -> ScanReport:
    with scope(Scope.of(courier)):
        return record_scans(actor=courier, lines=lines)


def status_of(parcel: Parcel) -> str:
    with scope(Scope.everything()):
        return Parcel.objects.get(pk=parcel.pk).status


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"code": "delivered"}, "code"),
        ({"occurred_at": BOOKED + timedelta(hours=5)}, "occurred_at"),
        ({"reason": "consignee_absent"}, "reason"),
        ({"facility": "HGH-02"}, "facility"),
        ({"consent": True}, "consent"),
    ],
)
def test_another_scan_with_the_id_of_an_earlier_one_is_rejected(
    courier: Actor, parcel: Parcel, changed: dict[str, Any], field: str, together: bool
) -> None:
    said = {"code": "departed", "occurred_at": BOOKED + timedelta(hours=3), "facility": "HGH-01"}
    first, second = (
        ScanLine(parcel.number, event_id="17", **{**said, **change})  # type: ignore[arg-type]
        for change in ({}, changed)
    )
    if not together:
        send(courier, first)
    report = send(courier, first, first, second)
    assert (report.accepted, report.duplicates) == ((1, [1]) if together else (0, [0, 1]))
    [rejection] = report.rejections
    assert (rejection.index, rejection.pointer, rejection.code) == (2, "/2/event_id", "differs_from_first")
    assert f"another {field}." in rejection.detail
    assert status_of(parcel) == "in_transit"
    # As the answer says: with an id of its own it counts.
    accepted = send(courier, ScanLine(parcel.number, event_id="18", **{**said, **changed}))  # type: ignore[arg-type]
    assert accepted.accepted == 1


def test_another_reason_of_the_same_moment_is_rejected_without_an_event_id(
    courier: Actor, parcel: Parcel
) -> None:
    send(courier, line(parcel, "attempt_failed", 25, reason="courier_vehicle"))
    mended = line(parcel, "attempt_failed", 25, reason="consignee_absent")
    [rejection] = send(courier, mended).rejections
    assert (rejection.pointer, rejection.code) == ("/0/reason", "differs_from_first")


def test_same_scan_is_a_duplicate_whatever_its_clock_and_empty_fields(courier: Actor, parcel: Parcel) -> None:
    # A clock that is behind: it counts from the booking, and what it said is kept.
    first = line(parcel, "picked_up", -0.05)
    assert send(courier, first).accepted == 1
    again = send(
        courier, line(parcel, "picked_up", -0.05, reason="", facility="", event_id="", consent=False)
    )
    assert (again.duplicates, again.rejections, again.warnings) == ([0], [], [])


def test_place_that_was_erased_makes_no_other_scan(courier: Actor, parcel: Parcel) -> None:
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(erased_at=timezone.now())
    scan = line(parcel, "departed", 3, facility="Li Wei 13800000000", event_id="1")
    assert send(courier, scan).accepted == 1
    assert send(courier, scan).duplicates == [0]


def test_withdrawn_scan_sent_again_says_that_it_does_not_count(courier: Actor, parcel: Parcel) -> None:
    scan = line(parcel, "delivered", 25)
    send(courier, line(parcel, "picked_up", 2), scan)
    send(courier, line(parcel, "correction", 26, corrects=NamedScan("delivered", scan.occurred_at)))
    report = send(courier, line(parcel, "departed", 27), scan)
    assert (report.accepted, report.duplicates) == (1, [1])
    assert [(warning.index, warning.code) for warning in report.warnings] == [(1, "withdrawn_already")]
    assert status_of(parcel) == "in_transit"
