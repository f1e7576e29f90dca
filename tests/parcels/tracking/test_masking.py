"""Masking of names, phones and addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcels.masking import mask_address, mask_name, mask_phone


@pytest.mark.parametrize(
    ("name", "masked"), [("王小明", "王**"), ("Li Wei", "L* W**"), ("王", "王*"), ("", "")]
)
def test_names_keep_the_first_character_of_each_word(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812345678", "138******78"),
        ("+86 138-1234-5678", "+86 1**-****-**78"),
        ("0571-1234567", "057*-*****67"),
        ("12345", "*****"),
        ("1234567", "1******"),
    ],
)
def test_phones_hide_all_but_five_digits(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked


@given(st.text(alphabet="0123456789 +-()x", max_size=40))
def test_phones_hide_at_least_six_digits_or_all(phone: str) -> None:
    before, after = (sum(map(str.isdigit, text)) for text in (phone, mask_phone(phone)))
    assert before - after >= min(6, before)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("三里屯路 一三八 一二三四五六七八", "三里屯路 ***"),
        ("建设路⑫号", "建设路***号"),
        ("人民南路四段12号3单元1203室", "人民南路四段***号***单元***室"),
        ("文三路三单元五零二室", "文三路***单元***室"),
        ("Wensan Road 90, Unit B, Room 12-3A", "Wensan Road ***, Unit ***, Room ***"),
        ("软件园A座", "软件园***座"),
        ("West Lake", "West Lake"),
    ],
)
def test_addresses_hide_numbers_units_and_rooms(address: str, masked: str) -> None:
    assert mask_address(address) == masked
