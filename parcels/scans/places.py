"""What the public may see of the place of a scan.

Couriers type places as they like: a hub's name, but also a rider's name and phone. No rule finds names of
persons, so the rule is the other way round: a place is shown as it was typed if each of its words is the name
of a city, a word for a facility or a short code. Of any other place only the city is shown.
"""

import re
import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from django.utils import translation

from alliance.tenancy import Scope, rows_in

# How long a process caches the names of cities.
_KNOWN_SECONDS: Final = 3_600
# A phone number has more digits, in however many groups.
_MOST_DIGITS: Final = 5
# The longest name of a city, in words or in Chinese characters.
_LONGEST: Final = 12
_ENGLISH_WORDS: Final = """
airport alliance and area base branch building center centre central city collection cross-border
customs dc delivery depot distribution district dock downtown east eastern express facility for
freight gate gateway hall hub international line-haul locker lockers logistics main mall north
northern office of outlet parcel park pick-up pickup point port post rail railway regional road room
shop site sort sorting south southern station store sub-station terminal the transfer transit
warehouse west western yard zone
"""
_CHINESE_WORDS: Final = """
分拨中心 转运中心 分拣中心 集散中心 处理中心 配送中心 物流中心 快件中心 中心 分拨 转运 中转 分拣
集散 处理 配送 派送 投递 揽投 营业部 营业厅 营业点 营业 网点 分部 总部 分公司 公司 站点 驿站 站 部
点 仓库 总仓 分仓 前置仓 仓 场站 场 库 枢纽 快递柜 智能柜 快件柜 自提柜 自提点 自提 代收点 代收
服务点 服务站 服务 丰巢 菜鸟 邮政 快递 快件 快运 速运 物流 货运 航空 铁路 公路 国际 国内 跨境 机场
口岸 海关 港 港口 保税区 园区 产业园 工业园 物流园 区 市 县 省 镇 东部 西部 南部 北部 东区 西区 南区
北区 东 西 南 北 中 一号 二号 三号 第一 第二 第三 一 二 三 四 五 六 七 八 九 十 号
"""
_WORDS: Final = frozenset(_ENGLISH_WORDS.split())
_CHINESE: Final = frozenset(_CHINESE_WORDS.split())
# HGH-01, 3A, 12, B. Letters alone may be a name.
_CODE: Final = re.compile(r"(?:[A-Z]{1,5}[-_/]?)?\d{1,4}[A-Z]?|[A-Z]")
# A run of Chinese characters, or a word in another script.
_RUN: Final = re.compile(r"[\u3400-\u9fff]+|[^\s\u3400-\u9fff,;:()\[\]{}·，、；：（）【】|]+")


class _Names(NamedTuple):
    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class PublicPlace:
    """A place as the public may see it: as it was typed, or the city alone."""

    text: str = ""
    city: _Names | None = None

    def __str__(self) -> str:
        if self.city is None:
            return self.text
        return self.city.chinese if translation.get_language() == "zh-hans" else self.city.english


def public_place(facility: str) -> str:
    """Return what the public may see of a scan's place, in the current language; "" for nothing.

    Needs a query if the names of cities are not cached in this process.
    """
    return str(_known_place(facility, _epoch())) if facility else ""


def place_of(facility: str, cities: Mapping[str, _Names]) -> PublicPlace:
    """Judge a place by the names of cities, in lower case. Pure."""
    text = unicodedata.normalize("NFKC", facility)
    named, is_known = _read(text, cities)
    # Victoria Florence is a person: a place lies in one city.
    if is_known and len(set(named)) <= 1 and sum(map(str.isdigit, text)) <= _MOST_DIGITS:
        return PublicPlace(text)
    return PublicPlace(city=named[0] if named else None)


def _read(text: str, cities: Mapping[str, _Names]) -> tuple[list[_Names], bool]:
    """Return the cities that a text names, and whether all of its words are known."""
    runs = _RUN.findall(text)
    named: list[_Names] = []
    is_known, index = True, 0
    while index < len(runs):
        run, taken = runs[index], 1
        if "\u3400" <= run[0] <= "\u9fff":
            found, known = _read_chinese(run, cities)
            named += found
        elif (match := _longest_city(runs[index : index + 4], cities)) is not None:
            city, taken = match
            named.append(city)
            known = True
        else:
            known = run.lower() in _WORDS or bool(_CODE.fullmatch(run))
        is_known, index = is_known and known, index + taken
    return named, is_known


def _longest_city(words: list[str], cities: Mapping[str, _Names]) -> tuple[_Names, int] | None:
    for count in range(len(words), 0, -1):
        if city := cities.get(" ".join(words[:count]).lower()):
            return city, count
    return None


def _read_chinese(run: str, cities: Mapping[str, _Names]) -> tuple[list[_Names], bool]:
    named: list[_Names] = []
    is_known, index = True, 0
    while index < len(run):
        lengths = range(min(_LONGEST, len(run) - index), 0, -1)
        words = (run[index : index + length] for length in lengths)
        word = next((word for word in words if word in cities or word in _CHINESE), "")
        if word in cities:
            named.append(cities[word])
        is_known, index = is_known and bool(word), index + max(len(word), 1)
    return named, is_known


def city_names(rows: Iterable[tuple[str, str]]) -> dict[str, _Names]:
    """Return the cities by both of their names."""
    cities = {}
    for english, chinese in rows:
        names = _Names(english, chinese)
        cities[english.lower()] = cities[chinese.lower()] = names
        cities[chinese.removesuffix("市")] = names
    cities.pop("", None)
    return cities


def _epoch() -> int:
    return int(time.monotonic() // _KNOWN_SECONDS)


@lru_cache(maxsize=1)
def _cities(_epoch: int) -> dict[str, _Names]:
    return city_names(rows_in(Scope.parcel(0), "SELECT name_en, name_zh FROM alliance_city", []))


@lru_cache(maxsize=20_000)
def _known_place(facility: str, epoch: int) -> PublicPlace:
    return place_of(facility, _cities(epoch))


def forget_places() -> None:
    _cities.cache_clear()
    _known_place.cache_clear()
