"""Names of places: how they are compared, read aloud, and simplified."""

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

# In names from Mongolian and Uyghur 勒 is le; pypinyin would have it lei, as in tightening a rope.
load_single_dict({ord("勒"): "lè,lēi"})


def is_han(name: str) -> bool:
    """Whether a name is written in Chinese characters only."""
    return _HAN.fullmatch(name) is not None


def in_pinyin(name_zh: str) -> str:
    """Spell a Chinese name in pinyin without tones: 西安 is Xi'an, 吕梁 is Lüliang."""
    spelled = ""
    for syllable in lazy_pinyin(name_zh, v_to_u=True):
        # Without the apostrophe 西安 would read as one syllable.
        spelled += f"'{syllable}" if spelled and syllable[0] in "aeo" else syllable
    return spelled.capitalize()


def is_reading_of(name: str, name_zh: str) -> bool:
    """Whether a Latin name spells a Chinese one, by any reading of its characters (长 is chang or zhang)."""
    # One at a time: in a phrase that it knows, or thinks it knows, pypinyin tells one reading only.
    readings = (pinyin(one, style=Style.NORMAL, heteronym=True, v_to_u=True)[0] for one in name_zh)
    pattern = "".join(f"(?:{'|'.join(re.escape(search_key(one)) for one in some)})" for some in readings)
    return re.fullmatch(pattern, search_key(name)) is not None


def is_pinyin(name: str) -> bool:
    """Whether a Latin name is made of Chinese syllables, as Nianbo is and Hohhot is not."""
    return re.fullmatch(f"(?:{_syllables()})+", search_key(name)) is not None


def simplified(name: str) -> str:
    """Write a name in simplified characters, from traditional ones or from Japan's."""
    from_japanese, from_traditional = _converters()
    return from_traditional.convert(from_japanese.convert(name))


def simplified_name(alternates: Iterable[str], *, name: str) -> str:
    """The mainland's name of a place, picked from its unordered names in all languages; "" if there is none.

    Names with characters that the mainland does not use count last. Of the others, the one that most
    spellings agree on; then the one that sounds most like the name, for some are old nicknames.
    """
    counted = Counter(without_suffix(simplified(other)) for other in alternates if is_han(other))

    def merit(other: str) -> tuple[bool, int, float]:
        sound = SequenceMatcher(a=search_key(in_pinyin(other)), b=search_key(name)).ratio()
        return _is_mainland_writing(other), counted[other], sound

    return max(sorted(counted), key=merit, default="")


def zone_city_name(name: str, *, keys: frozenset[str], time_zone: str) -> str:
    """The Chinese name of the city that a time zone is called after, if it is the city of these names.

    Unicode's locale data name some 400 cities so, the best known of the world. A few zones are called
    after a country or an island, and give that name to its capital: hence the look at the name itself.
    """
    zone_key = search_key(time_zone.rpartition("/")[2])
    likeness = SequenceMatcher(a=zone_key, b=search_key(name)).ratio()
    if zone_key not in keys or likeness < _SAME_NAME:
        return ""
    return str(_chinese().time_zones.get(time_zone, {}).get("city", ""))


def without_suffix(name: str) -> str:
    """A Chinese name of a city without the word city, which people put or leave out as they like."""
    return name[:-1] if len(name) > 2 and name.endswith("市") else name


def _is_mainland_writing(name: str) -> bool:
    """GB 2312, the mainland's first character set, has simplified characters only."""
    try:
        name.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


@cache
def _syllables() -> str:
    readings = (reading for character in pinyin_dict.pinyin_dict.values() for reading in character.split(","))
    syllables = {search_key(reading) for reading in readings}
    # The few without a vowel are sighs and grunts, and would let "lung" pass as two syllables.
    return "|".join(sorted(syllable for syllable in syllables if set(syllable) & set("aeiou")))


@cache
def _chinese() -> Locale:
    return Locale("zh", script="Hans")


@cache
def _converters() -> tuple[OpenCC, OpenCC]:
    return OpenCC("jp2t"), OpenCC("t2s")
