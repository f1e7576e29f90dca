"""On-time rates as charts."""

from collections.abc import Sequence

from django.utils import formats
from django.utils.translation import gettext as _

from alliance.portal.charts import Band, Chart, Series
from slas.services.rates import RateRow
from slas.services.standings import Standing

RAW_COLOUR, ACCOUNTABLE_COLOUR = "orange", "petrol"


def trend_chart(days: Sequence[RateRow], *, id: str, title: str) -> Chart:
    """Draw rates by day, oldest first; a day nothing was judged on is a gap."""
    interval = _("Interval of 95 %")
    return Chart(
        id=id,
        title=title,
        unit="percent",
        category_name=_("Day"),
        categories=[formats.date_format(day.group, "MONTH_DAY_FORMAT") for day in days],
        series=_series(days),
        counts=[day.n for day in days],
        band=Band(interval, [day.lower_bound for day in days], [day.upper_bound for day in days]),
        provisional_from=next((place for place, day in enumerate(days) if day.provisional), None),
    )


def groups_chart(groups: Sequence[Standing], *, id: str, title: str, category_name: str) -> Chart:
    """Draw the rates of lanes, tiers or couriers beside each other."""
    rows = [group.row for group in groups]
    return Chart(
        id=id,
        title=title,
        kind="bar",
        unit="percent",
        category_name=category_name,
        # A lane on two lines, or only every third would find room for its name.
        categories=[group.name.replace(" → ", "\n→ ") for group in groups],
        series=_series(rows),
        counts=[row.n for row in rows],
    )


def _series(rows: Sequence[RateRow]) -> list[Series]:
    return [
        Series(_("Accountable"), [row.accountable for row in rows], colour=ACCOUNTABLE_COLOUR),
        Series(_("Raw"), [row.raw for row in rows], colour=RAW_COLOUR, dashed=True),
    ]
