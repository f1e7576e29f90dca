"""Personal data made unreadable, as labels, public pages, logs and lists show it. Pure.

GB/T 41833-2022: at least one character of the name, six digits of the phone, unit and room of the
address are hidden. We hide more: all of the name but its first character, and every number of an
address, for addresses come as one text in which "room" is spelled in a hundred ways.
"""

import re

HIDDEN = "*"
_DIGITS_KEPT = 5
_HEAD_KEPT = 3
_CHINESE_DIGITS = "零〇一二三四五六七八九十百"
# 12-3A, 1203室, 三单元, Unit B, Room 12.
_NUMBER = re.compile(
    r"[A-Za-z]*\d[A-Za-z\d\-/#]*"
    rf"|[A-Za-z{_CHINESE_DIGITS}]+(?=\s*(?:室|单元|号楼|栋|幢|座|层|楼))"
    r"|(?<=\b(?:unit|room|flat|door)\s)\w+|(?<=\b(?:apt|ste|rm\.)\s)\w+",
    re.IGNORECASE,
)


def mask_name(name: str) -> str:
    """Keep the first character of each word: 王小明 is 王**, Li Wei is L* W**."""
    return " ".join(word[:1] + HIDDEN * max(len(word) - 1, 1) for word in name.split())


def mask_phone(phone: str) -> str:
    """Hide six digits at the least: 13812345678 is 138******78; what is not a digit stays."""
    total = sum(map(str.isdigit, phone))
    kept = min(max(total - 6, 0), _DIGITS_KEPT)
    head = min(_HEAD_KEPT, kept)
    tail = kept - head
    shown, seen = [], 0
    for character in phone:
        if character.isdigit():
            seen += 1
            shown.append(character if seen <= head or seen > total - tail else HIDDEN)
        else:
            shown.append(character if not character.isalnum() else HIDDEN)
    return "".join(shown)


def mask_address(address: str) -> str:
    """Hide every number, and letters and numerals that name a building, unit, floor or room."""
    return _NUMBER.sub(HIDDEN * 3, address)
