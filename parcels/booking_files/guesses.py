"""What the columns of a file probably are, for a person to correct. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from alliance.csv_cells import read_code
from alliance.csv_files.columns import bare_name, column_key
from alliance.workbooks.cells import text_in
from parcels.booking_files.columns import FORMAT, MEANT
from parcels.booking_files.mappings import ADDRESS_WITH_CITY, WEIGHT_KG, ColumnMapping, own_mapping
from parcels.booking_files.shops import KILOGRAMS, shop_of

Pairs = list[tuple[str, str]]
# A mobile's first, which couriers prefer to call.
_PHONE_WORDS: Final = ("手机", "mobile", "电话", "phone", "固话", "座机")
# What is the sender's or the shop's resembles what is the recipient's.
_OTHERS: Final = (
    "寄件", "发件", "发货", "寄方", "卖家", "店铺", "客服", "sender", "shipper", "seller", "store",
)  # fmt: skip
_RECIPIENTS: Final = re.compile(
    r"收件|收货|收方|联系手机|联系电话|^手机|^电话|^固话|^座机|^ship|^deliver|recipient|receiver|consignee"
)
# The parts of an address that stand in columns of their own, the largest first.
_REGION: Final = re.compile(
    r"(?:收[件货]人?|收方|客户|买家)?(?:的)?(?:(?P<province>省份?|省/?直辖市)|(?P<city>城?市)"
    r"|(?P<district>[区县]|区县|县区|地区)|(?P<street>街道?|[乡镇]|乡镇|街道乡镇|镇街道?)|(?P<rest>(?:详细|街道)?(?:收[件货])?地址))"
)
_LEVELS: Final = ("province", "city", "district", "street", "rest")
# A second line of an address, and the parts of a name, whoever they are of.
_LINE: Final = re.compile(r"(?P<base>.*\D)(?P<number>[2-9])(?P<end>\D*)")
_NAME_PARTS: Final = re.compile(r"(?P<before>.*?)(?P<part>first|given|last|family)name(?P<after>.*)")
_LAST: Final = frozenset({"last", "family"})
# Beside a number by which an order is tracked, its courier is the one that has it already.
_SENT: Final = re.compile(
    r"(?:快递|物流|运单|面单)(?:单?号|编号)|运单编?号|tracking(?:number|no|id|code)?|waybill(?:number|no)?"
)
# Of what is the sender's, this is asked for.
_ORIGINS: Final = frozenset(column_key(name) for name, meant in MEANT.items() if meant == ("origin",))
_GRAMS: Final = re.compile(r"克|gram|(?<!k)g$")
# The heaviest parcel of a file weighs more grams, and seldom so many kilograms.
_LEAST_GRAMS: Final = 30
# What a file says of these is about the past: how an order went, and what it cost.
_NEVER_MEANT: Final = frozenset({"courier", "expected_deliver_by", "expected_price", "ready_at", "if_full"})
_GUESSED: Final = frozenset({*FORMAT.columns, WEIGHT_KG})


def guess(header: Sequence[str]) -> ColumnMapping:
    """What each column of a file probably is: a shop's, ours by name, or by a name of another program."""
    if shop := shop_of(header):
        keys = frozenset(map(column_key, header))
        own = [pair for pair in shop.columns if column_key(pair[0]) in keys]
        return ColumnMapping(tuple(own), takes_numbers=True, one_row_each=True)
    if own_one := own_mapping(header):
        return own_one
    pairs = _regions(header)
    taken = {"recipient_address", "destination"} if pairs else set()
    if any(_SENT.fullmatch(column_key(name)) for name in header):
        taken.add("courier")
    for name in header:
        key = column_key(name)
        target = WEIGHT_KG if key in KILOGRAMS else FORMAT.by_key.get(key, "")
        if target in _GUESSED and _column_of(target) not in taken and name not in dict(pairs):
            pairs.append((name, target))
            taken.add(_column_of(target))
    others = [name for name in _clear(header) if not _is_of_others(name)]
    rest = [name for name in others if name and name not in dict(pairs)]
    pairs += FORMAT.suggestions_for(rest, [*taken, *_NEVER_MEANT]).items()
    pairs = _with_lines(_with_name_parts(pairs, others), others)
    return ColumnMapping(tuple(_with_city(_with_phones(pairs, others))))


def weighed(mapping: ColumnMapping, header: Sequence[str], rows: Sequence[Sequence[str]]) -> ColumnMapping:
    """The guess, with kilograms for a weight whose name has no unit, where grams would be too few."""
    places = {name: place for place, name in reversed([*enumerate(header)])}

    def target_of(name: str, target: str) -> str:
        if target != "weight_g" or _GRAMS.search(column_key(name)):
            return target
        cells = (row[places[name]] for row in rows if places[name] < len(row))
        weights = [found for cell in cells if (found := _number(text_in(cell))) is not None]
        return WEIGHT_KG if weights and max(weights) < _LEAST_GRAMS else target

    columns = tuple((name, target_of(name, target)) for name, target in mapping.columns)
    return replace(mapping, columns=columns)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(read_code(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_of_others(name: str) -> bool:
    is_named = any(word in name.casefold() for word in _OTHERS)
    return is_named and column_key(name) not in _ORIGINS


def _clear(header: Sequence[str]) -> list[str]:
    """The names that stand for one column only: of two phones one is the sender's, and nobody knows which."""
    doubled = {bare_name(name) for name in header if bare_name(name) != name}
    return [name for name in header if bare_name(name) not in doubled]


def _column_of(target: str) -> str:
    return "weight_g" if target == WEIGHT_KG else target


def _regions(header: Sequence[str]) -> Pairs:
    """The columns of province, city, district and street, if a province is there: an address by parts."""
    found: dict[str, list[str]] = {}
    for name in header:
        if match := _REGION.fullmatch(column_key(name)):
            found.setdefault(str(match.lastgroup), []).append(name)
    if not {"province", "city", "rest"} <= found.keys():
        return []
    # A town and a street are two parts; two of another level are somebody else's.
    counts = {"street": 2}
    return [
        (name, ADDRESS_WITH_CITY)
        for level in _LEVELS
        for name in found.get(level, ())[: counts.get(level, 1)]
    ]


def _with_lines(pairs: Pairs, header: Sequence[str]) -> Pairs:
    """An address with its further lines: Address 1, Address 2."""
    bases = {_bare_line(column_key(name)) for name, target in pairs if target == "recipient_address"}
    named = dict(pairs)
    return pairs + [
        (name, "recipient_address")
        for name in header
        if name not in named
        and (line := _LINE.fullmatch(column_key(name)))
        and line["base"] + line["end"] in bases
    ]


def _bare_line(key: str) -> str:
    """The key of a first line, without its number."""
    return key.replace("1", "", 1)


def _with_name_parts(pairs: Pairs, header: Sequence[str]) -> Pairs:
    """A name by its two parts, where no column has the whole: the recipient's, or the first."""
    if any(target == "recipient_name" for _name, target in pairs):
        return pairs
    found: dict[tuple[str, str], list[str]] = {}
    for name in header:
        if match := _NAME_PARTS.fullmatch(column_key(name)):
            whose = (match["before"], match["after"])
            found.setdefault(whose, []).insert(
                len(found.get(whose, ())) if match["part"] in _LAST else 0, name
            )
    whole = [names for names in found.values() if len(names) > 1]
    own = [names for names in whole if _RECIPIENTS.search(column_key(names[0]))]
    chosen = next(iter([*own, *whole]), [])
    return pairs + [(name, "recipient_name") for name in chosen]


def _with_phones(pairs: Pairs, header: Sequence[str]) -> Pairs:
    """The columns of phones, mobiles first: all that say that they are the recipient's, or the first."""
    named = {name: target for name, target in pairs if target != "recipient_phone"}
    rest = [name for name in header if name not in named]
    words = dict.fromkeys(name for word in _PHONE_WORDS for name in rest if word in name.casefold())
    guessed = [name for name, target in pairs if target == "recipient_phone"]
    own = [name for name in words if _RECIPIENTS.search(column_key(name))]
    found = list(dict.fromkeys([*own, *guessed])) or list(words)[:1]
    return [pair for pair in pairs if pair[1] != "recipient_phone"] + [
        (name, "recipient_phone") for name in found
    ]


def _with_city(pairs: Pairs) -> Pairs:
    """Where no column is the city that a parcel goes to, a Chinese address begins with it."""
    if any(target == "destination" for _name, target in pairs):
        return pairs
    return [
        (name, ADDRESS_WITH_CITY if target == "recipient_address" and _is_chinese(name) else target)
        for name, target in pairs
    ]


def _is_chinese(name: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in name)
