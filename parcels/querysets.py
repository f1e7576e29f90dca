"""Reads of parcels, scans and what belongs to them."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class MovedQuerySet(TenantQuerySet):
    """Rows seen by the parcel's merchant and its courier, and by nobody else's."""

    def visible_to_member(self, actor: Actor) -> Self:
        if actor.is_courier:
            return self.filter(courier_id=actor.organisation_id)
        return self.filter(merchant_id=actor.organisation_id)


class ParcelQuerySet(MovedQuerySet):
    pass


class MerchantOwnedQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)
