"""Querysets of shared facilities."""

from typing import Self

from alliance.choices import OrganisationStatus
from alliance.tenancy import Actor, TenantQuerySet


class FacilityQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        # Visible to all active couriers, and to no merchants.
        is_active = actor.is_courier and actor.organisation_status == OrganisationStatus.ACTIVE
        return self if is_active else self.none()
