"""Reads of organisations, members, invitations and API keys."""

from datetime import datetime
from typing import Self

from alliance.choices import InvitationState
from alliance.tenancy import Actor, TenantQuerySet


class OrganisationQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(pk=actor.organisation_id)


class MemberQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(organisation_id=actor.organisation_id)

    def active(self) -> Self:
        return self.filter(user__is_active=True)


class InvitationQuerySet(TenantQuerySet):
    def pending(self, now: datetime) -> Self:
        return self.filter(state=InvitationState.PENDING, expires_at__gt=now)


class ApiKeyQuerySet(TenantQuerySet):
    def live(self) -> Self:
        return self.filter(revoked_at=None)
