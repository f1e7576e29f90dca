"""Names of places: comparison, pinyin, and conversion to simplified characters."""

import re
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache

from babel import Locale
from opencc_purepy import OpenCC
from pypinyin import Style, lazy_pinyin, load_single_dict, pinyin, pinyin_dict

from alliance.gazetteer.keys import search_key

_HAN = re.compile(r"[\u4e00-\u9fff]+")
_SAME_NAME = 0.5

# In names from Mongolian and Uyghur 勒 is read le; pypinyin has lei, as in the verb "to tighten".
load_single_dict({ord("勒"): "lè,lēi"})


def is_han(name: str) -> bool:
    """Whether a name has Chinese characters only."""
    return _HAN.fullmatch(name) is not None


def in_pinyin(name_zh: str) -> str:
    """Return a Chinese name in pinyin without tones: 西安 is Xi'an, 吕梁 is Lüliang."""
    result = ""
    for syllable in lazy_pinyin(name_zh, v_to_u=True):
        # Without the apostrophe 西安 would read as one syllable.
        result += f"'{syllable}" if result and syllable[0] in "aeo" else syllable
    return result.capitalize()


def is_reading_of(name: str, name_zh: str) -> bool:
    """Whether a Latin name spells a Chinese one, by any reading of its characters (长 is chang or zhang)."""
    # Character by character: for a known phrase pypinyin returns one reading only.
    readings = (pinyin(one, style=Style.NORMAL, heteronym=True, v_to_u=True)[0] for one in name_zh)
    pattern = "".join(f"(?:{'|'.join(re.escape(search_key(one)) for one in some)})" for some in readings)
    return re.fullmatch(pattern, search_key(name)) is not None


def is_pinyin(name: str) -> bool:
    """Whether a Latin name consists of Chinese syllables, like Nianbo and unlike Hohhot."""
    return re.fullmatch(f"(?:{_syllables()})+", search_key(name)) is not None


def simplified(name: str) -> str:
    """Convert traditional or Japanese characters of a name to simplified ones."""
    from_japanese, from_traditional = _converters()
    return from_traditional.convert(from_japanese.convert(name))


def simplified_name(alternates: Iterable[str], *, name: str) -> str:
    """Return the mainland's name of a place out of its names in all languages; "" if there is none.

    Names with characters that the mainland does not use come last. Otherwise choose the most frequent name;
    of equally frequent ones the one whose pinyin is most similar to `name`, as some are old nicknames.
    """
    counts = Counter(without_suffix(simplified(alternate)) for alternate in alternates if is_han(alternate))

    def merit(alternate: str) -> tuple[bool, int, float]:
        sound = SequenceMatcher(a=search_key(in_pinyin(alternate)), b=search_key(name)).ratio()
        return _is_mainland_writing(alternate), counts[alternate], sound

    return max(sorted(counts), key=merit, default="")


def zone_city_name(name: str, *, keys: frozenset[str], time_zone: str) -> str:
    """Return the Chinese name of the city that a time zone is named after, if `keys` has that city's name.

    Unicode's locale data name about 400 large cities in this way. A few zones are named after a country or an
    island, and their name would be given to its capital: therefore the name is compared.
    """
    zone_key = search_key(time_zone.rpartition("/")[2])
    likeness = SequenceMatcher(a=zone_key, b=search_key(name)).ratio()
    if zone_key not in keys or likeness < _SAME_NAME:
        return ""
    return str(_chinese().time_zones.get(time_zone, {}).get("city", ""))


def without_suffix(name: str) -> str:
    """Remove the suffix 市 (city) of a Chinese name, which is optional."""
    return name[:-1] if len(name) > 2 and name.endswith("市") else name


def _is_mainland_writing(name: str) -> bool:
    """Whether all characters are in GB 2312, which has simplified characters only."""
    try:
        name.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


@cache
def _syllables() -> str:
    readings = (reading for character in pinyin_dict.pinyin_dict.values() for reading in character.split(","))
    syllables = {search_key(reading) for reading in readings}
    # Without the few syllables that have no vowel (interjections): "lung" would pass as two syllables.
    return "|".join(sorted(syllable for syllable in syllables if set(syllable) & set("aeiou")))


@cache
def _chinese() -> Locale:
    return Locale("zh", script="Hans")


@cache
def _converters() -> tuple[OpenCC, OpenCC]:
    return OpenCC("jp2t"), OpenCC("t2s")
