"""Choices for the filters of on-time rates: the organisations and places in an actor's recent cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from alliance.choices import Capability, OrganisationKind
from alliance.models import Acquaintance, City, Organisation
from alliance.tenancy import Actor, require
from slas.promises.models import ServiceTier
from slas.rates.models import OnTimeRate
from slas.rates.names import province_code
from slas.rates.querysets import OnTimeRateQuerySet

# Values without promises for longer are not offered; they can still be asked for by name.
LOOKS_BACK = timedelta(days=90)
# Of more, readers look for one by a part of its name.
MOST_MERCHANTS = 200

# Code and name.
Choice = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RateChoices:
    """Values of filters. Cities are grouped by province. Merchants are None if too many to choose from."""

    couriers: list[Choice]
    merchants: list[Choice] | None
    tiers: list[Choice]
    origins: list[tuple[str, list[Choice]]]
    destinations: list[tuple[str, list[Choice]]]
    origin_provinces: list[Choice]
    destination_provinces: list[Choice]


# For requests that show no lists.
NO_CHOICES = RateChoices([], [], [], [], [], [], [])


def choices_for(*, actor: Actor, today: date) -> RateChoices:
    """Return the filter choices of an actor's rates. At most six queries, however many cells."""
    require(actor, Capability.VIEW_RATES)
    rates: OnTimeRateQuerySet = OnTimeRate.objects.all()
    cells = rates.in_grain(actor, by_merchant=actor.is_merchant)
    recent = cells.due_between(today - LOOKS_BACK, today + LOOKS_BACK).order_by()
    courier = "counterpart_id" if actor.is_merchant else "organisation_id"
    lanes = list(recent.values_list(courier, "origin_id", "destination_id").distinct())
    cities = City.objects.in_bulk({city for _courier, *ends in lanes for city in ends})
    origins = [cities[pk] for pk in {origin for _courier, origin, _destination in lanes}]
    destinations = [cities[pk] for pk in {destination for _courier, _origin, destination in lanes}]
    return RateChoices(
        couriers=[] if actor.is_courier else _organisations({row[0] for row in lanes}),
        merchants=[] if actor.is_merchant else _merchants(actor),
        tiers=[(tier.code, tier.name) for tier in ServiceTier.objects.all()],
        origins=_by_province(origins),
        destinations=_by_province(destinations),
        origin_provinces=_provinces(origins),
        destination_provinces=_provinces(destinations),
    )


def _merchants(actor: Actor) -> list[Choice] | None:
    """The merchants that a courier has parcels of; for ops all of the alliance."""
    if actor.is_courier and not actor.is_ops:
        known = Acquaintance.objects.filter(courier_id=actor.tenant_id).order_by("merchant_id")
        ids = known.values_list("merchant_id", flat=True)
    else:
        merchants = Organisation.objects.filter(kind=OrganisationKind.MERCHANT).order_by("pk")
        ids = merchants.values_list("pk", flat=True)
    found = list(ids[: MOST_MERCHANTS + 1])
    return None if len(found) > MOST_MERCHANTS else _organisations(found)


def _organisations(ids: Iterable[int]) -> list[Choice]:
    organisations = Organisation.objects.filter(pk__in=list(ids)).order_by("name")
    return [(organisation.public_id, organisation.name) for organisation in organisations]


def _by_province(cities: Iterable[City]) -> list[tuple[str, list[Choice]]]:
    groups: dict[str, list[Choice]] = {}
    for city in sorted(cities, key=lambda city: (city.country, city.province, city.name)):
        groups.setdefault(city.province or city.country, []).append((city.code, city.name))
    return list(groups.items())


def _provinces(cities: Iterable[City]) -> list[Choice]:
    provinces = {
        province_code(city.country, city.province_en): city.province for city in cities if city.province
    }
    return sorted(provinces.items(), key=lambda choice: choice[1])
