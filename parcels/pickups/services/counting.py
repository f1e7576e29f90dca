"""Count what was missed in agreed windows that are over, for the lists of both sides."""

from datetime import datetime, timedelta
from typing import Final

from alliance.tenancy import Scope, scope
from parcels.pickups.models import Pickup
from parcels.pickups.queries import progress_of

# Requests a transaction: each has up to a thousand parcels.
SLICE: Final = 50
# So long scans of what was picked up in time may still arrive.
COUNTED_AGAIN_FOR: Final = timedelta(days=3)


def count_missed(*, now: datetime) -> int:
    """Count the missed parcels of windows that ended; return how many. May run twice, or be killed."""
    count = 0
    while True:
        with scope(Scope.everything()):
            pickups = list(Pickup.objects.over_and_uncounted(now).order_by("ends_at")[:SLICE])
            _count(pickups, now)
        count += len(pickups)
        if len(pickups) < SLICE:
            return count


def count_missed_again(*, now: datetime) -> int:
    """Count again what was missed lately, as scans arrive late; return how many windows. May run twice."""
    count, last = 0, 0
    while True:
        with scope(Scope.everything()):
            late = Pickup.objects.with_missed(True).filter(ends_at__gt=now - COUNTED_AGAIN_FOR)
            pickups = list(late.filter(pk__gt=last).order_by("pk")[:SLICE])
            _count(pickups, now)
        count += len(pickups)
        if len(pickups) < SLICE:
            return count
        last = pickups[-1].pk


def _count(pickups: list[Pickup], now: datetime) -> None:
    progress = progress_of(pickups, now)
    for pickup in pickups:
        if (missed := progress[pickup.pk].missed) != pickup.missed:
            Pickup.objects.filter(pk=pickup.pk).update(missed=missed)
