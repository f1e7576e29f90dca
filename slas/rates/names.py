"""On-time rates with the names of their groups."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import formats, translation
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from alliance.dates import date_text
from alliance.models import City, Organisation
from slas.promises.models import ServiceTier
from slas.rates.rules import GroupBy, RateRow, keys_of

# Returns a key's name for people, and its code for programs.
Namer = Callable[[Any], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A group's rates with its name for people and its code for programs."""

    name: str
    code: str
    row: RateRow


@dataclass(frozen=True, slots=True)
class NamedRow:
    """A row grouped by several dimensions: a name and a code for each."""

    names: tuple[str, ...]
    codes: tuple[str, ...]
    row: RateRow


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a ranking. If all groups fit into one list, `weakest` is empty."""

    best: list[Standing]
    weakest: list[Standing]
    # The number of groups in the whole ranking.
    total: int


def standings(rows: Sequence[RateRow], group_by: GroupBy) -> list[Standing]:
    """Name the groups of an answer by one dimension, in its order. At most two queries."""
    name_of = namer(group_by, [row.group for row in rows])
    return [Standing(*name_of(row.group), row) for row in rows]


def named_rows(rows: Sequence[RateRow], group_by: Sequence[GroupBy]) -> list[NamedRow]:
    """Name the groups of an answer by several dimensions. At most one query for each."""
    keys = [keys_of(row, group_by) for row in rows]
    columns = [namer(item, {key[index] for key in keys}) for index, item in enumerate(group_by)]
    named = []
    for row, key in zip(rows, keys, strict=True):
        pairs = [name_of(part) for name_of, part in zip(columns, key, strict=True)]
        named.append(NamedRow(tuple(name for name, _c in pairs), tuple(code for _n, code in pairs), row))
    return named


def ends_of(rows: Sequence[RateRow], group_by: GroupBy, *, most: int = 5) -> Ends:
    """Return the best and the weakest groups by lower bound, named.

    A few parcels have a low bound because little is known, not because they were late: groups with 30 parcels
    or more are listed as weakest first.
    """
    ranked = sorted((row for row in rows if row.n), key=lambda row: -(row.lower_bound or 0.0))
    if len(ranked) <= 2 * most:
        return Ends(standings(ranked, group_by), [], len(ranked))
    best, remaining = ranked[:most], ranked[most:]
    weakest = sorted(remaining, key=lambda row: (row.is_few, row.lower_bound or 0.0))[:most]
    groups = standings([*best, *weakest], group_by)
    return Ends(groups[:most], groups[most:], len(ranked))


def namer(group_by: GroupBy, keys: Iterable[Any]) -> Namer:
    """Return the function that names the keys of a dimension."""
    match group_by:
        case GroupBy.COURIER | GroupBy.MERCHANT:
            parties = Organisation.objects.in_bulk(list(keys))
            return lambda pk: (parties[pk].name, parties[pk].public_id)
        case GroupBy.TIER:
            tiers = ServiceTier.objects.in_bulk(list(keys))
            return lambda pk: (tiers[pk].name, tiers[pk].code)
        case GroupBy.LANE:
            cities = City.objects.in_bulk({city for lane in keys for city in lane})
            return lambda lane: _lane(cities[lane[0]], cities[lane[1]])
        case GroupBy.ORIGIN | GroupBy.DESTINATION:
            cities = City.objects.in_bulk(list(keys))
            return lambda pk: (cities[pk].name, cities[pk].code)
        case GroupBy.ORIGIN_PROVINCE | GroupBy.DESTINATION_PROVINCE:
            return _provinces(set(keys))
    return _TIMES[group_by]


def province_code(country: str, province: str) -> str:
    """Return the code of a province: two countries may have provinces of the same name."""
    return f"{country}-{province}"


def _provinces(keys: set[tuple[str, str]]) -> Namer:
    if translation.get_language() != "zh-hans":
        return lambda key: (key[1] or key[0], province_code(*key))
    cities = City.objects.filter(province_en__in={province for _country, province in keys}).order_by()
    columns = cities.values_list("country", "province_en", "province_zh").distinct()
    chinese = {(country, english): chinese for country, english, chinese in columns}
    return lambda key: (chinese.get(key) or key[1] or key[0], province_code(*key))


def _day(day: date) -> tuple[str, str]:
    return date_text(day), day.isoformat()


def _week(monday: date) -> tuple[str, str]:
    return _("week of %(day)s") % {"day": _day(monday)[0]}, monday.isoformat()


def _month(first: date) -> tuple[str, str]:
    return formats.date_format(first, "YEAR_MONTH_FORMAT"), f"{first:%Y-%m}"


def _weekday(number: int) -> tuple[str, str]:
    return str(WEEKDAYS[number - 1]), str(number)


def _lane(origin: City, destination: City) -> tuple[str, str]:
    return f"{origin.name} → {destination.name}", f"{origin.code}-{destination.code}"


_TIMES: dict[GroupBy, Namer] = {
    GroupBy.DAY: _day,
    GroupBy.WEEK: _week,
    GroupBy.MONTH: _month,
    GroupBy.WEEKDAY: _weekday,
}
