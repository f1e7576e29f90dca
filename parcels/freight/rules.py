"""What a month of freight comes to. Pure."""

from typing import Protocol


class Figures(Protocol):
    """The sums of a month, in fen."""

    @property
    def fees_fen(self) -> int: ...
    @property
    def cancelled_fen(self) -> int: ...
    @property
    def surcharges_fen(self) -> int: ...
    @property
    def credits_fen(self) -> int: ...


def total_fen(figures: Figures) -> int:
    """What the merchant owes the courier: negative if the courier owes."""
    return figures.fees_fen + figures.surcharges_fen - figures.cancelled_fen - figures.credits_fen
