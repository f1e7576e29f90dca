"""The rows of the city table, compiled from the packages' data."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from alliance.gazetteer.airports import Airports
from alliance.gazetteer.codes import Claimant, Codes, assign_codes
from alliance.gazetteer.divisions import Division, read_divisions
from alliance.gazetteer.keys import TERM, WITHIN, search_key
from alliance.gazetteer.names import (
    in_pinyin,
    is_pinyin,
    is_reading_of,
    simplified,
    simplified_name,
    without_suffix,
    zone_city_name,
)
from alliance.gazetteer.places import Place, Places, distance_km

LARGE: Final = 300_000
# All of China officially uses Beijing time, and so do its couriers. The tz database's Asia/Urumqi is the
# informal time of Xinjiang; deadlines in it would be two hours late.
_CHINA_ZONE: Final = "Asia/Shanghai"
_CHINESE: Final = ("CN", "HK", "MO", "TW")
_SAME_CITY_KM: Final = 100
_SEAT_KM: Final = 25


@dataclass(frozen=True, slots=True)
class CityRow:
    """A row of the city table."""

    code: str
    name_en: str
    name_zh: str
    province_en: str
    province_zh: str
    country: str
    time_zone: str
    latitude: float
    longitude: float
    population: int
    search_text: str


@dataclass(frozen=True)
class _Draft:
    """A city without its code yet."""

    claimant: Claimant
    name_en: str
    name_zh: str
    province_en: str
    province_zh: str
    time_zone: str
    terms: tuple[str, ...]
    within: tuple[str, ...] = ()


def city_rows() -> Iterator[CityRow]:
    """Yield China's cities in the order of their codes, then the world's large ones.

    Raises ValueError when the packages leave a city without a position.
    """
    places = Places()
    airports = Airports()
    drafts = [*_chinese_drafts(places, airports), *_world_drafts(places)]
    codes = assign_codes([draft.claimant for draft in drafts], airports)
    for draft, city_codes in zip(drafts, codes, strict=True):
        yield _row(draft, city_codes)


def _chinese_drafts(places: Places, airports: Airports) -> Iterator[_Draft]:
    divisions = read_divisions()
    finder = _Finder(divisions, places)
    for division in divisions:
        place = finder.place_of(division)
        # Prefer GeoNames' position: a few in the list are those of a neighbouring county.
        position = place.position if place else division.position
        if position:
            seat = place or finder.seat(division)
            name_en = _english_name(division, place, airports)
            draft = _chinese_draft(division, name_en, seat, position)
            # A place with the division's own name adds other names; its seat of government is a different
            # place with its own name (延吉 is no other name of 延边).
            yield (
                replace(draft, terms=(*draft.terms, *place.latin_names, *place.han_names)) if place else draft
            )
        elif not division.is_of_county_level:
            # Some towns of Xinjiang's construction corps are newer than the packages' data.
            raise ValueError(f"no package knows where {division.official_name} ({division.gb}) is")


def _chinese_draft(
    division: Division, name_en: str, seat: Place | None, position: tuple[float, float]
) -> _Draft:
    claimant = Claimant(
        number=division.number,
        country=division.country,
        position=position,
        population=seat.population if seat else 0,
        keys=frozenset({search_key(name_en)}) | (seat.keys if seat else frozenset()),
        letter_codes=seat.letter_codes if seat else (),
        takes_nearest=True,
    )
    return _Draft(
        claimant=claimant,
        name_en=name_en,
        name_zh=division.name_zh,
        province_en=division.province_en,
        province_zh=division.province_zh,
        time_zone=_CHINA_ZONE if division.country == "CN" or seat is None else seat.time_zone,
        terms=(
            *division.names,
            in_pinyin(division.short_name),
            f"{division.province_zh}{division.official_name}",
            f"{division.short_province_zh}{division.short_name}",
            *division.numbers,
            *(f"CN-{number}" for number in division.numbers),
        ),
        within=tuple(simple for name in division.county_cities for simple in (name, in_pinyin(name[:-1]))),
    )


def _english_name(division: Division, place: Place | None, airports: Airports) -> str:
    """Return the English name of a division: Hangzhou; Hohhot, not Huhehaote; Hotan, not its centre's name.

    A name that is not Chinese is used if the airport has it, or if it cannot be pinyin.
    """
    short = division.short_name
    names = {simplified(name) for name in place.han_names} if place else set()
    if place is None or not names & {short, f"{short}市"}:
        return in_pinyin(short)
    for spelling in (place.name, place.name.removesuffix("shi"), place.name.removesuffix(" City")):
        if is_reading_of(spelling, short):
            return _with_usual_apostrophes(spelling, short)
    latin_names = [place.name, *place.latin_names]
    for _distance, airport in sorted(airports.near(place.country, place.position), key=itemgetter(0)):
        named_after = airport.first_words | {airport.city_key}
        if airport_name := next((name for name in latin_names if search_key(name) in named_after), ""):
            return airport_name
    return in_pinyin(short) if is_pinyin(place.name) else place.name


def _with_usual_apostrophes(name: str, name_zh: str) -> str:
    usual = in_pinyin(name_zh)
    return usual if search_key(usual) == search_key(name) else name.replace("’", "'")


class _Finder:
    """Finds GeoNames places of divisions by their Chinese names."""

    def __init__(self, divisions: Sequence[Division], places: Places) -> None:
        self._places = {country: places.of_country(country) for country in _CHINESE}
        self._by_name: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for country, its_places in self._places.items():
            for place in its_places:
                for name in {simplified(name) for name in place.han_names}:
                    self._by_name[country, name].append(place)
        self._regions = self._find_regions(divisions)

    def place_of(self, division: Division) -> Place | None:
        """Return the largest place of the division's name near it; without a position, in its province."""
        places = [place for name in division.names for place in self._by_name[division.country, name]]
        if division.position:
            return _largest(_within(places, division.position, _SAME_CITY_KM))
        region = self._regions.get(division.gb[:2])
        return _largest(place for place in places if region is None or place.region == region)

    def seat(self, division: Division) -> Place | None:
        """Return the town of a division's government, which has another name."""
        return division.position and _largest(
            _within(self._places[division.country], division.position, _SEAT_KM)
        )

    def _find_regions(self, divisions: Sequence[Division]) -> dict[str, str]:
        """Return GeoNames' region of each province: the one with most of its divisions."""
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for division in divisions:
            if division.position and (place := self.place_of(division)):
                votes[division.gb[:2]][place.region] += 1
        return {province: regions.most_common(1)[0][0] for province, regions in votes.items()}


def _within(places: Iterable[Place], position: tuple[float, float], reach_km: float) -> Iterator[Place]:
    return (place for place in places if distance_km(place.position, position) <= reach_km)


def _largest(places: Iterable[Place]) -> Place | None:
    return max(places, key=lambda place: (place.population, -place.geoname_id), default=None)


def _world_drafts(places: Places) -> Iterator[_Draft]:
    for place in places.large(LARGE):
        if place.country not in _CHINESE:
            yield _world_draft(place, places.region_name(place))


def _world_draft(place: Place, region: str) -> _Draft:
    zone_name = zone_city_name(place.name, keys=place.keys, time_zone=place.time_zone)
    claimant = Claimant(
        number=str(place.geoname_id),
        country=place.country,
        position=place.position,
        population=place.population,
        keys=place.keys,
        letter_codes=place.letter_codes,
    )
    return _Draft(
        claimant=claimant,
        name_en=place.name,
        name_zh=zone_name or simplified_name(place.alternates, name=place.name) or place.name,
        province_en=region,
        province_zh="",
        time_zone=place.time_zone,
        terms=(*place.latin_names, *(simplified(name) for name in place.han_names), *place.han_names),
    )


def _row(draft: _Draft, codes: Codes) -> CityRow:
    country = draft.claimant.country
    known_as = (letters for code in codes.letters for letters in (code, f"{country}-{code}"))
    # "Suzhou, Anhui" and "London, GB" distinguish cities of the same name.
    qualified_names = (f"{draft.name_en}{region}" for region in (draft.province_en, country) if region)
    terms = (codes.code, draft.name_en, draft.name_zh, *draft.terms, *qualified_names, *known_as)
    keys = dict.fromkeys(search_key(form) for term in terms for form in (term, without_suffix(term)))
    within = dict.fromkeys(WITHIN + search_key(term) for term in draft.within)
    return CityRow(
        code=codes.code,
        name_en=draft.name_en,
        name_zh=draft.name_zh,
        province_en=draft.province_en,
        province_zh=draft.province_zh,
        country=country,
        time_zone=draft.time_zone,
        latitude=draft.claimant.position[0],
        longitude=draft.claimant.position[1],
        population=draft.claimant.population,
        search_text=TERM + TERM.join([*keys, *within]) + TERM,
    )
