"""Reads of shops' messages."""

from datetime import datetime
from typing import Self

from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.choices import ShopOutcome, ShopState


class MessageQuerySet(MerchantOwnedQuerySet):
    def due(self, now: datetime) -> Self:
        """Those that a worker may take now."""
        return self.filter(outcome=ShopOutcome.WAITING, due_at__lte=now, shop__state=ShopState.ACTIVE)
