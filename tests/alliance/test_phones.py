"""Phone numbers as people write them, and the digits that prove that a person knows one."""

import pytest

from alliance.phones import main_numbers, phone_problems, proofs_of, read_phone


@pytest.mark.parametrize(
    ("text", "proofs"),
    [
        ("13800011101", ["1101"]),
        ("13800011101转8001", ["1101"]),
        ("13800011101 轉 8001", ["1101"]),
        ("13800011101 分机 8001", ["1101"]),
        ("13800011101-8001", ["1101"]),
        ("138-0001-1101-8001", ["1101"]),
        ("13800011101,8001", ["1101"]),
        ("13800011101#8001", ["1101"]),
        ("13800011101[8001]", ["1101"]),
        ("13800011101（8001）", ["1101"]),
        ("13800011102.0", ["1102"]),
        ("0571-85011104 ext. 12", ["1104"]),
        ("0571-85011104 x12", ["1104"]),
        ("021-68880104-12", ["0104"]),
        ("(021) 6888 0104", ["0104"]),
        ("400-812-3456转1", ["3456"]),
        ("13800011105/0571-85011106", ["1105", "1106"]),
        ("13800011105、13800011106", ["1105", "1106"]),
        ("13800011105 13900011106", ["1105", "1106"]),
        ("手机13800011105 座机0571-85011106", ["1105", "1106"]),
        ("0571-85011106/07", ["1106"]),
        ("Tel: 13800011105", ["1105"]),
        ("'13800011101", ["1101"]),
        ('="13800011101"', ["1101"]),
        ("１３８０００１１１０１", ["1101"]),
        ("138\u200b0001\u00a01101", ["1101"]),
        ("+86 138 0001 1101", ["1101"]),
        ("0086-13800011101", ["1101"]),
        ("+1 415 555 2671", ["2671"]),
        ("+44 20 7946 0958 ext 3", ["0958"]),
        ("+852 9123 4567", ["4567"]),
        ("(+86)13800011101", ["1101"]),
        ("13800011101_8001", ["1101"]),
        ("13800011101-", ["1101"]),
        ("tel:+8613800011101;ext=5", ["1101"]),
        ("0571-8501110", ["1110"]),
    ],
)
def test_number_is_read_and_proved_by_its_last_digits(text: str, proofs: list[str]) -> None:
    phone = read_phone(text)
    assert list(phone_problems("/phone", phone)) == []
    assert proofs_of(phone) == proofs


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.38E+10", "shortened"),
        ("1.38e+11", "shortened"),
        ("138****5678", "masked"),
        ("1******6198", "masked"),
        ("138xxxx5678", "masked"),
        ("********", "masked"),
        ("abc", "invalid"),
        ("call me", "invalid"),
        ("123", "invalid"),
        ("1380001110", "invalid"),
        ("138000111011", "invalid"),
        ("13800011101.5", "invalid"),
        ("9" * 30, "invalid"),
        ("13800011101 / none", "invalid"),
        ("=HYPERLINK(1)", "invalid"),
        ("85011104", "invalid"),
        ("12345", "invalid"),
        ("12800011101", "invalid"),
        ("00000000000", "invalid"),
        ("(+86)1380001110", "invalid"),
    ],
)
def test_what_cannot_be_dialled_is_refused(text: str, code: str) -> None:
    assert [error.code for error in phone_problems("/phone", read_phone(text))] == [code]


def test_numbers_stored_before_are_proved_by_their_last_digits() -> None:
    assert main_numbers("my number 1388") == ()
    assert proofs_of("my number 1388") == ["1388"]
    assert proofs_of("") == []
