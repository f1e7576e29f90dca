"""Airports, and the codes of cities with several airports: the source of three-letter codes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import airportsdata

from alliance.gazetteer.keys import search_key
from alliance.gazetteer.places import distance_km

SERVES_KM: Final = 100
# Points that differ more in latitude are always farther apart than SERVES_KM.
_DEGREES_OF_REACH: Final = 1.0
_BETWEEN_WORDS: Final = re.compile(r"[\s/-]+")


@dataclass(frozen=True)
class Airport:
    """An airport with an IATA code."""

    code: str
    country: str
    position: tuple[float, float]
    name: str
    city_key: str

    @cached_property
    def first_words(self) -> frozenset[str]:
        """The keys of the first one, two and three words of its name: it may be named after a city."""
        words = _BETWEEN_WORDS.split(self.name)
        return frozenset(search_key("".join(words[:count])) for count in (1, 2, 3))

    def evidence_for(self, keys: frozenset[str]) -> int:
        """Return how many of its own name and its town's name match a city's names.

        Often only one of the two matches: Xi'an's airport is in Xianyang, Busan's is named after Gimhae.
        """
        return bool(keys & self.first_words) + (self.city_key in keys)


class Airports:
    """All airports with a code, and IATA's codes of cities with several airports."""

    def __init__(self) -> None:
        self.by_code = {
            code: Airport(
                code=code,
                country=airport["country"],
                position=(airport["lat"], airport["lon"]),
                name=airport["name"],
                city_key=search_key(airport["city"]),
            )
            for code, airport in airportsdata.load("IATA").items()
        }
        self._by_country: dict[str, list[Airport]] = defaultdict(list)
        for airport in self.by_code.values():
            self._by_country[airport.country].append(airport)
        self.metros = {
            code: (metro["country"], search_key(metro["name"]))
            for code, metro in airportsdata.load_iata_macs().items()
        }

    def near(self, country: str, position: tuple[float, float]) -> Iterator[tuple[float, Airport]]:
        """Yield a country's airports within SERVES_KM of a position, with their distance in km."""
        for airport in self._by_country[country]:
            # Compare latitudes first, which is cheap: a large country has thousands of airports.
            if abs(airport.position[0] - position[0]) < _DEGREES_OF_REACH:
                distance = distance_km(airport.position, position)
                if distance <= SERVES_KM:
                    yield distance, airport
