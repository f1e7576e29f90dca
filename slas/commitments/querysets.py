"""Reads of commitments and breaches."""

from typing import Self

from django.db.models import (
    Q,
)

from alliance.tenancy import Actor, TenantQuerySet
from slas.choices import Outcome


class JudgedQuerySet(TenantQuerySet):
    """Rows that concern one merchant and one courier."""

    def visible_to_member(self, actor: Actor) -> Self:
        side = "courier_id" if actor.is_courier else "merchant_id"
        return self.filter(Q((side, actor.organisation_id)))


class CommitmentQuerySet(JudgedQuerySet):
    def pending(self) -> Self:
        return self.filter(outcome=Outcome.PENDING)

    def overdue(self) -> Self:
        return self.filter(outcome=Outcome.OVERDUE)

    def never_to_come(self) -> Self:
        """Overdue deliveries of parcels lost or on their way back: nobody waits for them any more."""
        return self.overdue().filter(Q(lost_at__isnull=False) | Q(turned_at__isnull=False))


class BreachQuerySet(JudgedQuerySet):
    def standing(self) -> Self:
        return self.filter(withdrawn_at=None)
