"""What the palette finds of service: lanes, and the couriers or merchants one trades with."""

import re
from typing import Final

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.choices import Capability, OrganisationKind
from alliance.cities import search_cities
from alliance.models import Acquaintance, City, Organisation
from alliance.names import organisations_named
from alliance.portal.palette import FEW, Finder, Hit
from alliance.tenancy import Actor

# Between two cities of a lane: arrows, dashes, words.
_BETWEEN: Final = re.compile(r"\s*(?:→|->|=>|>|–|—|至|到|\bto\b)\s*|\s+-\s+", re.IGNORECASE)
# A text shorter than this begins the names of too many.
_LEAST: Final = 2


def _lanes(actor: Actor, text: str) -> list[Hit]:
    if not actor.can(Capability.VIEW_RATES) or len(text) < _LEAST:
        return []
    parts = [part for part in _BETWEEN.split(text, maxsplit=1) if part]
    if len(parts) == 2:
        return _lane_hits(*parts)
    if cities := list(search_cities(text)[:FEW]):
        return [_city_hit(actor, city) for city in cities]
    # No city is called so: perhaps two are.
    origin, _sign, destination = text.replace("-", " ").rpartition(" ")
    return _lane_hits(origin, destination) if origin and destination else []


def _lane_hits(origin: str, destination: str) -> list[Hit]:
    """The lanes between the cities that two texts name."""
    origins, destinations = (list(search_cities(part)[:2]) for part in (origin, destination))
    return [_lane_hit(first, last) for first in origins for last in destinations]


def _lane_hit(origin: City, destination: City) -> Hit:
    query = urlencode({"origin": origin.code, "destination": destination.code})
    url = f"{reverse('slas:rate_list')}?{query}"
    return Hit(f"{origin.name} → {destination.name}", url, "route", _("On-time rates"))


def _city_hit(actor: Actor, city: City) -> Hit:
    if actor.is_courier and actor.can(Capability.VIEW_OFFERS):
        url = f"{reverse('slas:offer_list')}?{urlencode({'city': city.code})}"
        return Hit(city.name, url, "map-pin", _("Offers"))
    url = f"{reverse('slas:rate_list')}?{urlencode({'destination': city.code})}"
    return Hit(city.name, url, "map-pin", _("On-time rates"))


def _partners(actor: Actor, text: str) -> list[Hit]:
    """Couriers of a merchant and merchants of a courier, by the parcels they have in common."""
    if not actor.can(Capability.VIEW_RATES) or actor.organisation_id is None or len(text) < _LEAST:
        return []
    side, other = ("courier", "merchant") if actor.is_courier else ("merchant", "courier")
    kind = OrganisationKind.MERCHANT if actor.is_courier else OrganisationKind.COURIER
    named = organisations_named(text, kind=kind)
    pairs = Acquaintance.objects.filter(**{f"{side}_id": actor.organisation_id, f"{other}_id__in": named})
    found = Organisation.objects.filter(pk__in=pairs.values(f"{other}_id")).order_by("name")
    icon = "building-store" if actor.is_courier else "truck"
    rates = reverse("slas:rate_list")
    return [
        Hit(item.name, f"{rates}?{urlencode({other: item.public_id})}", icon, _("On-time rates"))
        for item in found[:FEW]
    ]


FINDERS: Final = {
    "lanes": Finder(gettext_lazy("Lanes and cities"), 20, _lanes),
    "partners": Finder(gettext_lazy("Partners"), 30, _partners),
}
