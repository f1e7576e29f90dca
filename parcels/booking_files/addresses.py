"""The city that a Chinese address begins with, and an address put together from its parts. Pure."""

import re
from collections.abc import Sequence
from typing import Final

_BETWEEN: Final = r"[\s,，、-]*"
# Provinces without their kind, and the kinds other than 省.
_NAMES: Final = (
    "河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南"
    "|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆"
)
_KINDS: Final = {
    "内蒙古": "自治区", "广西": "壮族自治区", "西藏": "自治区", "宁夏": "回族自治区", "新疆": "维吾尔自治区",
}  # fmt: skip
_PROVINCE: Final = rf"(?P<name>{_NAMES})(?:省|(?:壮族|回族|维吾尔)?自治区)?"
_COUNTRY: Final = re.compile(rf"\s*(?:中国|中华人民共和国)?{_BETWEEN}")
# Its own province; not a street of that name, such as 北京东路.
_MUNICIPALITY: Final = re.compile(
    r"(?P<city>北京|上海|天津|重庆|香港|澳门)(?![东西南北中]?[一二三四]?(?:路|大?街|大?道|巷))"
)
# 湖北省 省直辖县级行政区划 仙桃市: a city of no prefecture.
_DIRECT: Final = r"(?:省|自治区)直辖县级?行政(?:区划|单位)"
_CITY: Final = re.compile(
    rf"(?:{_PROVINCE})?{_BETWEEN}(?:{_DIRECT}{_BETWEEN})?"
    r"(?P<city>(?:(?![区县路街号])[\u4e00-\u9fff]){2,12}?(?:市|自治州|地区|盟))"
)
# What is told of an address whose city has no 市: no more of it than names a place.
_BEGINNING: Final = re.compile(
    rf"(?P<place>{_PROVINCE}{_BETWEEN}(?:{_DIRECT}{_BETWEEN})?[\u4e00-\u9fff]{{2,8}}?(?:[区县]|\b))"
)
# The least that follows the city in an address that is one by itself.
_LEAST_REST: Final = 4


def city_in(address: str) -> str:
    """The city that an address begins with, with its province, or what stands in its place; "" for none."""
    rest = _without_country(address)
    if found := _MUNICIPALITY.match(rest):
        return found["city"]
    if found := _CITY.match(rest):
        name = found["name"] or ""
        return (name and name + _KINDS.get(name, "省")) + found["city"]
    return found["place"] if (found := _BEGINNING.match(rest)) else ""


def address_of(parts: Sequence[str]) -> str:
    """An address of its parts, the province first; one that is whole by itself repeats the others."""
    return next(filter(_is_whole, parts), " ".join(parts))


def _is_whole(address: str) -> bool:
    rest = _without_country(address)
    found = _MUNICIPALITY.match(rest) or _CITY.match(rest)
    return found is not None and len(rest) - found.end() >= _LEAST_REST


def _without_country(address: str) -> str:
    found = _COUNTRY.match(address)
    return address[found.end() :] if found else address
