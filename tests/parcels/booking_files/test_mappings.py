"""What the columns of a file are, and what becomes of its cells."""

import pytest

from alliance.workbooks.cells import CellKind, SheetRow, marked, text_in
from parcels.booking_files.columns import COLUMNS
from parcels.booking_files.guesses import guess, weighed
from parcels.booking_files.mappings import ColumnMapping, converted, fitted
from parcels.booking_files.shops import shop_of

SHOPIFY = (
    "Name", "Email", "Lineitem name", "Shipping Name", "Shipping Street", "Shipping City", "Shipping Phone",
    "Phone",
)  # fmt: skip
WOO = (
    "Order Number", "First Name (Shipping)", "Last Name (Shipping)", "Address 1&2 (Shipping)",
    "City (Shipping)", "Phone (Billing)", "Item Name",
)  # fmt: skip
TAOBAO = ("订单编号", "买家会员名", "收货人姓名", "收货地址 ", "联系电话", "联系手机", "宝贝标题")
VALUES = {"tier": "next_day", "origin": "CN-HGH", "weight_g": "800"}


def rows_of(
    header: tuple[str, ...], *rows: list[str], mapping: ColumnMapping | None = None
) -> list[dict[str, str]]:
    chosen = mapping or guess(header)
    found = converted(header, (SheetRow(number, row) for number, row in enumerate(rows, 2)), chosen)
    return [
        {name: text for name, text in zip(COLUMNS, cells, strict=True) if text} for _number, cells in found
    ]


@pytest.mark.parametrize(("header", "name"), [(SHOPIFY, "Shopify"), (WOO, "WooCommerce"), (TAOBAO, "淘宝")])
def test_exports_of_shops_are_recognised_and_lack_what_a_template_gives(
    header: tuple[str, ...], name: str
) -> None:
    shop = shop_of(header)
    assert shop is not None
    assert shop.name == name
    assert guess(header).missing == ["tier", "origin", "weight_g"]


def test_order_of_several_articles_is_one_booking() -> None:
    first = ["#1001", "a@case.example", "Cup", "Ouyang Qi", "Renmin Road 1", "Chengdu", "13800000001", ""]
    second = ["#1001", "a@case.example", "Plate", "", "", "", "", ""]
    third = ["#1002", "b@case.example", "Cup", "Shen Yu", "Chunxi Road 2", "Chengdu", "", "13800000002"]
    found = rows_of(SHOPIFY, first, second, third)
    assert [(row["reference"], row["recipient_phone"]) for row in found] == [
        ("#1001", "13800000001"), ("#1002", "13800000002"),
    ]  # fmt: skip


def test_boxes_that_differ_by_a_column_we_do_not_take_are_no_copies() -> None:
    header = ("Order", "Box", "Name", "Street", "City", "Phone", "problem")
    columns = {"Order": "reference", "Name": "recipient_name", "Street": "recipient_address"}
    mapping = ColumnMapping(
        tuple({**columns, "City": "destination", "Phone": "recipient_phone"}.items()), VALUES
    )
    said = ["Shen Yu", "Chunxi Road 2", "Chengdu", "13800000002"]
    rows = [["7", "a", *said], ["7", "b", *said], ["7", "b", *said], ["8", "b", *said, "order_refused"]]
    found = rows_of(header, *rows, ["8", "b", *said, "row_repeated"], mapping=mapping)
    assert [row.get("pieces", "") for row in found] == ["", "1", "", "", ""]


def test_first_and_last_name_are_joined() -> None:
    [row] = rows_of(WOO, ["1001", "Qi", "Ouyang", "Renmin Road 1", "Chengdu", "13800000001", "Cup"])
    assert row["recipient_name"] == "Qi Ouyang"
    [row] = rows_of(WOO, ["1001", "欧阳", "琪", "人民路1号", "成都", "13800000001", "Cup"])
    assert row["recipient_name"] == "欧阳琪"


@pytest.mark.parametrize(
    ("address", "city"),
    [
        ("浙江省 杭州市 西湖区 文三路1号", "浙江省杭州市"),
        ("上海 上海市 浦东新区 世纪大道2号", "上海"),
        ("北京朝阳区建国路1号", "北京"),
        ("北京东路12号", ""),
        ("广东深圳市福田区农园路66号", "广东省深圳市"),
        ("内蒙古巴彦淖尔市临河区", "内蒙古自治区巴彦淖尔市"),
        ("湖北省 省直辖县级行政区划 仙桃市 沔街1号", "湖北省仙桃市"),
        ("吉林市船营区", "吉林市"),
        # Nobody is booked for a guess: the error says which city is probably meant.
        ("浙江杭州西湖区文三路1号", "浙江杭州西湖区"),
        ("广西壮族自治区南宁市青秀区民族大道3号", "广西壮族自治区南宁市"),
        ("四川省凉山彝族自治州西昌市4号", "四川省凉山彝族自治州"),
        ("Renmin Road 1", ""),
    ],
)
def test_city_is_taken_from_an_address(address: str, city: str) -> None:
    [row] = rows_of(TAOBAO, ["1", "a", "欧阳琪", address, "", "13800000001", "杯"])
    assert row.get("destination", "") == city
    assert row["recipient_address"] == address


def test_values_fill_what_is_empty() -> None:
    mapping = ColumnMapping((("no", "reference"), ("service", "tier")), VALUES)
    found = rows_of(("no", "service"), ["1", "standard"], ["2"], mapping=mapping)
    assert [row["tier"] for row in found] == ["standard", "next_day"]
    assert {row["weight_g"] for row in found} == {"800"}


@pytest.mark.parametrize(
    ("kilograms", "grams"), [("1.2", "1200"), ("0.8 kg", "800"), ("２", "2000"), ("heavy", "heavy")]
)
def test_kilograms_become_grams(kilograms: str, grams: str) -> None:
    mapping = guess(("Weight (kg)",))
    assert [row["weight_g"] for row in rows_of(("Weight (kg)",), [kilograms], mapping=mapping)] == [grams]


def test_guess_names_each_column_once() -> None:
    header = ("订单号", "服务", "始发", "目的地", "重量(公斤)", "收件人", "手机", "地址", "备注")
    mapping = guess(header)
    assert mapping.missing == []
    assert dict(mapping.columns)["重量(公斤)"] == "weight_kg"
    assert len({target for _name, target in mapping.columns}) == len(mapping.columns) == 8


def test_chinese_headers_of_no_shop_are_guessed() -> None:
    header = ("订单编号", "发件人电话", "收货人", "备用电话", "联系手机", "收货地址", "重量(kg)", "备注")
    mapping = guess(header)
    assert dict(mapping.columns) == {
        "订单编号": "reference", "收货人": "recipient_name", "联系手机": "recipient_phone",
        "收货地址": "address_with_city", "重量(kg)": "weight_kg",
    }  # fmt: skip
    assert mapping.missing == ["tier", "origin"]


def test_template_leaves_a_file_with_our_columns_as_it_is() -> None:
    template = ColumnMapping((("who", "recipient_name"),), VALUES)
    mapping = fitted(template, ("Reference", "tier", "problem"))
    assert mapping.columns == (("Reference", "reference"), ("tier", "tier"))
    assert mapping.values == VALUES


def test_numbers_of_shops_are_taken_as_they_are_and_phones_only_whole() -> None:
    mapping = ColumnMapping((("a", "reference"), ("b", "recipient_phone")), takes_numbers=True)
    number = marked(CellKind.NUMBER, "1001")
    mobile, landline = marked(CellKind.NUMBER, "13800000001"), marked(CellKind.NUMBER, "57112345678")
    [whole, short] = rows_of(("a", "b"), [number, mobile], [number, landline], mapping=mapping)
    assert (whole["reference"], whole["recipient_phone"]) == ("1001", "13800000001")
    assert (short["recipient_phone"], text_in(short["recipient_phone"])) == (landline, "57112345678")


def test_phone_that_is_there_is_taken_where_another_cell_only_looks_filled() -> None:
    [row] = rows_of(TAOBAO, ["1", "a", "欧阳琪", "浙江省 杭州市 1号", "0571-85011104", "'", "杯"])
    assert row["recipient_phone"] == "0571-85011104"
    [row] = rows_of(TAOBAO, ["1", "a", "欧阳琪", "浙江省 杭州市 1号", "0571-85011104", '=""', "杯"])
    assert row["recipient_phone"] == "0571-85011104"


def test_address_in_parts_is_joined_and_gives_the_city() -> None:
    header = ("收件人省", "收件人市", "收件人区", "收件人详细地址", "收件人姓名", "收件人电话", "收件人手机")
    whole = "广东省深圳市福田区农园路1号"
    [apart, repeated] = rows_of(
        header,
        ["浙江省", "杭州市", "西湖区", "文三路1号", "欧阳琪", "0571-85011104", ""],
        ["广东省", "深圳市", "福田区", whole, "欧阳琪", "", "13800000001"],
    )
    assert (apart["recipient_address"], apart["destination"]) == (
        "浙江省 杭州市 西湖区 文三路1号",
        "浙江省杭州市",
    )
    assert (repeated["recipient_address"], repeated["destination"]) == (whole, "广东省深圳市")
    assert [row["recipient_phone"] for row in (apart, repeated)] == ["0571-85011104", "13800000001"]


def test_what_an_order_cost_and_who_carried_it_is_not_guessed() -> None:
    mapping = guess(("订单号", "收件人", "手机", "运费", "价格", "承运商", "收货地址"))
    assert {target for _name, target in mapping.columns} == {
        "reference", "recipient_name", "recipient_phone", "address_with_city",
    }  # fmt: skip


def test_who_buys_is_not_taken_for_who_receives_nor_for_the_number_of_the_order() -> None:
    header = ("Buyer Name", "Buyer City", "Ship To Name", "Ship To City", "Ship To Address", "Ship To Phone")
    assert dict(guess(header).columns) == {
        "Ship To Name": "recipient_name", "Ship To City": "destination",
        "Ship To Address": "recipient_address", "Ship To Phone": "recipient_phone",
    }  # fmt: skip


def test_of_two_columns_of_one_name_neither_is_guessed() -> None:
    mapping = guess(("联系人", "联系电话", "联系人 (2)", "联系电话 (2)", "手机号码", "收件详细地址"))
    assert dict(mapping.columns) == {"手机号码": "recipient_phone", "收件详细地址": "address_with_city"}


def test_lines_of_an_address_and_parts_of_a_name_are_joined() -> None:
    header = ("Order", "First name", "Last name", "Address line 1", "Address line 2", "Town", "Mobile")
    assert dict(guess(header).columns) == {
        "Order": "reference", "First name": "recipient_name", "Last name": "recipient_name",
        "Address line 1": "recipient_address", "Address line 2": "recipient_address", "Town": "destination",
        "Mobile": "recipient_phone",
    }  # fmt: skip
    [row] = rows_of(header, ["1", "Qi", "Ouyang", "Renmin Road 1", "Room 2", "Chengdu", "13800000001"])
    assert (row["recipient_name"], row["recipient_address"]) == ("Qi Ouyang", "Renmin Road 1 Room 2")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        # Shopee: a city goes before a town.
        (("Receiver Name", "Phone Number", "Town", "City", "Total"),
         {"Receiver Name": "recipient_name", "Phone Number": "recipient_phone", "City": "destination"}),
        # Lazada
        (("shippingAddress", "shippingAddress2", "shippingAddress5"),
         dict.fromkeys(("shippingAddress", "shippingAddress2", "shippingAddress5"), "recipient_address")),
        # PrestaShop
        (("Delivery phone", "Delivery phone mobile", "Invoice phone"),
         dict.fromkeys(("Delivery phone", "Delivery phone mobile"), "recipient_phone")),
        # 微店, 微信小店, 聚水潭
        (("收件人/提货人", "收件人手机/提货人手机"),
         {"收件人/提货人": "recipient_name", "收件人手机/提货人手机": "recipient_phone"}),
        (("省", "市", "区", "街道地址", "完整地址"),
         dict.fromkeys(("省", "市", "区", "街道地址"), "address_with_city")),
        (("手机", "固话"), {"手机": "recipient_phone", "固话": "recipient_phone"}),
    ],
)  # fmt: skip
def test_columns_of_other_programs_are_guessed(header: tuple[str, ...], found: dict[str, str]) -> None:
    assert dict(guess(header).columns) == found


def test_whose_a_column_is_may_stand_behind_its_name() -> None:
    header = ("City (Billing)", "Address 1 (Billing)", "City (Shipping)", "Address 1 (Shipping)", "Phone")
    assert dict(guess(header).columns) == {
        "City (Shipping)": "destination", "Address 1 (Shipping)": "recipient_address",
        "Phone": "recipient_phone",
    }  # fmt: skip


def test_town_and_street_are_both_parts_of_an_address() -> None:
    header = ("收货省份", "收货市", "收货区", "收货镇", "收货街道", "详细地址")
    [row] = rows_of(header, ["吉林省", "通化市", "柳河县", "柳河镇", "", "紫御府7号楼"])
    assert row["recipient_address"] == "吉林省 通化市 柳河县 柳河镇 紫御府7号楼"


def test_courier_of_what_was_sent_already_is_not_guessed() -> None:
    assert dict(guess(("订单号", "快递公司", "备注")).columns)["快递公司"] == "courier"
    assert "快递公司" not in dict(guess(("订单号", "快递公司", "快递单号")).columns)


def test_city_of_the_sender_is_where_a_parcel_leaves_from() -> None:
    assert dict(guess(("寄件城市", "寄件人", "寄件电话", "城市", "备注")).columns) == {
        "寄件城市": "origin", "城市": "destination",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "weights", "target"),
    [
        ("重量", ["0.8", "２", "12.5", ""], "weight_kg"),
        ("Weight", ["1", "2"], "weight_kg"),
        ("重量", ["800", "2"], "weight_g"),
        ("重量", ["heavy", "NaN"], "weight_g"),
        # Who says grams means grams.
        ("Weight (g)", ["20", "25"], "weight_g"),
        ("克重", ["20"], "weight_g"),
    ],
)
def test_weight_without_a_unit_is_in_kilograms_where_grams_are_too_few(
    name: str, weights: list[str], target: str
) -> None:
    header = ("订单号", name)
    mapping = weighed(guess(header), header, [["1", weight] for weight in weights])
    assert dict(mapping.columns)[name] == target
