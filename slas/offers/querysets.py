"""Reads of offers."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class OfferQuerySet(TenantQuerySet):
    """A courier's own offers; merchants see what is on sale through quotes."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)

    def on_sale(self) -> Self:
        return self.filter(active=True, tier__active=True)


class OfferFileQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)
