"""Reads of the watch list."""

from datetime import datetime
from typing import Self

from django.db.models import (
    Case,
    DurationField,
    ExpressionWrapper,
    F,
    Value,
    When,
)

from slas.choices import WatchReason
from slas.commitments.querysets import JudgedQuerySet
from slas.forecasts.rules import AT_RISK


class WatchItemQuerySet(JudgedQuerySet):
    """Reasons to look at parcels: several a parcel, alike but for the reason."""

    def needing_a_look(self) -> Self:
        """All but parcels that are more likely on time than not and have nothing else against them."""
        return self.exclude(reason=WatchReason.AT_RISK, chance__lt=AT_RISK)

    def by_urgency(self, at: datetime) -> Self:
        """What can still be saved first, the soonest due first, then what is past due, the latest first.

        Where several fall due together the likeliest to be late come first.
        """
        is_past = Case(When(due_at__lt=at, then=Value(1)), default=Value(0))
        ahead = ExpressionWrapper(F("due_at") - Value(at), DurationField())
        since = ExpressionWrapper(Value(at) - F("due_at"), DurationField())
        return self.annotate(
            is_past=is_past, distance=Case(When(due_at__lt=at, then=since), default=ahead)
        ).order_by("is_past", "distance", "-chance", "parcel_id")
