"""Codes of cities: the country, and the three letters used in the trade, or a number if there are none.

The letters are a city's own IATA code (SAO, BJS) or its airport's (HGH). GeoNames has most of them among a
city's names; the list of airports shows which are right. The number is GB/T 2260's in China and GeoNames'
elsewhere: invented letters might be the code of a city we do not have.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from alliance.gazetteer.airports import Airports

_NEAREST_AIRPORT_KM: Final = 60
# A code among the city's own names counts more than any similarity of names.
_LISTED: Final = 3
# The rank of a claim to a code; lower is better.
_CITY_OF_SEVERAL_AIRPORTS, _LISTED_AIRPORT, _LISTED_CITY_CODE, _NAMED_AIRPORT, _NEAREST = range(5)


@dataclass(frozen=True)
class Claimant:
    """A city that needs a code. `number` is its code if no letters are known."""

    number: str
    country: str
    position: tuple[float, float]
    population: int
    keys: frozenset[str]
    letter_codes: Sequence[str]
    # In China a city without letters of its own uses those of the nearest airport.
    takes_nearest: bool = False


@dataclass
class Codes:
    """The code of a claimant, and all letters it can be found by."""

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
    """Assign each claimant a code that is unique in its country.

    The best claim wins, and among equal claims that of the largest city; the same data give the same codes.
    """
    claims = _claims(claimants, airports)
    holders: dict[tuple[str, str], int] = {}
    letters_by_index: dict[int, str] = {}
    for claim in claims:
        key = claimants[claim.index].country, claim.code
        if claim.index not in letters_by_index and key not in holders:
            letters_by_index[claim.index] = claim.code
            holders[key] = claim.index
    result = [
        Codes(f"{one.country}-{letters_by_index.get(index, one.number)}")
        for index, one in enumerate(claimants)
    ]
    for claim in claims:
        key = claimants[claim.index].country, claim.code
        if claim.rank < _NEAREST and holders.setdefault(key, claim.index) == claim.index:
            result[claim.index].letters.append(claim.code)
    return result


def _claims(claimants: Sequence[Claimant], airports: Airports) -> list[_Claim]:
    near = [dict(_near(claimant, airports)) for claimant in claimants]
    owners = _find_owners(claimants, near, airports)
    codes_by_owner: dict[int, list[str]] = defaultdict(list)
    for code, owner in owners.items():
        codes_by_owner[owner].append(code)
    claims = []
    for index, claimant in enumerate(claimants):
        ranks = _rank_letters(claimant, codes_by_owner[index], airports)
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
    """Return the city that each airport serves: the one with most evidence, and of those the largest."""
    candidates: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for index, claimant in enumerate(claimants):
        for code in near[index]:
            evidence = airports.by_code[code].evidence_for(claimant.keys)
            evidence += _LISTED * (code in claimant.letter_codes)
            if evidence:
                candidates[code].append((evidence, claimant.population, index))
    return {code: max(cities)[2] for code, cities in candidates.items()}


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
