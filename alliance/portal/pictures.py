"""Charts that are neither lines nor bars: a heat map, a calendar, a distribution, intervals.

Each is numbers and words, drawn by js/pictures.js, with the table behind it; see `Picture`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext

from alliance.portal.charts import Line

# Ends of the colour steps of a share: below the first is worst. Chosen for shares near 1.
SHARE_STEPS = (0.8, 0.9, 0.95, 0.98)


class Spot(NamedTuple):
    """One cell of a heat map: its column and row, its share, and how many that rests on."""

    x: int
    y: int
    share: float | None
    n: int


class Mark(NamedTuple):
    """A line across a distribution: where (bars are 1 wide, the first begins at 0), and what it says."""

    name: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Shares of combinations of two things, as colours. Spots with few behind them are hatched."""

    id: str
    title: str | Promise
    # Names along the axes, the most important first: a narrow screen shows the first of them.
    across: Sequence[str]
    down: Sequence[str]
    spots: Sequence[Spot]
    across_name: str | Promise
    down_name: str | Promise
    share_name: str | Promise
    columns: Sequence[str | Promise]
    lines: Sequence[Line]
    few: int = 0
    kind: str = "heatmap"

    @property
    def is_empty(self) -> bool:
        return not self.spots

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "across": list(self.across),
            "down": list(self.down),
            "spots": [list(spot) for spot in self.spots],
            "acrossName": str(self.across_name),
            "downName": str(self.down_name),
            **_share_texts(self.share_name, self.few),
        }


@dataclass(frozen=True, slots=True)
class DayMap:
    """A year of days as a calendar, each coloured by its share."""

    id: str
    title: str | Promise
    first: date
    last: date
    days: Sequence[tuple[date, float | None, int]]
    share_name: str | Promise
    columns: Sequence[str | Promise]
    lines: Sequence[Line]
    few: int = 0
    kind: str = "calendar"

    @property
    def is_empty(self) -> bool:
        return not any(n for _day, _share, n in self.days)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "range": [self.first.isoformat(), self.last.isoformat()],
            "days": [[day.isoformat(), share, n] for day, share, n in self.days if n],
            **_share_texts(self.share_name, self.few),
        }


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often each of some ranges occurs, side by side, and marks across them."""

    id: str
    title: str | Promise
    # One more than there are bars: what each begins with, and where the last one ends.
    edges: Sequence[str]
    counts: Sequence[int]
    marks: Sequence[Mark]
    count_name: str | Promise
    columns: Sequence[str | Promise]
    lines: Sequence[Line]
    kind: str = "distribution"

    @property
    def is_empty(self) -> bool:
        return not any(self.counts)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "counts": list(self.counts),
            "marks": [mark._asdict() for mark in self.marks],
            "countName": str(self.count_name),
            "total": sum(self.counts),
            "shareName": gettext("Share"),
        }


class Whisker(NamedTuple):
    """One row of a ranking: a share, its interval, and how many it rests on."""

    name: str
    low: float
    share: float
    high: float
    n: int
    is_few: bool
    # The reader's own, which stands out.
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Intervals:
    """Shares with their intervals below each other, the best first."""

    id: str
    title: str | Promise
    whiskers: Sequence[Whisker]
    share_name: str | Promise
    interval_name: str | Promise
    columns: Sequence[str | Promise]
    lines: Sequence[Line]
    kind: str = "intervals"

    @property
    def is_empty(self) -> bool:
        return not self.whiskers

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "whiskers": [whisker._asdict() for whisker in self.whiskers],
            "intervalName": str(self.interval_name),
            **_share_texts(self.share_name, 0),
        }


def _share_texts(share_name: str | Promise, few: int) -> dict[str, Any]:
    return {
        "shareName": str(share_name),
        "countName": "n",
        "few": few,
        "fewName": gettext("fewer than %(few)d") % {"few": few},
        "noneName": gettext("no data"),
        "steps": list(SHARE_STEPS),
    }
