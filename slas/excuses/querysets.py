"""Reads of excuses."""

from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django.db.models import (
    Count,
)
from django.utils import timezone

from slas.choices import ExcuseState
from slas.commitments.querysets import JudgedQuerySet


class ExcuseQuerySet(JudgedQuerySet):
    def waiting(self) -> Self:
        """Claims nobody has decided on yet."""
        return self.filter(state=ExcuseState.CLAIMED)

    def standing(self) -> Self:
        """Waiting or granted: at most one a breach."""
        return self.filter(state__in=[ExcuseState.CLAIMED, ExcuseState.GRANTED])

    def matching(self, *, first: date | None = None, last: date | None = None, **exact: Any) -> Self:
        """Excuses of these values, what is empty left open, claimed on these local days, both included."""
        found = self.filter(**{name: value for name, value in exact.items() if value not in (None, "")})
        zone = timezone.get_default_timezone()
        if first is not None:
            found = found.filter(claimed_at__gte=datetime.combine(first, time.min, zone))
        if last is not None:
            found = found.filter(claimed_at__lt=datetime.combine(last + timedelta(days=1), time.min, zone))
        return found

    def counts(self, *columns: str) -> list[tuple[Any, ...]]:
        """How many there are by some columns, the most first."""
        grouped = self.order_by().values_list(*columns).annotate(total=Count("pk"))
        return list(grouped.order_by("-total", *columns))
