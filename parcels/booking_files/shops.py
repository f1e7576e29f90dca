"""Order exports of shops: what they are recognised by, and which of their columns are ours. Pure.

None of them says the tier, the city that parcels leave from, or what a parcel weighs: a template does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from alliance.csv_files.columns import column_key
from parcels.booking_files.columns import FORMAT, MEANT
from parcels.booking_files.mappings import ADDRESS_WITH_CITY, WEIGHT_KG, ColumnMapping, own_mapping

_KILOGRAMS: Final = frozenset({"weightkg", "totalweightkg", "重量kg", "重量公斤", "重量千克", "总重量kg"})


@dataclass(frozen=True, slots=True)
class Shop:
    """A program's export of orders; `signs` are columns that no other file has together."""

    name: str
    signs: frozenset[str]
    columns: tuple[tuple[str, str], ...]

    def fits(self, keys: frozenset[str]) -> bool:
        return self.signs <= keys

    @property
    def mapping(self) -> ColumnMapping:
        return ColumnMapping(self.columns, takes_numbers=True, one_row_each=True)


def _keys(*names: str) -> frozenset[str]:
    return frozenset(map(column_key, names))


SHOPS: Final = (
    Shop(
        "Shopify",
        _keys("Name", "Lineitem name", "Shipping Name", "Shipping City"),
        (
            ("Name", "reference"),
            ("Shipping Name", "recipient_name"),
            ("Shipping Phone", "recipient_phone"),
            ("Phone", "recipient_phone"),
            ("Billing Phone", "recipient_phone"),
            # The street has both lines of the address, where there is one.
            ("Shipping Street", "recipient_address"),
            ("Shipping City", "destination"),
        ),
    ),
    Shop(
        "WooCommerce",
        _keys("Order Number", "First Name (Shipping)", "City (Shipping)"),
        (
            ("Order Number", "reference"),
            ("First Name (Shipping)", "recipient_name"),
            ("Last Name (Shipping)", "recipient_name"),
            ("Phone (Shipping)", "recipient_phone"),
            ("Phone (Billing)", "recipient_phone"),
            ("Address 1&2 (Shipping)", "recipient_address"),
            ("Address 1 (Shipping)", "recipient_address"),
            ("Address 2 (Shipping)", "recipient_address"),
            ("City (Shipping)", "destination"),
        ),
    ),
    Shop(
        "WooCommerce",
        _keys("order_number", "shipping_first_name", "shipping_address_1", "shipping_city"),
        (
            ("order_number", "reference"),
            ("shipping_first_name", "recipient_name"),
            ("shipping_last_name", "recipient_name"),
            ("shipping_phone", "recipient_phone"),
            ("billing_phone", "recipient_phone"),
            ("shipping_address_1", "recipient_address"),
            ("shipping_address_2", "recipient_address"),
            ("shipping_city", "destination"),
        ),
    ),
    Shop(
        "WooCommerce",
        _keys("order_id", "shipping_first_name", "shipping_address_1", "shipping_city"),
        (
            ("order_id", "reference"),
            ("shipping_first_name", "recipient_name"),
            ("shipping_last_name", "recipient_name"),
            ("shipping_phone", "recipient_phone"),
            ("billing_phone", "recipient_phone"),
            ("shipping_address_1", "recipient_address"),
            ("shipping_address_2", "recipient_address"),
            ("shipping_city", "destination"),
        ),
    ),
    Shop(
        "淘宝",
        _keys("订单编号", "收货人姓名", "收货地址"),
        (
            ("订单编号", "reference"),
            ("收货人姓名", "recipient_name"),
            ("联系手机", "recipient_phone"),
            ("联系电话", "recipient_phone"),
            ("收货地址", ADDRESS_WITH_CITY),
        ),
    ),
)


def shop_of(header: Sequence[str]) -> Shop | None:
    """The shop whose export has this header."""
    keys = frozenset(map(column_key, header))
    return next((shop for shop in SHOPS if shop.fits(keys)), None)


def guess(header: Sequence[str]) -> ColumnMapping:
    """What each column of a file probably is: a shop's, ours by name, or by a name of another program."""
    if shop := shop_of(header):
        keys = frozenset(map(column_key, header))
        own = [pair for pair in shop.columns if column_key(pair[0]) in keys]
        return ColumnMapping(tuple(own), takes_numbers=True, one_row_each=True)
    if own_one := own_mapping(header):
        return own_one
    pairs: list[tuple[str, str]] = []
    for name in header:
        key = column_key(name)
        target = WEIGHT_KG if key in _KILOGRAMS else FORMAT.by_key.get(key, "")
        if target and target not in (known for _name, known in pairs):
            pairs.append((name, target))
    taken = ["weight_g" if target == WEIGHT_KG else target for _name, target in pairs]
    # What is the sender's resembles what is the recipient's.
    others = [name for name in header if not any(word in name.casefold() for word in _SENDER)]
    rest = [name for name in others if name and name not in dict(pairs)]
    pairs += FORMAT.suggestions_for(rest, taken).items()
    pairs = [pair for pair in pairs if pair[1] in _GUESSED]
    return ColumnMapping(tuple(_with_city(pairs + _phones(others, pairs))))


def _phones(header: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The column of phones, if none has a name of ours: what has the word in its name, mobiles first."""
    if any(target == "recipient_phone" for _name, target in pairs):
        return []
    named = dict(pairs)
    rest = [name for name in header if name not in named]
    found = (name for word in _PHONE_WORDS for name in rest if word in name.casefold())
    return [(name, "recipient_phone") for name in dict.fromkeys(found)][:1]


def _with_city(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where no column is the city that a parcel goes to, a Chinese address begins with it."""
    if any(target == "destination" for _name, target in pairs):
        return list(pairs)
    return [
        (name, ADDRESS_WITH_CITY if target == "recipient_address" and _is_chinese(name) else target)
        for name, target in pairs
    ]


def _is_chinese(name: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in name)


# A mobile's first, which couriers prefer to call.
_PHONE_WORDS: Final = ("手机", "mobile", "电话", "phone")
_SENDER: Final = ("寄件", "发件", "发货", "sender")
_GUESSED: Final = frozenset({*FORMAT.columns, WEIGHT_KG})


@cache
def known_names() -> frozenset[str]:
    """The keys of all names that a column of a file may have, in ours and other programs' files."""
    shops = (column_key(name) for shop in SHOPS for name, _target in shop.columns)
    return frozenset({*FORMAT.by_key, *map(column_key, MEANT), *_KILOGRAMS, *shops})
