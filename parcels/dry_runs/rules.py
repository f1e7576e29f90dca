"""What a dry run counts: each parcel as it was booked, and as the rules would have it. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_SIDES: Final = ("booked", "ruled")
_COUNTERS: Final = ("decided", "refused")


@dataclass(slots=True)
class Side:
    """Parcels of one courier on one side of the comparison."""

    parcels: int = 0
    fen: int = 0
    # Of parcels whose courier has a record on the lane: how many, and the sum of its on-time rates there.
    rated: int = 0
    rates: float = 0.0

    def add(self, fen: int, rate: float | None) -> None:
        self.parcels += 1
        self.fen += fen
        if rate is not None:
            self.rated += 1
            self.rates += rate

    @property
    def rate(self) -> float | None:
        """The on-time rate of the lanes, weighted by parcels; None without any record."""
        return self.rates / self.rated if self.rated else None

    def __add__(self, other: "Side") -> "Side":
        return Side(
            self.parcels + other.parcels,
            self.fen + other.fen,
            self.rated + other.rated,
            self.rates + other.rates,
        )


@dataclass(slots=True)
class Count:
    """The result so far, by courier and by rule."""

    # Courier id -> the parcels that it got, and those that it would get.
    booked: dict[int, Side] = field(default_factory=dict)
    ruled: dict[int, Side] = field(default_factory=dict)
    # Parcels that would go to another courier.
    moved: int = 0
    # Rule id -> parcels that it decides or refuses; 0: without a rule.
    decided: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    # Nobody offers the lane any more, or the weight, or today there is no day for it.
    gone: int = 0

    def place(self, *, was: tuple[int, int, float | None], now: tuple[int, int, float | None]) -> None:
        """Count a parcel on both sides: courier, fee in fen, and the courier's on-time rate on the lane."""
        for side, (courier_id, fen, rate) in ((self.booked, was), (self.ruled, now)):
            side.setdefault(courier_id, Side()).add(fen, rate)
        self.moved += was[0] != now[0]

    @property
    def placed(self) -> int:
        return sum(side.parcels for side in self.ruled.values())

    @property
    def counted(self) -> int:
        return self.placed + self.refused.total() + self.gone

    def as_json(self) -> dict[str, Any]:
        sides = {name: {pk: asdict(side) for pk, side in getattr(self, name).items()} for name in _SIDES}
        counters = {name: dict(getattr(self, name)) for name in _COUNTERS}
        return {**sides, **counters, "moved": self.moved, "gone": self.gone}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Count":
        """Return a count that was stored; JSON has texts as keys."""
        booked, ruled = (
            {int(pk): Side(**side) for pk, side in stored.get(name, {}).items()} for name in _SIDES
        )
        decided, refused = (
            Counter({int(pk): count for pk, count in stored.get(name, {}).items()}) for name in _COUNTERS
        )
        return cls(booked, ruled, stored.get("moved", 0), decided, refused, stored.get("gone", 0))
