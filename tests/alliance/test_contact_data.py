"""Phone numbers and e-mail addresses in free text."""

import pytest

from alliance.contact_data import has_contact_data, mask_contact_data


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Courier Zhou 13900015101", "Courier Zhou ***"),
        ("快递员周13900015101请联系", "快递员周***请联系"),
        ("call +86 139 0001 5101 now", "call +*** now"),
        ("0571-8502 2088", "***"),
        ("(021) 6888.0000", "(***"),
        ("１３９０００１５１０１", "***"),
        ("一三九零零零一五一〇一", "***"),
        ("139\u200b0001\u200b5101", "***"),
        ("1 3 9 - 0 0 0 1 - 5 1 0 1", "***"),
        ("٠٥٧١٨٥٠٢٢٠٨٨", "***"),
        ("𝟏𝟑𝟗𝟎𝟎𝟎𝟏𝟓𝟏𝟎𝟏", "***"),
        ("①③⑨⓪⓪⓪①⑤①⓪①", "***"),
        ("85022088", "***"),
        ("13900015101/0571-85022088 or 13900015102", "*** or ***"),
        ("zhou.wei@courier.example, 13900015101", "***, ***"),
        ("mail zhou＠courier.example", "mail ***"),
        ("2026-11-22 13900015101", "2026-11-22 ***"),
    ],
)
def test_contact_data_is_masked(text: str, masked: str) -> None:
    assert has_contact_data(text)
    assert mask_contact_data(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HGH-01",
        "CA0AV8Q2M4K7YX3N",
        "Depot of 2026-11-22",
        "2026-11-22T18:05:00+08:00",
        "人民南路四段12号3单元1203室",
        "Hub 12, Building 3, Gate 4",
        "@depot",
        "三里屯 55 号",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert not has_contact_data(text)
    assert mask_contact_data(text) == text
