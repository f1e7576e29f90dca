"""On-time rates with names: who, or which lane, keeps its promises, the surest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import formats

from alliance.models import City, Organisation
from slas.models import ServiceTier
from slas.services.rates import GroupBy, RateRow


@dataclass(frozen=True, slots=True)
class Standing:
    """A group's rates under the name people know it by; `code` is what programs call it."""

    name: str
    code: str
    row: RateRow


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a ranking. Where all fit into one list, `weakest` is empty."""

    best: list[Standing]
    weakest: list[Standing]
    # Of how many groups these are the ends.
    total: int


def standings(rows: Sequence[RateRow], group_by: GroupBy) -> list[Standing]:
    """Name the groups of an answer of `rates_for`, in its order. One query, two for none of them."""
    named = _namer([row.group for row in rows], group_by)
    return [Standing(*named(row.group), row) for row in rows]


def ends_of(rows: Sequence[RateRow], group_by: GroupBy, *, most: int = 5) -> Ends:
    """Return the best and the weakest groups by lower bound, named.

    A handful of parcels has a low bound because little is known, not because it went badly: where
    there are groups with 30 parcels or more, those are called weakest first.
    """
    judged = sorted((row for row in rows if row.n), key=lambda row: -(row.lower_bound or 0.0))
    if len(judged) <= 2 * most:
        return Ends(standings(judged, group_by), [], len(judged))
    best, others = judged[:most], judged[most:]
    weakest = sorted(others, key=lambda row: (row.is_few, row.lower_bound or 0.0))[:most]
    named = standings([*best, *weakest], group_by)
    return Ends(named[:most], named[most:], len(judged))


def _namer(groups: Sequence[Any], group_by: GroupBy) -> Callable[[Any], tuple[str, str]]:
    match group_by:
        case GroupBy.DAY:
            return _day
        case GroupBy.COURIER:
            couriers = Organisation.objects.in_bulk(list(groups))
            return lambda pk: (couriers[pk].name, couriers[pk].slug)
        case GroupBy.LANE:
            cities = City.objects.in_bulk({city for lane in groups for city in lane})
            return lambda lane: _lane(cities[lane[0]], cities[lane[1]])
        case GroupBy.TIER:
            tiers = ServiceTier.objects.in_bulk(list(groups))
            return lambda pk: (tiers[pk].name, tiers[pk].code)


def _day(day: date) -> tuple[str, str]:
    return formats.date_format(day, "DATE_FORMAT"), day.isoformat()


def _lane(origin: City, destination: City) -> tuple[str, str]:
    return f"{origin.name} → {destination.name}", f"{origin.code}-{destination.code}"
