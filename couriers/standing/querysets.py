"""Querysets of couriers."""

from typing import Self

from alliance.choices import OrganisationStatus
from alliance.tenancy import Actor, TenantQuerySet


class CourierQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(organisation_id=actor.organisation_id)

    def active(self) -> Self:
        return self.filter(organisation__status=OrganisationStatus.ACTIVE)
