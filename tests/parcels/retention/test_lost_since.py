"""What a restore to a moment loses is listed from a copy that still has it."""

import csv
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alliance import audit
from alliance.database import slices
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db


def lost_since(moment: datetime) -> list[list[str]]:
    said = StringIO()
    call_command("lost_since", moment.isoformat(), stdout=said)
    return list(csv.reader(StringIO(said.getvalue())))[1:]


def test_bookings_and_acts_since_the_moment_are_listed(
    merchant_organisation: Organisation,
    courier_organisation: Organisation,
    system: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "ROWS_A_SLICE", 2)
    now = timezone.now()
    members = (merchant_organisation, courier_organisation)
    booked_parcels(*members, booked_at=now - timedelta(minutes=9), reference="BEFORE")
    lost = booked_parcels(*members, booked_at=now - timedelta(minutes=1), reference="=1+1", count=3)
    with scope(Scope.everything()):
        audit.record(actor=system, verb="api_key.revoked", object_type="api_key", object_id=7)
    rows = lost_since(now - timedelta(minutes=5))
    assert [row[1:] for row in rows] == [
        *(
            ["parcel.booked", parcel.number, "Lotus Tea", "Swift Express", "'=1+1"]
            for parcel in sorted(lost, key=lambda parcel: parcel.pk)
        ),
        ["api_key.revoked", "api_key 7", "", "", "test"],
    ]


def test_moment_needs_an_offset() -> None:
    for text in ("2026-11-30T08:15:00", "yesterday", "2026-13-30T08:15:00Z"):
        with pytest.raises(CommandError, match="is no moment with an offset"):
            call_command("lost_since", text)
