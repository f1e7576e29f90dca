"""Texts that other programs damaged."""

import pytest

from alliance.text_faults import fault_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("JÃ¶rg", "garbled"),
        ("æ¬§é˜³æµ‹", "garbled"),
        ("浜烘皯", "garbled"),
        ("娆ч槼娴", "garbled"),
        ("浜烘皯璺?", "garbled"),
        ("王??", "garbled"),
        ("#N/A", "cell_error"),
        ("#REF!", "cell_error"),
        ("########", "cell_error"),
        ("锟斤拷", "unprintable"),
        ("Li\ufffdWei", "unprintable"),
    ],
)
def test_damaged_text_is_known(text: str, code: str) -> None:
    fault = fault_of(text)
    assert fault is not None
    assert fault.code == code


@pytest.mark.parametrize(
    "text",
    [
        "Jörg Böcker",
        "José Núñez",
        "Łódź",
        "شركة",
        "𠮷野",
        "欧阳测",
        "人民南路四段12号",
        "#5001",
        "where?",
        "ØÆ",
        "СНГ",
        "",
    ],
)
def test_whole_text_has_no_fault(text: str) -> None:
    assert fault_of(text) is None


@pytest.mark.parametrize("text", ["JÃ¶rg", "æ¬§é˜³æµ‹"])
def test_message_says_what_was_probably_meant(text: str) -> None:
    fault = fault_of(text)
    assert fault is not None
    assert ("Jörg" if text[0] == "J" else "欧阳测") in fault.message
