"""Have the homes of couriers follow their traffic."""

from datetime import date, datetime, timedelta
from typing import Final

from django.utils import timezone

from alliance.tenancy import Actor, Scope, raw_rows, scope
from couriers.homes.rules import DAYS
from couriers.homes.services import Spread, spread_homes

# Cells are few, and hold every parcel: none is counted.
_CARRIED: Final = """
SELECT organisation_id, sum(pending + met + late + overdue + void) FROM slas_ontimerate
WHERE counterpart_id IS NULL AND kind = 'pickup' AND due_date > %(before)s
GROUP BY organisation_id
"""


def follow_traffic(*, now: datetime) -> Spread:
    """Give couriers homes by the parcels of the last days. May run twice, side by side, or be killed."""
    parcels = parcels_by_courier(today=timezone.localdate(now))
    return spread_homes(actor=Actor.system("homes"), parcels=parcels, now=now)


def parcels_by_courier(*, today: date) -> dict[int, int]:
    """Return how many parcels each courier was to pick up in the last days, or is to from now on."""
    with scope(Scope.everything()):
        rows = raw_rows(_CARRIED, {"before": today - timedelta(days=DAYS)})
    return {courier_id: int(parcels) for courier_id, parcels in rows}


def _give_homes() -> str:
    result = follow_traffic(now=timezone.now())
    return "another process is at it" if result.busy else f"{result.changed} couriers got other homes"


# A database of before homes has not had its night yet: all couriers' parcels would go to all shards.
PREPARATIONS: Final = {"have the homes of couriers follow their traffic": _give_homes}
