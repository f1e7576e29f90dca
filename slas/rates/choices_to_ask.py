"""What there is to narrow on-time rates to: who and where an actor's cells of the last months are about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from alliance.choices import Capability
from alliance.models import City, Organisation
from alliance.tenancy import Actor, require
from slas.promises.models import ServiceTier
from slas.rates.models import OnTimeRate
from slas.rates.names import province_code
from slas.rates.querysets import OnTimeRateQuerySet

# What nothing was promised of for longer is not offered; it can still be asked for by name.
LOOKS_BACK = timedelta(days=90)
# A list of more is not read by anybody.
MOST_MERCHANTS = 500

# What programs call it, and what people do.
Choice = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RateChoices:
    """Values of filters, by name. Cities come by province."""

    couriers: list[Choice]
    merchants: list[Choice]
    tiers: list[Choice]
    origins: list[tuple[str, list[Choice]]]
    destinations: list[tuple[str, list[Choice]]]
    origin_provinces: list[Choice]
    destination_provinces: list[Choice]


# For those who ask by address and see no lists.
NO_CHOICES = RateChoices([], [], [], [], [], [], [])


def choices_for(*, actor: Actor, today: date) -> RateChoices:
    """Return what the actor's rates can be narrowed to. Six queries at most, however many cells."""
    require(actor, Capability.VIEW_RATES)
    rates: OnTimeRateQuerySet = OnTimeRate.objects.all()
    own = rates.in_grain(actor, by_merchant=actor.is_merchant)
    recent = own.due_between(today - LOOKS_BACK, today + LOOKS_BACK).order_by()
    courier = "counterpart_id" if actor.is_merchant else "organisation_id"
    seen = list(recent.values_list(courier, "origin_id", "destination_id").distinct())
    cities = City.objects.in_bulk({city for _courier, *ends in seen for city in ends})
    origins = [cities[pk] for pk in {origin for _courier, origin, _destination in seen}]
    destinations = [cities[pk] for pk in {destination for _courier, _origin, destination in seen}]
    return RateChoices(
        couriers=[] if actor.is_courier else _organisations({row[0] for row in seen}),
        merchants=[] if actor.is_merchant else _organisations(_merchants(actor, today)),
        tiers=[(tier.code, tier.name) for tier in ServiceTier.objects.all()],
        origins=_by_province(origins),
        destinations=_by_province(destinations),
        origin_provinces=_provinces(origins),
        destination_provinces=_provinces(destinations),
    )


def _merchants(actor: Actor, today: date) -> set[int]:
    rates: OnTimeRateQuerySet = OnTimeRate.objects.all()
    cells = rates.in_grain(actor, by_merchant=True).due_between(today - LOOKS_BACK, today + LOOKS_BACK)
    return set(cells.order_by().values_list("organisation_id", flat=True).distinct()[:MOST_MERCHANTS])


def _organisations(ids: Iterable[int]) -> list[Choice]:
    found = Organisation.objects.filter(pk__in=list(ids)).order_by("name")
    return list(found.values_list("slug", "name"))


def _by_province(cities: Iterable[City]) -> list[tuple[str, list[Choice]]]:
    groups: dict[str, list[Choice]] = {}
    for city in sorted(cities, key=lambda city: (city.country, city.province, city.name)):
        groups.setdefault(city.province or city.country, []).append((city.code, city.name))
    return list(groups.items())


def _provinces(cities: Iterable[City]) -> list[Choice]:
    found = {province_code(city.country, city.province_en): city.province for city in cities if city.province}
    return sorted(found.items(), key=lambda choice: choice[1])
