"""Provinces by any name that people write: 浙江, 浙江省, Zhejiang, Zhejiang Province."""

import re
from difflib import get_close_matches
from typing import Final

from alliance.models import City

_SUFFIXES: Final = re.compile(
    r"(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区"
    r"|\s+(?:province|municipality|(?:zhuang |hui |uygur |uyghur )?autonomous region|sar|sheng))$"
)


def find_province(country: str, text: str) -> str | None:
    """Return the English name of a province, which rows are stored by; None if unknown or empty."""
    key = _key(text)
    if not key:
        return None
    return next((name for name, *names in _provinces(country) if key in map(_key, (name, *names))), None)


def similar_provinces(country: str, text: str) -> list[str]:
    """Return the English names that are most like a text."""
    return get_close_matches(text.strip().title(), sorted(name for name, _zh in _provinces(country)), n=3)


def _provinces(country: str) -> list[tuple[str, str]]:
    cities = City.objects.filter(country=country).exclude(province_en="")
    return list(cities.order_by().values_list("province_en", "province_zh").distinct())


def _key(text: str) -> str:
    return _SUFFIXES.sub("", " ".join(text.split()).casefold())
