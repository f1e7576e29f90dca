"""Querysets of the kernel's tables."""

from typing import Self

from django.db.models import Q

from alliance.tenancy import Actor, TenantQuerySet


class EventQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(Q(merchant_id=actor.organisation_id) | Q(courier_id=actor.organisation_id))
