"""The columns of the table of rates, shared by the page and the downloaded file."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from alliance.csv_cells import safe_cell
from alliance.csv_files.headers import header
from alliance.durations import duration_text, nearest_minute
from alliance.templatetags.ui import count, percent
from slas.choices import ExcuseReason
from slas.rates.names import NamedRow
from slas.rates.rules import GroupBy, RateRow

Unit = Literal["count", "share", "duration"]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure: its name in files, its title on the page, and how it is read from a row."""

    code: str
    title: str | Promise
    unit: Unit
    read: Callable[[RateRow], Any]

    def head(self) -> str:
        """The figure's name in a file: its title for Chinese readers, with the unit."""
        if get_language() != "zh-hans":
            return self.code
        return f"{self.title}（分钟）" if self.unit == "duration" else str(self.title)

    def text_of(self, row: RateRow) -> str:
        """The figure as text for people."""
        value = self.read(row)
        if self.unit == "share":
            return percent(value)
        if self.unit == "duration":
            return "–" if value is None else duration_text(nearest_minute(value))
        return count(value)

    def raw(self, row: RateRow) -> str | int:
        """The figure for programs: shares between 0 and 1, durations in seconds, empty for None."""
        value = self.read(row)
        if value is None:
            return ""
        if self.unit == "share":
            return f"{value:.6f}"
        return int(nearest_minute(value).total_seconds()) if self.unit == "duration" else int(value)


def _count(name: str, title: str | Promise, read: Callable[[RateRow], int] | None = None) -> Column:
    return Column(name, title, "count", read or (lambda row: getattr(row, name)))


def _share(name: str, title: str | Promise, told: str = "") -> Column:
    """A share of a row; `told` is its name in files, if it has another one there."""
    return Column(told or name, title, "share", lambda row: getattr(row, name))


def _late(name: str, title: str | Promise) -> Column:
    return _count(f"late_{name}", title, lambda row: getattr(row.late_by, name))


def _percentile(name: str) -> Column:
    return Column(f"late_{name}_seconds", name.upper(), "duration", lambda row: getattr(row, name))


def _reason(reason: ExcuseReason) -> Column:
    return _count(f"excused_{reason.value}", reason.label, lambda row: row.excused_by.get(reason, 0))


N = _count("n", "n")
RATES = (
    _share("raw", _("Raw"), "raw_rate"),
    _share("accountable", _("Accountable"), "accountable_rate"), _share("lower_bound", _("At least")),
    _share("upper_bound", _("At most")), N, _count("met", _("On time")), _count("late", _("Late")),
    _count("overdue", _("Overdue")), _count("excused", _("Exempt")), _count("pending", _("Not due yet")),
    _count("void", _("Void")),
)  # fmt: skip
LATENESS = (
    _late("one_day", _("Up to 1 day")), _late("two_days", _("Up to 2 days")),
    _late("three_days", _("Up to 3 days")), _late("more", _("More than 3 days")),
    _late("missing", _("Not completed")), _percentile("p50"), _percentile("p90"), _percentile("p95"),
)  # fmt: skip
SERVICE = (
    _share("first_attempt_rate", _("First attempt")), _count("attempted", _("Attempted")),
    _share("within_48h_rate", _("Within 48 hours")), _share("within_72h_rate", _("Within 72 hours")),
    _share("pickup_on_time", _("Pickup on time"), "pickup_rate"), _count("pickup_n", _("Pickups due")),
)  # fmt: skip
EXCLUDED = (_count("excused", _("Exempt")), *(_reason(reason) for reason in ExcuseReason))
# The sets of figures to choose from.
FIGURES: dict[str, tuple[str | Promise, tuple[Column, ...]]] = {
    "rates": (_("Rates"), RATES),
    "lateness": (_("How late"), (N, *LATENESS)),
    "service": (_("Attempts and hours"), (N, *SERVICE)),
    "excluded": (_("Excluded"), (N, *EXCLUDED)),
    "all": (_("All figures"), (*RATES, *LATENESS, *SERVICE, *EXCLUDED[1:])),
}


def as_file(
    rows: Sequence[NamedRow], group_by: Sequence[GroupBy], columns: Sequence[Column], name: str
) -> HttpResponse:
    """Return rows as a CSV: a code and a name for each dimension, the columns, and two flags."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    # Spreadsheets recognise UTF-8 by it.
    response.write("\ufeff")
    csv.writer(response).writerows(_lines(rows, group_by, columns))
    return response


def _lines(
    rows: Sequence[NamedRow], group_by: Sequence[GroupBy], columns: Sequence[Column]
) -> Iterator[list[Any]]:
    heads = [head for item in group_by for head in (item.value, f"{item.value}_name")]
    figures = [column.head() for column in columns]
    yield [*header(heads), *figures, *header(["provisional", "few"])]
    for line in rows:
        keys = [text for pair in zip(line.codes, line.names, strict=True) for text in pair]
        flags = ["yes" if flag else "no" for flag in (line.row.provisional, line.row.is_few)]
        yield [*map(safe_cell, keys), *(column.raw(line.row) for column in columns), *flags]
