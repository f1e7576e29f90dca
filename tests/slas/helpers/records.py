"""A day's record to show on pages, on the product's own days and clock."""

from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from alliance.tenancy import Actor, Scope, scope
from slas.choices import CommitmentKind
from slas.commitments.services.sweeping import sweep_overdue
from slas.excuses.services.decisions import excuse_breach
from slas.models import Offer
from slas.rates.services.folding import fold_tallies
from tests.slas.helpers.commitments import DAY, DELIVERY, PICKUP, Lane, reach

# Noon of yesterday where the product's days are: past, whatever the hour tests run at.
YESTERDAY = datetime.combine(timezone.localdate() - DAY, time(12), timezone.get_default_timezone())
# The last second of today: not due yet.
TONIGHT = datetime.combine(timezone.localdate(), time(23, 59, 59), timezone.get_default_timezone())


def promise(
    lane: Lane, due_at: datetime, kind: CommitmentKind = DELIVERY, *, late: timedelta | None, **fields: Any
) -> int:
    """One promise, reached that much after it was due; None: never."""
    parcel_id = lane.promise(due_at, kind, **fields)
    if late is not None:
        reach(parcel_id, due_at + late, kind=kind, now=timezone.now())
    return parcel_id


def judge_yesterday(lane: Lane) -> None:
    """Deliveries: three on time, one late, one late but excused, one overdue. A pickup kept, one open."""
    with scope(Scope.everything()):
        for minutes in (-60, -30, 0, 30):
            promise(lane, YESTERDAY, late=timedelta(minutes=minutes))
        excused = promise(lane, YESTERDAY, late=timedelta(minutes=60))
        excuse_breach(actor=Actor.system("test"), parcel_id=excused, kind=DELIVERY, reason="weather")
        promise(lane, YESTERDAY, late=None)
        promise(lane, YESTERDAY, PICKUP, late=timedelta())
        promise(lane, TONIGHT, PICKUP, late=None)
    catch_up()


def catch_up() -> None:
    """The periodic tasks of every few seconds."""
    sweep_overdue(now=timezone.now())
    fold_tallies()


def put_on_sale(lane: Lane) -> Offer:
    with scope(Scope.everything()):
        return Offer.objects.create(
            courier_id=lane.courier.pk,
            tier=lane.tier,
            origin=lane.origin,
            destination=lane.destination,
            price_fen=1200,
            daily_capacity=10,
        )
