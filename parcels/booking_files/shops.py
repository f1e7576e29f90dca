"""Order exports of shops: what they are recognised by, and which of their columns are ours. Pure.

None of them says the tier, the city that parcels leave from, or what a parcel weighs: a template does.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from alliance.csv_files.columns import column_key
from alliance.workbooks.cells import text_in
from parcels.booking_files.columns import FORMAT, MEANT
from parcels.booking_files.mappings import ADDRESS_WITH_CITY, WEIGHT_KG, ColumnMapping

KILOGRAMS: Final = frozenset({"weightkg", "totalweightkg", "重量kg", "重量公斤", "重量千克", "总重量kg"})


_FILLED: Final = re.compile(r".*[0-9]")
# What is packed or paid for completely (备货完成, 付款完成) is still to be sent.
_CLOSED_CHINESE: Final = re.compile(
    r"完成$|.*(?:关闭|取消|删除|交易成功|(?:已|交易|订单)完成(?!付款|支付|备货|配货|打包)|已发货|已收货|确认收货"
    r"|已签收|待付款|待支付|未付款|未支付|等待买家付款|退款成功)"
)
_CLOSED_WOO: Final = re.compile(
    r"(?:wc-)?(?:cancelled|refunded|failed|trash|completed|pending|on[ -]hold)", re.IGNORECASE
)
# What other shops and programs say of an order in English.
_CLOSED_ENGLISH: Final = re.compile(
    r"(?:cancell?ed|refunded|declined|voided|expired|unpaid|(?:awaiting|pending)[ _](?:\w+ )*payment"
    r"|shipped(?:[ _]back)?|shipping|fulfilled|in[ _]transit|delivered|returned|completed?|closed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shop:
    """A program's export of orders; `signs` are columns that no other file has together."""

    name: str
    signs: frozenset[str]
    columns: tuple[tuple[str, str], ...]
    # Columns, and what they say of an order that is cancelled, not paid, or sent already.
    closed: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def fits(self, keys: frozenset[str]) -> bool:
        return self.signs <= keys

    @property
    def mapping(self) -> ColumnMapping:
        return ColumnMapping(self.columns, takes_numbers=True, one_row_each=True)


def _keys(*names: str) -> frozenset[str]:
    return frozenset(map(column_key, names))


_CHINESE: Final = (("订单状态", _CLOSED_CHINESE), ("售后状态", re.compile("退款成功")))
_ENGLISH: Final = (("Order Status", _CLOSED_ENGLISH),)
# Columns of a program that is not known here.
_ANY: Final = (
    *_CHINESE,
    *((name, _CLOSED_CHINESE) for name in ("状态", "发货状态", "付款状态", "支付状态")),
    *_ENGLISH,
    *(
        (name, _CLOSED_ENGLISH)
        for name in ("Status", "Order State", "Fulfillment Status", "Financial Status", "Payment Status")
    ),
)
_WOO_SHIPPING: Final = (
    ("First Name (Shipping)", "recipient_name"),
    ("Last Name (Shipping)", "recipient_name"),
    ("Phone (Shipping)", "recipient_phone"),
    ("Phone (Billing)", "recipient_phone"),
    ("Address 1&2 (Shipping)", "recipient_address"),
    ("Address 1 (Shipping)", "recipient_address"),
    ("Address 2 (Shipping)", "recipient_address"),
    ("City (Shipping)", "destination"),
)
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
        (
            ("Cancelled at", _FILLED),
            ("Financial Status", re.compile(r"voided|refunded|expired")),
            ("Fulfillment Status", re.compile(r"fulfilled")),
        ),
    ),
    Shop(
        "WooCommerce",
        _keys("Order Number", "First Name (Shipping)", "City (Shipping)"),
        (("Order Number", "reference"), *_WOO_SHIPPING),
        (("Order Status", _CLOSED_WOO),),
    ),
    Shop(
        "WooCommerce",
        _keys("Order ID", "First Name (Shipping)", "City (Shipping)"),
        (("Order ID", "reference"), *_WOO_SHIPPING),
        (("Order Status", _CLOSED_WOO),),
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
        (("status", _CLOSED_WOO),),
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
        (("status", _CLOSED_WOO),),
    ),
    Shop(
        "Amazon",
        _keys("order-id", "order-item-id", "recipient-name", "ship-address-1", "ship-city"),
        (
            ("order-id", "reference"),
            ("recipient-name", "recipient_name"),
            ("ship-phone-number", "recipient_phone"),
            ("buyer-phone-number", "recipient_phone"),
            ("ship-address-1", "recipient_address"),
            ("ship-address-2", "recipient_address"),
            ("ship-address-3", "recipient_address"),
            ("ship-city", "destination"),
        ),
    ),
    Shop(
        "eBay",
        _keys("Sales Record Number", "Order Number", "Ship To Name", "Ship To Address 1", "Ship To City"),
        (
            ("Order Number", "reference"),
            ("Ship To Name", "recipient_name"),
            ("Ship To Phone", "recipient_phone"),
            ("Ship To Address 1", "recipient_address"),
            ("Ship To Address 2", "recipient_address"),
            ("Ship To City", "destination"),
        ),
        (("Shipped On Date", _FILLED),),
    ),
    # Etsy gives out no phone: the file needs a column for it.
    Shop(
        "Etsy",
        _keys("Order ID", "Buyer User ID", "Full Name", "Street 1"),
        (
            ("Order ID", "reference"),
            ("Full Name", "recipient_name"),
            ("Street 1", "recipient_address"),
            ("Street 2", "recipient_address"),
            ("Ship City", "destination"),
            # Its words in British English.
            ("Delivery City", "destination"),
        ),
        (("Date Shipped", _FILLED), ("Date Posted", _FILLED)),
    ),
    Shop(
        "Etsy",
        _keys("Order ID", "Transaction ID", "Listing ID", "Ship Name", "Ship Address1"),
        (
            ("Order ID", "reference"),
            ("Ship Name", "recipient_name"),
            ("Ship Address1", "recipient_address"),
            ("Ship Address2", "recipient_address"),
            ("Ship City", "destination"),
        ),
        (("Date Shipped", _FILLED),),
    ),
    Shop(
        "BigCommerce",
        _keys("Order ID", "Order Status", "Shipping Street 1", "Shipping Suburb"),
        (
            ("Order ID", "reference"),
            ("Shipping Name", "recipient_name"),
            ("Shipping Phone", "recipient_phone"),
            ("Billing Phone", "recipient_phone"),
            ("Shipping Street 1", "recipient_address"),
            ("Shipping Street 2", "recipient_address"),
            ("Shipping Suburb", "destination"),
        ),
        _ENGLISH,
    ),
    Shop(
        "TikTok Shop",
        _keys("Order ID", "Seller SKU", "Recipient", "Phone #", "Detail Address"),
        (
            ("Order ID", "reference"),
            ("Recipient", "recipient_name"),
            ("Phone #", "recipient_phone"),
            ("Detail Address", "recipient_address"),
            ("Additional address information", "recipient_address"),
            ("City", "destination"),
            ("Weight(kg)", WEIGHT_KG),
        ),
        _ENGLISH,
    ),
    Shop(
        "淘宝",
        _keys("订单编号", "收货人姓名", "收货地址", "宝贝标题"),
        (
            ("订单编号", "reference"),
            ("收货人姓名", "recipient_name"),
            ("联系手机", "recipient_phone"),
            ("联系电话", "recipient_phone"),
            # Whichever comes first is taken: the one that the buyer has changed, if there is one.
            ("修改后的收货地址", ADDRESS_WITH_CITY),
            ("收货地址", ADDRESS_WITH_CITY),
        ),
        _CHINESE,
    ),
    Shop(
        "1688",
        _keys("订单编号", "收货人姓名", "收货地址", "货品标题"),
        (
            ("订单编号", "reference"),
            ("收货人姓名", "recipient_name"),
            ("联系手机", "recipient_phone"),
            ("联系电话", "recipient_phone"),
            ("收货地址", ADDRESS_WITH_CITY),
        ),
        _CHINESE,
    ),
    Shop(
        "京东",
        _keys("订单号", "京东价", "客户姓名", "客户地址"),
        (
            ("订单号", "reference"),
            ("客户姓名", "recipient_name"),
            ("联系电话", "recipient_phone"),
            ("客户地址", ADDRESS_WITH_CITY),
        ),
        _CHINESE,
    ),
    Shop(
        "拼多多",
        _keys("订单号", "商家实收金额(元)", "收货人", "省", "市"),
        (
            ("订单号", "reference"),
            ("收货人", "recipient_name"),
            ("手机", "recipient_phone"),
            *((name, ADDRESS_WITH_CITY) for name in ("省", "市", "区", "街道", "详细地址")),
        ),
        _CHINESE,
    ),
    Shop(
        "抖店",
        _keys("主订单编号", "子订单编号", "收件人", "省", "市", "详细地址"),
        (
            ("主订单编号", "reference"),
            ("收件人", "recipient_name"),
            ("收件人手机号", "recipient_phone"),
            *((name, ADDRESS_WITH_CITY) for name in ("省", "市", "区", "街道", "详细地址")),
        ),
        _CHINESE,
    ),
    Shop(
        "有赞",
        _keys("订单号", "收货人/提货人", "收货人省份", "详细收货地址/提货地址"),
        (
            ("订单号", "reference"),
            ("收货人/提货人", "recipient_name"),
            ("收货人手机号/提货人手机号", "recipient_phone"),
            ("收货人省份", ADDRESS_WITH_CITY),
            ("收货人城市", ADDRESS_WITH_CITY),
            ("收货人地区", ADDRESS_WITH_CITY),
            ("详细收货地址/提货地址", ADDRESS_WITH_CITY),
        ),
        _CHINESE,
    ),
)


def shop_of(header: Sequence[str]) -> Shop | None:
    """The shop whose export has this header."""
    keys = frozenset(map(column_key, header))
    return next((shop for shop in SHOPS if shop.fits(keys)), None)


def closed_orders(header: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Return what tells of a row of a shop's export whether its order is not to be sent.

    A file of no shop that is known here may have a column that says it in the words of all shops.
    """
    shop = shop_of(header)
    keys = list(map(column_key, header))
    signs = [
        (keys.index(key), pattern)
        for name, pattern in (shop.closed if shop else _ANY)
        if (key := column_key(name)) in keys
    ]
    return lambda cells: any(
        place < len(cells) and pattern.match(text_in(cells[place]).strip()) for place, pattern in signs
    )


@cache
def known_names() -> frozenset[str]:
    """The keys of all names that a column of a file may have, in ours and other programs' files."""
    shops = (column_key(name) for shop in SHOPS for name, _target in shop.columns)
    return frozenset({*FORMAT.by_key, *map(column_key, MEANT), *KILOGRAMS, *shops})
