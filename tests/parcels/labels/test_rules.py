"""What a label shows: masked texts, sort codes, file names."""

import pytest

from parcels.choices import LabelFormat
from parcels.labels.rules import clean, file_name, grouped, shown, sort_code, without_digits, without_phone

PHONE = "13812345678"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("王小明", "王**"),
        ("1 3 8 1 2", "** ** ** ** **"),
        ("１３８", "***"),
        ("①②", "**"),
        ("王 138", "王* ***"),
    ],
)
def test_a_masked_name_has_no_digit(name: str, expected: str) -> None:
    assert shown(name=name, phone=PHONE, address="", reference="", is_masked=True).recipient == expected


@pytest.mark.parametrize("address", ["138 1234 5678", "建设路１３８１２３４", "路①③⑧⑫", "Room 12-3A, ١٣٨"])
def test_a_masked_address_has_no_digit(address: str) -> None:
    masked = shown(name="", phone=PHONE, address=address, reference="", is_masked=True).address
    assert masked == without_digits(masked)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("ORD-2026-1182", "ORD-2026-1182"),
        ("T13812345678", "T***********"),
        ("138-1234-5678/2", "***-****-****/2"),
        ("１３８１２３４", "*******"),
        ("一三八一二三四五六七八-7", "***********-7"),
        ("幺三八 幺二三四", "*** ****"),
        ("一号仓 1203", "一号仓 1203"),
        # Another mobile phone; a longer number is an order's.
        ("13900000009/7", "***********/7"),
        ("139000000091", "139000000091"),
        ("12345", "12345"),
        ("", ""),
    ],
)
def test_a_reference_does_not_tell_the_phone(reference: str, expected: str) -> None:
    assert without_phone(reference, PHONE) == expected
    assert shown(name="", phone=PHONE, address="", reference=reference, is_masked=True).reference == expected


def test_unmasked_texts_are_whole() -> None:
    texts = shown(name="王小明", phone=PHONE, address="12号", reference=PHONE, is_masked=False)
    assert (texts.recipient, texts.phone, texts.address, texts.reference) == ("王小明", PHONE, "12号", PHONE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200bb\u202ec", "abc"),
        ("a\x00\r\n\tb", "a b"),
        ("❤\ufe0f", "❤"),
        ("  王  明 ", "王 明"),
    ],
)
def test_what_has_no_shape_is_left_out(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(("code", "expected"), [("CN-HGH", "HGH"), ("HK-HKG", "HK-HKG"), ("CN-6403", "6403")])
def test_the_sort_code_is_short_at_home(code: str, expected: str) -> None:
    assert sort_code(code) == expected


def test_numbers_and_file_names() -> None:
    assert grouped("CA0M8Q4Z7T2KX9W3") == "CA0M 8Q4Z 7T2K X9W3"
    assert file_name(["CA0M8Q4Z7T2KX9W3"]) == "label-CA0M8Q4Z7T2KX9W3.pdf"
    assert file_name(["A", "B"], LabelFormat.ZPL) == "labels-2.zpl"
