"""Other charts than lines and bars: a heat map, a calendar, a distribution, intervals.

Each has only numbers and labels and its data table, and is drawn by assets/pictures.js; see `Picture`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext

from alliance.portal.charts import Line

# Upper bounds of the colour steps of a share; below the first is the worst. For shares near 1.
SHARE_STEPS = (0.8, 0.9, 0.95, 0.98)


class Spot(NamedTuple):
    """One cell of a heat map: its column and row, its share, and the sample size."""

    x: int
    y: int
    share: float | None
    n: int


class Mark(NamedTuple):
    """A line across a distribution: its position (bars are 1 wide, the first starts at 0) and label."""

    name: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Shares by two dimensions as colours. Cells with a small sample are hatched."""

    id: str
    title: str | Promise
    # Labels of the axes, the most important first: a narrow screen shows only the first ones.
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
    """A calendar of a year, each day coloured by its share."""

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
    """A histogram, with marks across the bars."""

    id: str
    title: str | Promise
    # The start of each bar, and the end of the last one: one more than there are bars.
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
    """One row of a ranking: a share, its confidence interval, and the sample size."""

    name: str
    low: float
    share: float
    high: float
    n: int
    is_few: bool
    # The reader's own row, which is highlighted.
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Intervals:
    """Shares with their confidence intervals, the best first."""

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
