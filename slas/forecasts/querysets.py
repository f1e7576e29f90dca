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
    """Reasons to watch parcels: a parcel may have several rows, which differ only in the reason."""

    def needing_a_look(self) -> Self:
        """Leave out parcels whose only reason is a chance of lateness below one half."""
        return self.exclude(reason=WatchReason.AT_RISK, chance__lt=AT_RISK)

    def by_urgency(self, at: datetime) -> Self:
        """Order parcels in trouble before the others, and within both: parcels not yet due first, soonest due
        first; then parcels past due, latest due first.

        Parcels due at the same time are ordered by chance of lateness, highest first.
        """
        is_past = Case(When(due_at__lt=at, then=Value(1)), default=Value(0))
        ahead = ExpressionWrapper(F("due_at") - Value(at), DurationField())
        since = ExpressionWrapper(Value(at) - F("due_at"), DurationField())
        return self.annotate(
            is_past=is_past, distance=Case(When(due_at__lt=at, then=since), default=ahead)
        ).order_by("-is_in_trouble", "is_past", "distance", "-chance", "parcel_id")
