"""Make the members and offers of the benchmark of a cluster: `python -m benchmarks.citus_world`.

With numbers, give each courier the home of that number instead.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import django

if __name__ == "__main__":
    django.setup()

from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from benchmarks import members
from benchmarks.citus_client import lanes_of
from benchmarks.citus_sides import CLIENTS
from couriers.homes.models import CourierHome
from slas.choices import TierCode
from slas.models import Offer, ServiceTier


def make() -> None:
    """Make as many couriers and merchants as there are clients; each courier serves cities of its own."""
    members.make(CLIENTS, CLIENTS)
    with scope(Scope.everything()):
        tier = ServiceTier.objects.get(code=TierCode.NEXT_DAY)
        for place in range(CLIENTS):
            courier = Organisation.objects.get(name=f"Courier {place}")
            cities: list[City] = lanes_of(place, CLIENTS)
            Offer.objects.bulk_create(
                Offer(
                    courier_id=courier.pk,
                    tier=tier,
                    origin=origin,
                    destination=destination,
                    price_fen=1_200,
                    daily_capacity=2_000_000,
                )
                for origin in cities
                for destination in cities
            )


def settle(homes: Sequence[int]) -> None:
    """Give each courier one home."""
    with scope(Scope.everything()):
        CourierHome.objects.all().delete()
        for place, home in enumerate(homes):
            courier = Organisation.objects.get(name=f"Courier {place}")
            since = datetime(2020, 1, 1, tzinfo=UTC)
            CourierHome.objects.create(courier_id=courier.pk, home=home, since=since, until=None)


if __name__ == "__main__":
    if sys.argv[1:]:
        settle([int(home) for home in sys.argv[1:]])
    else:
        make()
