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
    rest = [name for name in header if name and name not in dict(pairs)]
    pairs += FORMAT.suggestions_for(rest, taken).items()
    return ColumnMapping(tuple(pair for pair in pairs if pair[1] in _GUESSED))


_GUESSED: Final = frozenset({*FORMAT.columns, WEIGHT_KG})


@cache
def known_names() -> frozenset[str]:
    """The keys of all names that a column of a file may have, in ours and other programs' files."""
    shops = (column_key(name) for shop in SHOPS for name, _target in shop.columns)
    return frozenset({*FORMAT.by_key, *map(column_key, MEANT), *_KILOGRAMS, *shops})
