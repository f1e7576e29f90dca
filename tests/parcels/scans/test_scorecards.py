"""From scans to a scorecard: a month is scored by the courier's scans."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans
from slas.commitments.services.sweeping import sweep_overdue
from slas.excuses.services.decisions import excuse_breach
from slas.models import Scorecard
from slas.rates.services.folding import fold_tallies
from slas.scorecards.services.scorecards import refresh_scorecards
from tests.parcels.helpers.parcels import booked_parcels

pytestmark = pytest.mark.django_db
# Pickup is due after 6 hours, delivery after 30.
BOOKED = timezone.now() - timedelta(days=6)
if timezone.localdate(BOOKED + timedelta(hours=30)).day <= 2:
    # Both in one month, on any day the tests run.
    BOOKED -= timedelta(days=4)


def scan(parcel: Parcel, code: str, hours: float, **values: str) -> ScanLine:
    return ScanLine(parcel.number, code, BOOKED + timedelta(hours=hours), **values)


def test_scans_determine_every_component_of_a_scorecard(
    courier: Actor, courier_organisation: Organisation, merchant_organisation: Organisation, system: Actor
) -> None:
    parcels = booked_parcels(merchant_organisation, courier_organisation, booked_at=BOOKED, count=5)
    good, absent, late, very_late, never_delivered = parcels
    lines = [
        *(scan(parcel, "picked_up", 5) for parcel in (good, absent, very_late)),
        # An hour after the pickup was due.
        scan(late, "picked_up", 7),
        scan(good, "delivered", 29),
        # On time by the first attempt; the second is within 72 hours of pickup.
        scan(absent, "attempt_failed", 30, reason="consignee_absent"),
        scan(absent, "delivered", 50),
        # Late by exactly a day counts as up to a day; a minute more does not.
        scan(late, "delivered", 54),
        scan(very_late, "delivered", 78 + 1 / 60),
    ]
    with scope(Scope.of(courier)):
        assert record_scans(actor=courier, lines=lines, now=timezone.now()).rejections == []
    sweep_overdue(now=timezone.now())
    with scope(Scope.everything()):
        # Never picked up, never delivered; the pickup is excused.
        excuse_breach(actor=system, parcel_id=never_delivered.pk, kind="pickup", reason="merchant_not_ready")
    fold_tallies()
    refresh_scorecards(now=timezone.now())
    with scope(Scope.everything()):
        card = Scorecard.objects.get(courier_id=courier_organisation.pk, n=5)
    assert card.components == {
        "delivery_on_time": {"value": 0.4, "n": 5},
        "pickup_on_time": {"value": 0.75, "n": 4},
        "first_attempt": {"value": 0.75, "n": 4},
        # 73 hours and a minute after pickup is too long.
        "within_72h": {"value": 0.6, "n": 5},
        "lateness": {"value": 0.4, "n": 5},
    }
