"""Delete pickup requests of long ago."""

from datetime import datetime, timedelta
from typing import Final

from alliance.database.slices import delete_in_slices
from parcels.pickups.models import Pickup

# As long as events. Parcels go on naming them, which tells nothing any more; due times stay as agreed.
KEPT: Final = timedelta(days=90)


def forget_old_pickups(*, now: datetime) -> int:
    """Delete requests whose day was more than KEPT ago, a slice a transaction; return how many."""
    return delete_in_slices(Pickup.objects.filter(day__lt=(now - KEPT).date()), order="day")
