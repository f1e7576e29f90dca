"""Reads of shared facilities."""

from typing import Self

from alliance.choices import OrganisationStatus
from alliance.tenancy import Actor, TenantQuerySet


class FacilityQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        # Shared by all couriers; merchants have no business there.
        joined = actor.is_courier and actor.organisation_status == OrganisationStatus.ACTIVE
        return self if joined else self.none()
