"""The books of one organisation: its lines of the ledger, and what they add up to."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet, Sum

from alliance.choices import OrganisationKind
from alliance.models import Organisation
from alliance.tenancy import Actor
from couriers.homes.lists import told_at_homes
from slas.commitments.querysets import JudgedQuerySet
from slas.credits.models import CreditEntry, CreditFold, CreditSum

_OF_ENTRIES: Final[dict[str, Any]] = {
    "entries": Count("id"),
    "credited": Sum("amount_fen", filter=Q(amount_fen__gt=0), default=0),
    "taken_back": Sum("amount_fen", filter=Q(amount_fen__lt=0), default=0),
    "total": Sum("amount_fen"),
}
_OF_SUMS: Final[dict[str, Any]] = {
    "entries": Sum("entry_count"),
    "credited": Sum("credited_fen"),
    "taken_back": Sum("taken_back_fen"),
    "total": Sum(F("credited_fen") + F("taken_back_fen")),
}


@dataclass(frozen=True)
class Account:
    """The organisation whose books are read: a merchant is credited, a courier owes."""

    organisation: Organisation
    # Who reads them: what a courier reads is asked at its homes.
    reader: Actor

    @property
    def is_courier(self) -> bool:
        return self.organisation.kind == OrganisationKind.COURIER

    @property
    def column(self) -> str:
        return "courier_id" if self.is_courier else "merchant_id"

    @property
    def other_column(self) -> str:
        return "merchant_id" if self.is_courier else "courier_id"

    @cached_property
    def _summed_since(self) -> date | None:
        # None while not all entries from before there were sums are in them.
        return CreditFold.objects.filter(is_complete=True).values_list("since", flat=True).first()

    def entries(self) -> JudgedQuerySet:
        return CreditEntry.objects.visible_to(self.reader).filter(Q((self.column, self.organisation.pk)))

    def added_up(self, column: str, first: date) -> QuerySet[Any, Any]:
        """Return what the account adds up to for each value of a column, from a month on.

        The rows: the value, the number of entries, fen credited, fen taken back, and both together.
        """
        if self._summed_since is not None and self._summed_since <= first:
            sums = CreditSum.objects.filter(Q((self.column, self.organisation.pk)))
            return sums.order_by().values_list(column).annotate(**_OF_SUMS)
        return self.entries().order_by().values_list(column).annotate(**_OF_ENTRIES)


def fen_of(entries: JudgedQuerySet) -> int:
    """Add up entries."""
    told = told_at_homes(entries.order_by().values("month").annotate(fen=Sum("amount_fen")))
    if told is not None:
        return sum(row["fen"] for row in told)
    fen: int = entries.aggregate(fen=Sum("amount_fen", default=0))["fen"]
    return fen
