"""Delivery histories for forecasts, and parcels for the watch list, for tests."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alliance.models import Organisation
from alliance.tenancy import Scope, scope
from parcels.models import Parcel
from parcels.watch_list.services import Refreshed, refresh_watch_list
from slas.choices import Stage, WatchReason
from slas.commitments.histograms import MEASURE_STEP
from slas.commitments.landmarks import LANDMARKS, margin_bin, measure_of
from slas.models import Progress, WatchItem
from tests.parcels.helpers.parcels import booked_parcels

HOUR = timedelta(hours=1)


def history(
    courier: Organisation, minutes: list[int], *, like: Parcel, days_ago: int = 3, **cell: Any
) -> None:
    """Similar parcels of the courier arrived these minutes after their promise, at every stage."""
    due_date = timezone.localdate() - timedelta(days=days_ago)
    lane = {
        "tier_id": like.tier_id,
        "origin_id": like.origin_id,
        "destination_id": like.destination_id,
        **cell,
    }
    counts = Counter(margin_bin(timedelta(minutes=minute)) for minute in minutes)
    with scope(Scope.everything()):
        row, _made = Progress.objects.get_or_create(
            courier_id=courier.pk, due_date=due_date, **lane, defaults={"marks": [], "counts": []}
        )
        for measure in [measure_of(place, stage) for place in range(len(LANDMARKS)) for stage in Stage]:
            row.marks += [measure * MEASURE_STEP + number for number in counts]
            row.counts += counts.values()
        row.save()


def due_in(
    merchant: Organisation, courier: Organisation, hours: float, *, count: int = 1, **extra: Any
) -> list[Parcel]:
    """Parcels whose delivery is due in `hours`, booked 30 hours before that."""
    booked_at = timezone.now() + timedelta(hours=hours - 30)
    return booked_parcels(merchant, courier, booked_at=booked_at, count=count, **extra)


def refresh(*, now: datetime | None = None, **options: int) -> Refreshed:
    return refresh_watch_list(now=now or timezone.now(), **options)


def watched(parcel: Parcel) -> dict[WatchReason, WatchItem]:
    """The reasons for which a parcel is on the list."""
    with scope(Scope.everything()):
        return {WatchReason(item.reason): item for item in WatchItem.objects.filter(parcel_id=parcel.pk)}
