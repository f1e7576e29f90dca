"""Reads of allocation rules."""

from typing import Self

from alliance.tenancy import Actor, TenantQuerySet


class AllocationRuleQuerySet(TenantQuerySet):
    """A merchant's own rules."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)
