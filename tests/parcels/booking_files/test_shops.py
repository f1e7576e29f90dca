"""Exports of shops: each is known by its columns, and orders that are not to be sent are told."""

import pytest

from alliance.workbooks.cells import CellKind, SheetRow, mark_of
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.guesses import guess
from parcels.booking_files.mappings import converted
from parcels.booking_files.shops import closed_orders, shop_of

CHINESE = ("省", "市", "区", "街道")
HEADERS = {
    "Shopify": (
        "Name", "Financial Status", "Fulfillment Status", "Lineitem name", "Shipping Name", "Shipping Street",
        "Shipping City", "Shipping Phone", "Cancelled at",
    ),
    "Amazon": (
        "order-id", "order-item-id", "buyer-name", "buyer-phone-number", "recipient-name", "ship-address-1",
        "ship-address-2", "ship-city", "ship-state", "ship-phone-number",
    ),
    "BigCommerce": (
        "Order ID", "Customer Name", "Order Status", "Billing Street 1", "Billing Phone", "Shipping Name",
        "Shipping Street 1", "Shipping Street 2", "Shipping Suburb", "Shipping State", "Shipping Phone",
    ),
    "eBay": (
        "Sales Record Number", "Order Number", "Buyer Name", "Buyer Address 1", "Buyer City", "Ship To Name",
        "Ship To Phone", "Ship To Address 1", "Ship To City", "Shipped On Date",
    ),
    "淘宝": (
        "订单编号", "订单状态", "收货人姓名", "收货地址 ", "联系电话 ", "联系手机", "宝贝标题 ",
        "修改后的收货地址",
    ),
    "1688": ("订单编号", "订单状态", "收货人姓名", "收货地址", "联系电话", "联系手机", "货品标题"),
    "京东": ("订单号", "京东价", "订单状态", "客户姓名", "客户地址", "联系电话", "运费金额"),
    "拼多多": (
        "订单号", "订单状态", "商家实收金额(元)", "售后状态", "快递公司", "收货人", "手机", *CHINESE,
    ),
    "抖店": ("主订单编号", "子订单编号", "订单状态", "运费", "收件人", "收件人手机号", *CHINESE, "详细地址"),
    "有赞": (
        "订单号", "收货人手机号/提货人手机号", "收货人/提货人", "收货人省份", "收货人城市", "收货人地区",
        "详细收货地址/提货地址",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "header"), HEADERS.items())
def test_export_is_recognised_and_lacks_what_no_export_says(name: str, header: tuple[str, ...]) -> None:
    shop = shop_of(header)
    assert shop is not None
    assert shop.name == name
    mapping = guess(header)
    assert mapping.missing == ["tier", "origin", "weight_g"]
    assert mapping.one_row_each
    assert not {"courier", "expected_price"} & {target for _name, target in mapping.columns}


@pytest.mark.parametrize(
    ("name", "header", "missing"),
    [
        (
            "Etsy",
            ("Sale Date", "Order ID", "Buyer User ID", "Full Name", "Date Shipped", "Street 1", "Ship City"),
            ["tier", "origin", "weight_g", "recipient_phone"],
        ),
        (
            "Etsy",
            (
                "Item Name",
                "Transaction ID",
                "Listing ID",
                "Ship Name",
                "Ship Address1",
                "Ship City",
                "Order ID",
            ),
            ["tier", "origin", "weight_g", "recipient_phone"],
        ),
        (
            "TikTok Shop",
            ("Order ID", "Seller SKU", "Recipient", "Phone #", "City", "Detail Address", "Weight(kg)"),
            ["tier", "origin"],
        ),
        (
            "WooCommerce",
            (
                "Order ID",
                "First Name (Shipping)",
                "Address 1&2 (Shipping)",
                "City (Shipping)",
                "Phone (Billing)",
            ),
            ["tier", "origin", "weight_g"],
        ),
    ],
)
def test_export_that_says_less_or_more_is_recognised(
    name: str, header: tuple[str, ...], missing: list[str]
) -> None:
    shop = shop_of(header)
    assert shop is not None
    assert shop.name == name
    assert guess(header).missing == missing


def test_changed_address_of_a_buyer_is_taken() -> None:
    header = HEADERS["淘宝"]
    first, changed = "浙江省 杭州市 西湖区 文三路1号", "广东省 深圳市 南山区 科技园路3号"
    rows = [
        SheetRow(2, ["1", "", "欧阳琪", first, "", "13800000001", "杯", ""]),
        SheetRow(3, ["2", "", "欧阳琪", first, "", "13800000001", "杯", changed]),
    ]
    place = COLUMNS.index("recipient_address")
    found = [cells[place] for _number, cells in converted(header, rows, guess(header))]
    assert found == [first, changed]


@pytest.mark.parametrize(
    ("shop", "column", "status", "is_closed"),
    [
        ("淘宝", "订单状态", "买家已付款，等待卖家发货", False),
        ("淘宝", "订单状态", "交易关闭", True),
        ("淘宝", "订单状态", "卖家已发货，等待买家确认", True),
        ("拼多多", "订单状态", "待发货", False),
        ("拼多多", "售后状态", "退款成功", True),
        ("京东", "订单状态", "等待出库", False),
        ("京东", "订单状态", "(删除)等待出库", True),
        ("Shopify", "Financial Status", "paid", False),
        ("Shopify", "Financial Status", "voided", True),
        ("Shopify", "Fulfillment Status", "unfulfilled", False),
        ("Shopify", "Fulfillment Status", "fulfilled", True),
        ("Shopify", "Cancelled at", "2026-11-01 10:00:00 +0800", True),
        ("eBay", "Shipped On Date", "Nov-01-26", True),
        ("BigCommerce", "Order Status", "Awaiting Fulfillment", False),
        ("BigCommerce", "Order Status", "Awaiting Payment", True),
        ("BigCommerce", "Order Status", "Partially Shipped", False),
        ("BigCommerce", "Order Status", "Shipped", True),
    ],
)
def test_order_that_is_not_to_be_sent_is_marked(shop: str, column: str, status: str, is_closed: bool) -> None:
    header = HEADERS[shop]
    cells = [status if name == column else "x" if name in ("Name", "订单号") else "" for name in header]
    [(_number, row)] = converted(header, [SheetRow(2, cells)], guess(header), closed_orders(header))
    assert (mark_of(row[0]) is CellKind.CLOSED_ROW) == is_closed


@pytest.mark.parametrize(
    ("column", "status", "is_closed"),
    [
        ("订单状态", "待发货", False),
        ("订单状态", "已取消", True),
        ("订单状态", "已完成", True),
        ("状态", "完成", True),
        # Packed or paid for, not sent.
        ("订单状态", "备货完成", False),
        ("订单状态", "已完成付款", False),
        ("付款状态", "未付款", True),
        ("Order Status", "Canceled", True),
        ("Order Status", "To ship", False),
        ("Order Status", "Shipping", True),
        ("status", "ready_to_ship", False),
        ("status", "shipped_back", True),
        ("Status", "Processing", False),
        ("Status", "Complete", True),
        ("Order state", "Payment accepted", False),
        ("Order state", "Awaiting bank wire payment", True),
        ("Fulfillment status", "Not fulfilled", False),
        ("Fulfillment status", "Fulfilled", True),
        ("Payment status", "Unpaid", True),
    ],
)
def test_order_status_of_a_program_that_is_not_known_is_read_as_well(
    column: str, status: str, is_closed: bool
) -> None:
    header = ("单号", "收件人", column)
    assert closed_orders(header)(["1", "欧阳琪", status]) == is_closed
