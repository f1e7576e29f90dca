"""The PDF of a statement: typefaces, cut texts, pages."""

import io
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader

from alliance.paper_scripts import drawn
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


def test_every_typeface_is_embedded_but_those_of_every_viewer() -> None:
    it = paper(subtitle="莲香茶业 شركة Łódź 𠮷")
    fonts = PdfReader(io.BytesIO(render(it))).pages[0]["/Resources"]["/Font"].get_object()  # type: ignore[index]
    for font in fonts.values():
        descriptor = font.get("/FontDescriptor")
        assert font["/BaseFont"] == "/Helvetica" or "/FontFile2" in descriptor.get_object()


def test_letters_beyond_western_europe_are_embedded() -> None:
    name = "Łódź Σίσυφος Москва Việt"
    [page] = pages_of(paper(subtitle=name))
    assert name in page.replace("\n", "")
    assert any("noto-sans" in font for font in fonts_of(paper(subtitle=name)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("🍜面馆", "🍜面馆"),
        ("𠮷口家（杭州）", "𠮷口家（杭州）"),
        ("شركة", "شركة"),
        ("欧阳测 歐陽測試 堃", "欧阳测 歐陽測試 堃"),
        ("김밥 한국", "김밥 한국"),
        ("ไทย", "ไทย"),
        ("a\u200bb", "aU+200Bb"),
        ("𠀀", "U+20000"),
        ("Ło\u0301dz\u0301", "Łódź"),
    ],
)
def test_names_are_whole_in_any_script_and_what_no_typeface_has_is_told(name: str, shown: str) -> None:
    [page] = pages_of(paper(subtitle=name))
    assert shown in page
    rows = [[name, "1.00"]]
    columns = [Column("Name", 90), Column("Amount", 30, number=True)]
    [page] = pages_of(paper(lines=Table("Lines", columns, rows, total=[name, "1.00"])))
    assert page.count(shown) == 2


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        # Initial, medial, final and isolated forms, from the right.
        ("شركة", "FE94 FEDB FEAE FEB7"),
        # Lam and alef are one character.
        ("سلام", "FEE1 FEFC FEB3"),
        ("AB شر 12", "0041 0042 0020 FEAE FEB7 0020 0031 0032"),
        ("شر 12 (ب)", "0028 FE8F 0029 0020 0031 0032 0020 FEAE FEB7"),
        ("שלום", "05DD 05D5 05DC 05E9"),
        ("Łódź 莲", "0141 00F3 0064 017A 0020 83B2"),
    ],
)
def test_letters_are_drawn_in_order_and_form(text: str, codes: str) -> None:
    assert " ".join(f"{ord(character):04X}" for character in drawn(text)) == codes


def test_numbers_and_whole_values_are_set_smaller_instead_of_cut() -> None:
    columns = [Column("Parcel", 20, whole=True), Column("Amount", 12, number=True)]
    number, amount = "CAWWWWWWWWWWWWWW", "-10,000,000.00"
    [page] = pages_of(paper(lines=Table("Lines", columns, [[number, amount]])))
    assert number in page
    assert amount in page


@pytest.mark.parametrize("rows", range(20, 32))
def test_total_and_notes_are_not_alone_on_a_page(rows: int) -> None:
    table = Table("Lines", COLUMNS, [[f"row {n}", "1.00"] for n in range(rows)], total=["Total", "9.00"])
    last = pages_of(paper(lines=table, notes=["Positive amounts are owed."]))[-1]
    assert f"row {rows - 1} 1.00\n" in last
    assert "Positive amounts" in last


def test_file_names_its_maker_and_the_time_of_the_statement() -> None:
    made_at = datetime(2026, 11, 5, 2, tzinfo=UTC)
    info = PdfReader(io.BytesIO(render(paper(made_at=made_at)))).metadata
    assert info is not None
    assert (info.author, info.creator, info.creation_date) == (
        "Courier Alliance",
        "Courier Alliance",
        made_at,
    )


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
        " ".join(row) for row in rows
    ]
    assert "7140.00" in pages[-1]


def test_empty_statement_is_one_page() -> None:
    [page] = pages_of(paper(notes=["Nothing yet."]))
    assert "Nothing yet." in page
    assert "Page 1 of 1" in page


def test_drawing_again_gives_the_same_file() -> None:
    assert render(paper()) == render(paper())
