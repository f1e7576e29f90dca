"""Reads of what was promised and whether it was kept."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Self

from django.db.models import Max, Q, Sum

from alliance.tenancy import Actor, TenantQuerySet
from slas.choices import Outcome


class OfferQuerySet(TenantQuerySet):
    """A courier's own offers; merchants see what is on sale through quotes."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)

    def on_sale(self) -> Self:
        return self.filter(active=True, tier__active=True)


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


class BreachQuerySet(JudgedQuerySet):
    def standing(self) -> Self:
        """Breaches that no punctual scan has withdrawn."""
        return self.filter(withdrawn_at=None)


class OnTimeRateQuerySet(TenantQuerySet):
    """Cells come in two grains that each hold every commitment: add up one of them."""

    COUNTS = (
        "met", "late", "overdue", "excused", "pending", "void",
        "attempted", "first_attempt", "within_48h", "within_72h",
    )  # fmt: skip

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(organisation_id=actor.organisation_id)

    def of_couriers(self) -> Self:
        """Cells by courier and lane."""
        return self.filter(counterpart=None)

    def of_merchants(self) -> Self:
        """Cells by merchant and the courier it used."""
        return self.exclude(counterpart=None)

    def due_between(self, first: date, last: date) -> Self:
        return self.filter(due_date__range=(first, last))

    def totals(self, *columns: str) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Add up the cells by some columns: each group, with its counts and its newest due date."""
        totals: dict[str, Any] = {"newest": Max("due_date"), **{name: Sum(name) for name in self.COUNTS}}
        grouped = (
            self.order_by().values(*columns).annotate(**totals) if columns else [self.aggregate(**totals)]
        )
        for row in grouped:
            # The total of no cells at all is a row, too, of nothing.
            if row["newest"] is not None:
                yield tuple(row[column] for column in columns), {name: row[name] for name in totals}

    def overdue_now(self, kind: str) -> int:
        """How many are overdue, of all due dates."""
        found: int | None = self.filter(kind=kind, overdue__gt=0).aggregate(total=Sum("overdue"))["total"]
        return found or 0

    def overdue_by(self, column: str, kind: str) -> dict[Any, int]:
        """The same by a column; what has none overdue is left out."""
        found = self.order_by().filter(kind=kind, overdue__gt=0).values_list(column)
        return dict(found.annotate(total=Sum("overdue")))


class StatementQuerySet(TenantQuerySet):
    """Closed months, each of its own organisation."""


class ScorecardQuerySet(TenantQuerySet):
    """A courier's own; merchants see grades in quotes, not scorecards."""

    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(courier_id=actor.organisation_id)


class ExportQuerySet(TenantQuerySet):
    """Files of one's own organisation."""
