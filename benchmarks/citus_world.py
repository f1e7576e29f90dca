"""Make the members and offers of the benchmark of a cluster: `python -m benchmarks.citus_world`."""

import django

if __name__ == "__main__":
    django.setup()

from alliance.models import City, Organisation
from alliance.tenancy import Scope, scope
from benchmarks import members
from benchmarks.citus_client import lanes_of
from benchmarks.citus_sides import CLIENTS
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


if __name__ == "__main__":
    make()
