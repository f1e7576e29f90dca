"""Codes of cities: the country, and three letters that the trade knows, or a number where it knows none.

The letters are a city's own IATA code (SAO, BJS) or its airport's (HGH). GeoNames has most of them among a
city's names, the list of airports tells the right ones from the wrong ones. The number is GB/T 2260's in
China, GeoNames' elsewhere: made-up letters might be the code of a city we do not have.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from alliance.gazetteer.airports import Airports

_NEAREST_AIRPORT_KM: Final = 60
# A code among the city's own names counts for more than any likeness of names.
_LISTED: Final = 3
# How good a claim to a code is; the lower, the better.
_CITY_OF_SEVERAL_AIRPORTS, _LISTED_AIRPORT, _LISTED_CITY_CODE, _NAMED_AIRPORT, _NEAREST = range(5)


@dataclass(frozen=True)
class Claimant:
    """A city that wants a code. `number` is its code when no letters are known."""

    number: str
    country: str
    position: tuple[float, float]
    population: int
    keys: frozenset[str]
    letter_codes: Sequence[str]
    # In China a city without letters of its own goes by the nearest airport's.
    takes_nearest: bool = False


@dataclass
class Codes:
    """The code of a claimant, and the letters it is known by."""

    code: str
    letters: list[str] = field(default_factory=list)


@dataclass(frozen=True, order=True)
class _Claim:
    rank: int
    negative_population: int
    number: str
    code: str
    index: int


def assign_codes(claimants: Sequence[Claimant], airports: Airports) -> list[Codes]:
    """Give every claimant a code that nobody else in its country has.

    The best claim wins, and among equals the largest city's; the same data always give the same codes.
    """
    claims = _claims(claimants, airports)
    holders: dict[tuple[str, str], int] = {}
    chosen: dict[int, str] = {}
    for claim in claims:
        key = claimants[claim.index].country, claim.code
        if claim.index not in chosen and key not in holders:
            chosen[claim.index] = claim.code
            holders[key] = claim.index
    result = [Codes(f"{one.country}-{chosen.get(index, one.number)}") for index, one in enumerate(claimants)]
    for claim in claims:
        key = claimants[claim.index].country, claim.code
        if claim.rank < _NEAREST and holders.setdefault(key, claim.index) == claim.index:
            result[claim.index].letters.append(claim.code)
    return result


def _claims(claimants: Sequence[Claimant], airports: Airports) -> list[_Claim]:
    near = [dict(_near(claimant, airports)) for claimant in claimants]
    owners = _find_owners(claimants, near, airports)
    served: dict[int, list[str]] = defaultdict(list)
    for code, owner in owners.items():
        served[owner].append(code)
    claims = []
    for index, claimant in enumerate(claimants):
        ranks = _rank_letters(claimant, served[index], airports)
        if not ranks and claimant.takes_nearest:
            free = [(km, code) for code, km in near[index].items() if code not in owners]
            if free and min(free)[0] <= _NEAREST_AIRPORT_KM:
                ranks[min(free)[1]] = _NEAREST
        for code, rank in ranks.items():
            claims.append(_Claim(rank, -claimant.population, claimant.number, code, index))
    return sorted(claims)


def _near(claimant: Claimant, airports: Airports) -> list[tuple[str, float]]:
    return [(airport.code, km) for km, airport in airports.near(claimant.country, claimant.position)]


def _find_owners(
    claimants: Sequence[Claimant], near: Sequence[dict[str, float]], airports: Airports
) -> dict[str, int]:
    """The one city that each airport serves: the most speaks for it, and it is the largest such."""
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for index, claimant in enumerate(claimants):
        for code in near[index]:
            evidence = airports.by_code[code].evidence_for(claimant.keys)
            evidence += _LISTED * (code in claimant.letter_codes)
            if evidence:
                found[code].append((evidence, claimant.population, index))
    return {code: max(served)[2] for code, served in found.items()}


def _rank_letters(claimant: Claimant, served_by: Sequence[str], airports: Airports) -> dict[str, int]:
    ranks = dict.fromkeys(served_by, _NAMED_AIRPORT)
    for code in claimant.letter_codes:
        if code in ranks:
            ranks[code] = _LISTED_AIRPORT
        elif code not in airports.by_code:
            ranks[code] = _LISTED_CITY_CODE
    for code, (country, name) in airports.metros.items():
        if country == claimant.country and name in claimant.keys:
            ranks[code] = _CITY_OF_SEVERAL_AIRPORTS
    return ranks
