"""The PDF of a statement: typefaces, cut texts, pages."""

import io

import pytest
from pypdf import PdfReader
from reportlab.pdfbase import pdfmetrics

from slas.credits.statement_pdf import Column, Paper, Table, render

COLUMNS = [Column("Name", 40), Column("Amount", 30, number=True)]


def paper(**fields: object) -> Paper:
    values: dict[str, object] = {
        "title": "Statement 2026-10",
        "subtitle": "莲香茶业",
        "facts": [("Total", "CNY 5.00")],
    }
    return Paper(**{**values, **fields})  # type: ignore[arg-type]


def pages_of(it: Paper) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(render(it))).pages]


def fonts_of(it: Paper) -> set[str]:
    reader = PdfReader(io.BytesIO(render(it)))
    return {font["/BaseFont"] for font in reader.pages[0]["/Resources"]["/Font"].get_object().values()}  # type: ignore[index]


def test_chinese_is_set_in_a_typeface_of_its_own() -> None:
    [page] = pages_of(paper())
    assert "莲香茶业" in page
    assert any("STSong" in font for font in fonts_of(paper()))


def test_mixed_names_stay_in_one_piece() -> None:
    name = "Swift Crane 迅鹤速运 Express"
    [page] = pages_of(paper(subtitle=name))
    assert name in page.replace("\n", "")


@pytest.mark.parametrize("name", ["A" * 200, "长" * 200, "Long 长 " * 40])
def test_a_text_too_long_for_its_column_is_cut(name: str) -> None:
    [page] = pages_of(paper(lines=Table("Lines", COLUMNS, [[name, "1.00"]])))
    assert name not in page
    assert "…" in page
    assert "1.00" in page


def test_every_page_repeats_the_columns_and_has_a_number() -> None:
    rows = [[f"row {number:03d}", f"{number}.00"] for number in range(120)]
    pages = pages_of(paper(lines=Table("Lines", COLUMNS, rows, total=["Total", "7140.00"])))
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Amount" in page
    assert [name for page in pages for name in page.split("\n") if name.startswith("row ")] == [
        row[0] for row in rows
    ]
    assert "7140.00" in pages[-1]


def test_empty_statement_is_one_page() -> None:
    [page] = pages_of(paper(notes=["Nothing yet."]))
    assert "Nothing yet." in page
    assert "Page 1 of 1" in page


def test_drawing_again_gives_the_same_file() -> None:
    assert render(paper()) == render(paper())
    assert "STSong-Light" in pdfmetrics.getRegisteredFontNames()
