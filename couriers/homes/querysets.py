"""Querysets of couriers' homes."""

from datetime import datetime
from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class CourierHomeQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        """None: where parcels are, and how much of the traffic is whose, is the alliance's own."""
        return self.none()

    def lasting(self) -> Self:
        """Homes without an end."""
        return self.filter(until=None)

    def ended_before(self, moment: datetime) -> Self:
        return self.filter(until__lte=moment)
