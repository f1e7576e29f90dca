"""Fill the city table from the gazetteer, and find cities by code or name."""

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, fields
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, NamedTuple

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from alliance.gazetteer.keys import TERM, search_key
from alliance.models import City
from alliance.texts import plain, shortened

_BATCH: Final = 1_000
_SUGGESTIONS: Final = 5
_CLOSE_ENOUGH: Final = 0.7
_EXPLAINED: Final = 5
_REMEMBERED: Final = 10_000
_RECENT_SECONDS: Final = 2.0
# By code: a city, and when it was read.
_recent: dict[str, tuple[City, float]] = {}
# The longest text that is looked up; no name in the table has half as many letters.
MOST_LETTERS: Final = 120
# The code in brackets at the end of full_name().
_PROVINCE_KIND: Final = re.compile(r"(?<=.)(?:省|(?:壮族|回族|维吾尔)?自治区|province)$")
# Provinces of China by the keys of their names. Some have the name of a city elsewhere, or what was once one.
_PROVINCES: Final = {
    search_key(name): english
    for english, chinese in (
        ("Anhui", "安徽"), ("Fujian", "福建"), ("Gansu", "甘肃"), ("Guangdong", "广东"), ("Guangxi", "广西"),
        ("Guizhou", "贵州"), ("Hainan", "海南"), ("Hebei", "河北"), ("Heilongjiang", "黑龙江"),
        ("Henan", "河南"), ("Hubei", "湖北"), ("Hunan", "湖南"), ("Inner Mongolia", "内蒙古"),
        ("Jiangsu", "江苏"), ("Jiangxi", "江西"), ("Jilin", "吉林"), ("Liaoning", "辽宁"),
        ("Ningxia", "宁夏"),
        ("Qinghai", "青海"), ("Shaanxi", "陕西"), ("Shandong", "山东"), ("Shanxi", "山西"),
        ("Sichuan", "四川"), ("Taiwan", "台湾"), ("Tibet", "西藏"), ("Xinjiang", "新疆"), ("Yunnan", "云南"),
        ("Zhejiang", "浙江"),
    )
    for name in (english, chinese)
}  # fmt: skip
_IN_BRACKETS: Final = re.compile(r"\(([A-Za-z0-9-]{2,16})\)\s*$")


class UnknownCity(ValueError):
    """A text that names no city, or more than one. `candidates` are similar or ambiguous cities."""

    def __init__(
        self, text: str, candidates: list[City], *, is_ambiguous: bool = False, is_province: bool = False
    ) -> None:
        # A message is no place for a text of any length.
        self.text = shortened(text)
        self.candidates = candidates
        self.is_ambiguous = is_ambiguous or is_province
        self.is_province = is_province
        super().__init__(self._message())

    @property
    def code(self) -> str:
        """The stable code: unknown or ambiguous."""
        return "ambiguous_city" if self.is_ambiguous else "unknown_city"

    def _message(self) -> str:
        options = "; ".join(full_name(city) for city in self.candidates)
        if self.is_province:
            return _("“%(text)s” is a province. Name the city: %(options)s.") % {
                "text": self.text,
                "options": options,
            }
        if self.is_ambiguous:
            return _("Several cities are named “%(text)s”: %(options)s.") % {
                "text": self.text,
                "options": options,
            }
        if options:
            return _("Unknown city “%(text)s”. Did you mean: %(options)s?") % {
                "text": self.text,
                "options": options,
            }
        return _("Unknown city “%(text)s”.") % {"text": self.text}


def load_cities(city_model: type[City] = City) -> int:
    """Insert the gazetteer's cities or update them by code; return how many there are.

    May run any number of times. A city that the packages no longer have stays, because lanes may use it.
    A migration passes its own `city_model`.
    """
    from alliance.gazetteer.rows import (  # noqa: PLC0415 -- large dictionaries: keep them out of web workers' memory
        CityRow,
        city_rows,
    )

    cities = [city_model(**asdict(row)) for row in city_rows()]
    city_model.objects.bulk_create(
        cities,
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=[field.name for field in fields(CityRow) if field.name != "code"],
    )
    return len(cities)


def cities_of(codes: Iterable[str]) -> list[City]:
    """Return the cities with these codes, as they were within the last seconds; do not change the objects.

    Nearly every call of a program names two. Cities change with a release that has new data, if at all.
    """
    now, wanted = time.monotonic(), set(codes)
    recent = {code: _recent[code] for code in wanted & _recent.keys()}
    found = {code: city for code, (city, read_at) in recent.items() if now - read_at < _RECENT_SECONDS}
    if missing := wanted - found.keys():
        read = {city.code: city for city in City.objects.filter(code__in=missing)}
        found |= read
        # Limited: a process may come to see every city there is.
        if len(_recent) >= _REMEMBERED:
            _recent.clear()
        _recent.update((code, (city, now)) for code, city in read.items())
    return list(found.values())


def forget_cities() -> None:
    _recent.clear()


class CityFinder:
    """Finds the cities of many texts; each text is looked up once.

    Suggestions are made for the first few unknown texts only, because they compare every city. After that
    unknown texts are checked in memory, without a query per text.
    """

    def __init__(self, cities: Iterable[City] = ()) -> None:
        self._found: dict[str, City | UnknownCity] = {city.code: city for city in cities}
        self._unknown = 0
        self._codes: dict[str, City] = {}
        self._named: dict[str, list[City]] = {}

    def find(self, text: str) -> City:
        """Return the city named by a text. Raises UnknownCity."""
        city = self._found.get(text)
        if city is None:
            city = self._look_up(text)
        if isinstance(city, UnknownCity):
            # The same error again: it must not carry the frames of every row before.
            raise city.with_traceback(None)
        return city

    def _look_up(self, text: str) -> City | UnknownCity:
        city: City | UnknownCity
        try:
            city = resolve_city(text) if self._unknown < _EXPLAINED else self._recall(text)
        except UnknownCity as error:
            city = error
            self._unknown += 1
        # Limited: a file may have a million different texts.
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[text] = city
        return city

    def _recall(self, text: str) -> City:
        if not self._codes:
            for city in City.objects.all():
                self._codes[city.code] = city
                for term in {*city.search_text.split(TERM)} - {""}:
                    self._named.setdefault(term, []).append(city)
        readings = _readings(text)
        for reading in readings:
            if exact := self._codes.get(reading.upper()):
                return exact
        keys = [search_key(reading) for reading in readings]
        key = next((key for key in keys if key in self._named), keys[0])
        return _the_one(text, key, self._named.get(key, []))


def resolve_city(text: str) -> City:
    """Find the city named by a text.

    Accepts our code or its letters alone in any case, GB/T 2260 codes of four or six digits, Chinese names
    with or without 市 and their province, unambiguous English names ("Suzhou, Anhui"), and a name followed by
    the code in brackets, as full_name() writes it. Raises UnknownCity with the candidates.
    """
    readings = _readings(text)
    keys = [search_key(reading) for reading in readings]
    if (
        len(text) > MOST_LETTERS or not keys[0] or "\0" in text
    ):  # PostgreSQL refuses text with a NUL character.
        raise UnknownCity(text, [])
    exact = City.objects.filter(code__in=[reading.upper() for reading in readings]).first()
    if exact:
        return exact
    for key in keys:
        cities = list(City.objects.filter(search_text__contains=f"{TERM}{key}{TERM}"))
        if cities or _province_named(key):
            return _the_one(text, key, cities)
    raise UnknownCity(text, _similar(keys[-1]) or _within(readings[0]))


class Province(NamedTuple):
    """A province of China, by its English name."""

    country: str
    name_en: str


def resolve_area(text: str) -> City | Province:
    """Find the city or the province of China named by a text.

    A name of both, such as 吉林, is the city; "Jilin province" or 吉林省 is the province. Raises UnknownCity.
    """
    try:
        return resolve_city(text)
    except UnknownCity as unknown:
        province = _province_named(search_key(plain(text))) if unknown.is_province else ""
        if not province:
            raise
        return Province("TW" if province == "Taiwan" else "CN", province)


def _readings(text: str) -> list[str]:
    """Return the text and the part in brackets at its end: either may name the city."""
    name = plain(text)
    inside = _IN_BRACKETS.search(name)
    return [name, inside[1]] if inside else [name]


def _the_one(text: str, key: str, cities: list[City]) -> City:
    """Return the only city of a name. Raises UnknownCity for none, and for several."""
    # Current English and Chinese names go before former names and those in other languages.
    current = [city for city in cities if key in (search_key(city.name_en), search_key(city.name_zh))]
    best = current or cities
    if province := _province_named(key):
        # 吉林 is a city of the province of that name; 海南 is a prefecture of another one.
        capital = [city for city in current if city.province_en == province]
        if len(capital) == 1:
            return capital[0]
        raise UnknownCity(text, _largest_of(province), is_province=True)
    if len(best) == 1:
        return best[0]
    raise UnknownCity(text, best[:_SUGGESTIONS], is_ambiguous=bool(best))


def _province_named(key: str) -> str:
    """The English name of the province of China that a key names; empty for others and municipalities."""
    return _PROVINCES.get(_PROVINCE_KIND.sub("", key), "")


def _largest_of(province: str) -> list[City]:
    cities = City.objects.filter(country__in=("CN", "TW"), province_en=province)
    return list(cities.order_by("-population", "code")[:_SUGGESTIONS])


def search_cities(text: str) -> QuerySet[City]:
    """Return the cities matching a text: exact names first, then names that begin with it, then the others.

    Each group is ordered by size. A county-level city (义乌) matches its prefecture.
    """
    key = search_key(text)
    rank = Case(
        When(search_text__contains=f"{TERM}{key}{TERM}", then=Value(0)),
        When(search_text__contains=f"{TERM}{key}", then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return City.objects.filter(search_text__contains=key).order_by(rank, "-population", "code")


def full_name(city: City) -> str:
    """Return an unambiguous name of a city: "Suzhou, Anhui (CN-3413)"."""
    return f"{city.name}, {city.province or city.country} ({city.code})"


def _similar(key: str) -> list[City]:
    containing = list(search_cities(key)[:_SUGGESTIONS])
    if containing:
        return containing
    names = {search_key(city.name_en): city for city in City.objects.order_by("population")}
    close = get_close_matches(key, names, n=_SUGGESTIONS, cutoff=_CLOSE_ENOUGH)
    return [names[name] for name in close]


def _within(text: str) -> list[City]:
    """Return the cities that a Chinese address names, first those named first: 广东省深圳市南山区."""
    named = [
        (text.index(name), -len(name), city.code, city)
        for city in City.objects.exclude(name_zh="")
        if len(name := city.name_zh.removesuffix("市")) > 1 and name in text
    ]
    return [city for *_order, city in sorted(named)[:_SUGGESTIONS]]


def province_text(country: str, province: str) -> str:
    """A province, known by its English name, in the language of the request."""
    if province and get_language() == "zh-hans":
        return _chinese_province(country, province) or province
    return province


@lru_cache(maxsize=_REMEMBERED)
def _chinese_province(country: str, province: str) -> str:
    cities = City.objects.filter(country=country, province_en=province).exclude(province_zh="")
    return cities.values_list("province_zh", flat=True).first() or ""
