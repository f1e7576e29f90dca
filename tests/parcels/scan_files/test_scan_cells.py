"""Cells of scan files as people write them."""

import io

import pytest
from django.utils.translation import override

from parcels.choices import ScanCode, ScanReason
from parcels.scan_files import rows as rules
from parcels.scans.lines import Rejection


def cells_of(*rows: str) -> list[rules.FileRow]:
    content = "\n".join(["tracking_number,code,occurred_at,reason,facility,consent", *rows]).encode()
    return list(rules.read_rows(io.BytesIO(content), "utf-8"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_codes_and_reasons_are_read_as_pages_show_them(language: str) -> None:
    with override(language):
        names = [str(code.label) for code in ScanCode], [str(reason.label) for reason in ScanReason]
    codes = [row.cells["code"] for row in cells_of(*(f'CA1,"{name}",x,,,' for name in names[0]))]
    assert codes == ScanCode.values
    reasons = [row.cells["reason"] for row in cells_of(*(f'CA1,held,x,"{name}",,' for name in names[1]))]
    assert reasons == ScanReason.values


def test_apostrophes_and_digits_for_yes_and_no_are_read() -> None:
    first, second = cells_of("'CA180GEVWW02BYH3,'arrived,x,,,1", "CA1,arrived,x,,,0")
    assert (first.cells["tracking_number"], first.cells["code"]) == ("CA180GEVWW02BYH3", "arrived")
    assert (first.cells["consent"], second.cells["consent"]) == ("true", "false")


@pytest.mark.parametrize(
    ("facility", "code"), [("\x07", "unprintable"), ("JÃ¶rg", "garbled"), ("#REF!", "cell_error")]
)
def test_damaged_cell_is_told_with_its_column(facility: str, code: str) -> None:
    [row] = cells_of(f"CA180GEVWW02BYH3,arrived,2026-11-22T15:04:05+08:00,,{facility},")
    assert isinstance(row.line, Rejection)
    assert (row.line.pointer, row.line.code) == ("/0/facility", code)
