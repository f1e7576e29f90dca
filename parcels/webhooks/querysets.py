"""Reads of webhooks."""

from datetime import datetime
from typing import Self

from django.db.models import Q

from alliance.tenancy import TenantQuerySet
from parcels.choices import DeliveryState, WebhookState


class EndpointQuerySet(TenantQuerySet):
    def listening(self) -> Self:
        """Those for which events are kept: a paused one is sent them once it is resumed."""
        return self.filter(state__in=[WebhookState.ACTIVE, WebhookState.PAUSED])

    def due(self, now: datetime) -> Self:
        """Those to which something is to be sent, and at which nobody is at work."""
        free = Q(leased_until__lte=now) | Q(leased_until=None, next_due_at__lte=now)
        held = Q(held_until__gt=now)
        return self.filter(free, state=WebhookState.ACTIVE).exclude(held)


class SecretQuerySet(TenantQuerySet):
    def valid(self, now: datetime) -> Self:
        """Those that sign, the newest first."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("-pk")


class DeliveryQuerySet(TenantQuerySet):
    def due(self, now: datetime) -> Self:
        """Those to be sent: of each parcel the first that waits."""
        return self.filter(state=DeliveryState.PENDING, due_at__lte=now)
