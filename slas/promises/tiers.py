"""What tiers are called, at every door. Pure."""

from typing import Final

from alliance.texts import plain
from slas.choices import TierCode

_NAMES: Final = {
    "当日达": TierCode.SAME_DAY,
    "当日": TierCode.SAME_DAY,
    "当天达": TierCode.SAME_DAY,
    "次日达": TierCode.NEXT_DAY,
    "次日": TierCode.NEXT_DAY,
    "标准快递": TierCode.STANDARD,
    "标准": TierCode.STANDARD,
    "标准达": TierCode.STANDARD,
    "普通快递": TierCode.STANDARD,
}
_CODES: Final = {code.value.replace("_", ""): code for code in TierCode}


def tier_named(text: str) -> str:
    """Return the code of the tier that a text names: Next day, NEXT-DAY, 次日达; other text as it is."""
    name = plain(text).casefold()
    key = "".join(filter(str.isalnum, name))
    return str(_CODES.get(key) or _NAMES.get(key) or name)
