"""Reads of organisations, members, invitations and API keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from alliance.choices import InvitationState, OrganisationKind
from alliance.public_ids import IdKind, row_id_or_none
from alliance.tenancy import Actor, TenantQuerySet


class OrganisationQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(pk=actor.organisation_id)

    def by_id(self, public_id: object) -> Self:
        """The courier or merchant of an id from outside."""
        return self.couriers_by_id(public_id) | self.merchants_by_id(public_id)

    def couriers_by_id(self, *public_ids: object) -> Self:
        """The couriers of ids from outside; what is no such id is nobody's."""
        return self._by_id(OrganisationKind.COURIER, IdKind.COURIER, public_ids)

    def merchants_by_id(self, *public_ids: object) -> Self:
        return self._by_id(OrganisationKind.MERCHANT, IdKind.MERCHANT, public_ids)

    def _by_id(self, kind: OrganisationKind, id_kind: IdKind, public_ids: Iterable[object]) -> Self:
        found = {row_id_or_none(id_kind, text) for text in public_ids} - {None}
        return self.filter(kind=kind, pk__in=found) if found else self.none()


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
        """Keys that work, or did until they expired: the others were ended by somebody."""
        return self.filter(revoked_at=None)

    def about_to_end(self, until: datetime) -> Self:
        """Keys that end by themselves until a moment, first those that end first."""
        return self.filter(revoked_at=None, rotated_at=None, expires_at__lte=until).order_by("expires_at")
