"""The first line of files that pages give out."""

import pytest
from django.utils.translation import override

from alliance.csv_files.columns import REMARK
from alliance.csv_files.headers import for_reader, header
from parcels.booking_files import columns as booking_files
from parcels.booking_files.services.results import COLUMNS as BOOKING_RESULTS
from parcels.portal.parcels_csv import COLUMNS as PARCELS
from parcels.scan_files import rows as scan_files
from slas.offers.services import offer_files, offer_rows
from slas.portal.statement_files import COLUMNS as ENTRIES

FILE = b"\xef\xbb\xbfline,tracking_number\r\n2,CA1\r\n"


def test_programs_and_english_readers_get_the_documented_names() -> None:
    with override("en"):
        assert header(PARCELS) == list(PARCELS)
        assert b"".join(for_reader(iter([FILE]))) == FILE


def test_chinese_readers_get_chinese_names_also_after_the_view_returned() -> None:
    with override("zh-hans"):
        chunks = for_reader(iter([FILE, b"3,CA2\r\n"]))
    assert b"".join(chunks).decode("utf-8-sig") == "行号,运单号\r\n2,CA1\r\n3,CA2\r\n"


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (PARCELS, None),
        (ENTRIES, None),
        (BOOKING_RESULTS, booking_files.FORMAT),
        ((*booking_files.COLUMNS, REMARK), booking_files.FORMAT),
        (scan_files.RESULT_COLUMNS, scan_files.FORMAT),
        (offer_files.RESULT_COLUMNS, offer_rows.FORMAT),
        (["origin_province", "origin_province_name", "courier_name", "few"], None),
    ],
)
def test_every_column_has_a_chinese_name_of_its_own(columns: list[str], names: None) -> None:
    with override("zh-hans"):
        heads = header(columns, names)
    assert not [head for head in heads if head.isascii()]
    assert len(set(heads)) == len(heads)


@pytest.mark.parametrize("form", [booking_files.FORMAT, scan_files.FORMAT, offer_rows.FORMAT])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_our_files_are_read_again(form: booking_files.FileFormat, language: str) -> None:
    with override(language):
        heads = header([*form.columns, REMARK], form)
    assert form.columns_of(heads) == [*form.columns, REMARK]
