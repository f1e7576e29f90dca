"""The credits of one parcel, on its page."""

from dataclasses import dataclass

from alliance.choices import Capability
from alliance.tenancy import Actor
from slas.credits.months import spell
from slas.credits.statements import entries_of_parcel
from slas.models import CreditEntry
from slas.promises.prices import yuan


@dataclass(frozen=True, slots=True)
class CreditLine:
    entry: CreditEntry

    @property
    def amount(self) -> str:
        return yuan(self.entry.amount_fen)

    @property
    def month(self) -> str:
        return spell(self.entry.month)


@dataclass(frozen=True, slots=True)
class ParcelCredit:
    """The credit entries of a parcel and their total."""

    lines: list[CreditLine]

    @property
    def total(self) -> str:
        return yuan(sum(line.entry.amount_fen for line in self.lines))


def credit_of(actor: Actor, parcel_id: int) -> ParcelCredit | None:
    """The credits of a parcel; None if there are none or the actor may not see money."""
    if not actor.can(Capability.VIEW_FINANCE):
        return None
    lines = [CreditLine(entry) for entry in entries_of_parcel(actor, parcel_id)]
    return ParcelCredit(lines) if lines else None
