"""Reads of excuses."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django.db.models import (
    Count,
)
from django.utils import timezone

from couriers.homes.lists import told_at_homes
from slas.choices import ExcuseState
from slas.commitments.querysets import JudgedQuerySet


class ExcuseQuerySet(JudgedQuerySet):
    def waiting(self) -> Self:
        return self.filter(state=ExcuseState.CLAIMED)

    def standing(self) -> Self:
        """Claimed or granted: at most one per breach."""
        return self.filter(state__in=[ExcuseState.CLAIMED, ExcuseState.GRANTED])

    def matching(self, *, first: date | None = None, last: date | None = None, **exact: Any) -> Self:
        """Excuses with these values, empty values ignored, claimed between these local days, both
        included."""
        excuses = self.filter(**{name: value for name, value in exact.items() if value not in (None, "")})
        zone = timezone.get_default_timezone()
        if first is not None:
            excuses = excuses.filter(claimed_at__gte=datetime.combine(first, time.min, zone))
        if last is not None:
            excuses = excuses.filter(
                claimed_at__lt=datetime.combine(last + timedelta(days=1), time.min, zone)
            )
        return excuses

    def counts(self, *columns: str) -> list[tuple[Any, ...]]:
        """Counts by some columns, the largest first. A courier's are counted at its homes."""
        groups = self.order_by().values(*columns).annotate(total=Count("pk"))
        told = told_at_homes(groups)
        totals: Counter[tuple[Any, ...]] = Counter()
        for row in groups if told is None else told:
            totals[tuple(row[name] for name in columns)] += row["total"]
        return sorted(((*group, total) for group, total in totals.items()), key=lambda row: (-row[-1], row))
