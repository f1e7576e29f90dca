"""Reads of the rows that belong to a courier."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class CourierOwnedQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)
