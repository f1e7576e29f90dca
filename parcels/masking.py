"""Mask personal data for labels, public pages, logs and lists. Pure.

GB/T 41833-2022 requires hiding at least one character of the name, six digits of the phone, and unit and
room of the address. We hide more: all of the name but the first character of each word, and every number
of an address, because addresses are free text with many ways to write "room".
"""

import re

HIDDEN = "*"
_DIGITS_KEPT = 5
_HEAD_KEPT = 3
_CHINESE_DIGITS = "零〇一二三四五六七八九十百"
# As one spells a phone to be heard: 幺三八.
SPELLED_DIGITS = "〇零一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"
# 12-3A, 1203室, ⑫, 三单元, Unit B, Room 12, 一三八一二三四五六七八.
_NUMBER = re.compile(
    r"[A-Za-z]*\d[A-Za-z\d\-/#]*|[\u2460-\u249b\u3251-\u325f\u32b1-\u32bf]+"
    rf"|(?:[{SPELLED_DIGITS}][\s\-]*){{6,}}"
    rf"|[A-Za-z{_CHINESE_DIGITS}]+(?=\s*(?:室|单元|号楼|栋|幢|座|层|楼))"
    r"|(?<=\b(?:unit|room|flat|door)\s)\w+|(?<=\b(?:apt|ste|rm\.)\s)\w+",
    re.IGNORECASE,
)


def mask_name(name: str) -> str:
    """Keep the first character of each word: 王小明 is 王**, Li Wei is L* W**."""
    return " ".join(word[:1] + HIDDEN * max(len(word) - 1, 1) for word in name.split())


def mask_phone(phone: str) -> str:
    """Hide at least six digits: 13812345678 is 138******78. Letters are hidden, punctuation stays."""
    total = sum(map(str.isdigit, phone))
    kept = min(max(total - 6, 0), _DIGITS_KEPT)
    head = min(_HEAD_KEPT, kept)
    tail = kept - head
    characters, digits = [], 0
    for character in phone:
        if character.isdigit():
            digits += 1
            characters.append(character if digits <= head or digits > total - tail else HIDDEN)
        else:
            characters.append(character if not character.isalnum() else HIDDEN)
    return "".join(characters)


def mask_address(address: str) -> str:
    """Hide every number, and letters and numerals that name a building, unit, floor or room."""
    return _NUMBER.sub(HIDDEN * 3, address)
