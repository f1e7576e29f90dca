"""The data of a chart: numbers and labels, without drawing options.

Line and bar charts are here, the other kinds in alliance/portal/pictures.py; `Picture` is their common
interface.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext

Unit = Literal["percent", "number", "text"]
Kind = Literal["line", "bar", "stacked"]
Values = Sequence[float | int | None]
# A value of a chart's table, and its unit.
Cell = tuple[float | int | str | None, Unit]
# A row of the table: its heading and its cells.
Line = tuple[str, Sequence[Cell]]


class Picture(Protocol):
    """A chart and its data table, as the chart component needs them. `id` is unique on the page."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str | Promise: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_empty(self) -> bool: ...
    @property
    def columns(self) -> Sequence[str | Promise]:
        """The headers of the table, that of the heading column first."""

    @property
    def lines(self) -> Sequence[Line]:
        """The table's rows."""

    def as_json(self) -> dict[str, Any]:
        """Return what assets/charts.js reads; every lazy text is resolved in the current language."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line or set of bars. None is a gap, not a zero.

    Percent values are ratios (0.9131 is shown as 91.31 %). `colour` is one of the chart colours of
    assets/charts.js; by default they are used in turn.
    """

    name: str | Promise
    values: Values
    colour: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded area behind the lines, such as a confidence interval."""

    name: str | Promise
    low: Values
    high: Values


@dataclass(frozen=True, slots=True)
class Chart:
    """A line or bar chart and its data table. `id` is unique on the page."""

    id: str
    title: str | Promise
    categories: Sequence[str]
    series: Sequence[Series]
    kind: Kind = "line"
    unit: Unit = "number"
    category_name: str | Promise = ""
    band: Band | None = None
    # The sample size of each point, for the tooltip and the table: a rate means little without it.
    counts: Sequence[int] | None = None
    counts_name: str | Promise = "n"
    # Categories from this index on are provisional, and are drawn differently.
    provisional_from: int | None = None

    @property
    def is_empty(self) -> bool:
        return not any(value is not None for series in self.series for value in series.values)

    def as_json(self) -> dict[str, Any]:
        """Return what assets/charts.js reads; every lazy text is resolved in the current language."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "title": str(self.title),
            "categories": [str(category) for category in self.categories],
            "series": [
                {
                    "name": str(series.name),
                    "values": list(series.values),
                    "colour": series.colour,
                    "dashed": series.dashed,
                }
                for series in self.series
            ],
            "band": self._band_json(),
            "counts": list(self.counts) if self.counts is not None else None,
            "countsName": str(self.counts_name),
            "provisionalFrom": self.provisional_from,
            "provisionalName": gettext("provisional"),
        }

    @property
    def columns(self) -> list[str | Promise]:
        names = [self.category_name, *(series.name for series in self.series)]
        if self.band is not None:
            names += [
                gettext("%(band)s: from") % {"band": self.band.name},
                pgettext("end of an interval", "to"),
            ]
        return names if self.counts is None else [*names, self.counts_name]

    @property
    def lines(self) -> list[Line]:
        """The category, one value per series, the band, and the counts if known."""
        columns = [series.values for series in self.series]
        if self.band is not None:
            columns += [self.band.low, self.band.high]
        units: list[Unit] = [self.unit] * len(columns)
        if self.counts is not None:
            columns, units = [*columns, self.counts], [*units, "number"]
        return [
            (str(category), list(zip(values, units, strict=True)))
            for category, *values in zip(self.categories, *columns, strict=True)
        ]

    def _band_json(self) -> dict[str, Any] | None:
        if self.band is None:
            return None
        return {"name": str(self.band.name), "low": list(self.band.low), "high": list(self.band.high)}
