"""Labels printed to dots and read back, as PDF and as ZPL."""

import dataclasses
import io

import pytest
from PIL import Image
from pypdf import PdfReader

from drills import label_reading as reading
from drills.label_checks import faults_of_label
from parcels.labels import pdf, pictures, zpl
from parcels.labels.layout import Layout
from parcels.labels.rules import Label

HOSTILE = range(101, 121)


@pytest.mark.parametrize("seed", HOSTILE)
def test_a_hostile_label_is_read_and_tells_no_phone(seed: int) -> None:
    """The same by the thousand: python -m drills labels 10000."""
    assert [*faults_of_label(seed, dpi=203)] == []


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("call 1069-3076 007", True),
        ("1069\n3076", False),
        # A character of the label that no typeface has, and one that is not on it.
        ("U+30760U+9307", False),
        ("U+10693076", True),
    ],
)
def test_digits_of_a_phone_are_told_from_the_numbers_of_characters(
    label: Label, text: str, is_told: bool
) -> None:
    label = dataclasses.replace(label, sender="\U00030760\u9307")
    assert reading.tells(text, "10693076007", label=label) is is_told


def test_a_mark_without_a_letter_stays_on_the_label(label: Label, layout: Layout) -> None:
    for mark in ("\u1b3d", "\u0303", " \u0939 \u093f"):
        page = pdf.render([dataclasses.replace(label, courier=mark)], layout)
        assert reading.texts_outside(page) == 0


@pytest.mark.parametrize("dpi", [203, 300])
def test_a_label_is_read_from_every_form(label: Label, layout: Layout, dpi: int) -> None:
    [page] = reading.pictures_of_pdf(pdf.render([label], layout), dpi=dpi)
    [written] = zpl.render([label], layout, dpi=dpi)
    preview = Image.open(io.BytesIO(pictures.picture(label, layout, dpi=dpi))).convert("L")
    printed = reading.picture_of_zpl(written, layout, dpi=dpi)
    assert printed.size == preview.size
    for picture in (page, printed, preview):
        assert reading.is_read(picture, label)
        assert reading.is_read(reading.worn(picture), label)
        assert reading.edge_is_clear(picture, dpi=dpi)


def test_a_pdf_has_a_page_of_the_size_for_each_label(label: Label, layout: Layout) -> None:
    others = [dataclasses.replace(label, number=f"CA0M8Q4Z7T2K000{digit}") for digit in "123"]
    pages = PdfReader(io.BytesIO(pdf.render([label, *others], layout))).pages
    assert len(pages) == 4
    assert [round(float(side) / 72 * 25.4) for side in pages[0].mediabox.upper_right] == [
        round(layout.width),
        round(layout.height),
    ]


def test_a_pdf_says_in_text_what_it_shows_and_embeds_its_typefaces(label: Label, layout: Layout) -> None:
    [page] = PdfReader(io.BytesIO(pdf.render([label], layout))).pages
    text = page.extract_text()
    for said in ("岭南速运", "Next day", "CTU", "HGH", "成都", "20:00", "UTC+8", "王**", "ORD-1182", "2 / 3"):
        assert said in text
    fonts = page["/Resources"]["/Font"].get_object().values()  # type: ignore[index]
    embedded = [font["/FontDescriptor"].get_object() for font in fonts if "/FontDescriptor" in font]
    assert embedded
    assert all("/FontFile2" in descriptor for descriptor in embedded)


def test_only_a_reprint_says_that_it_is_one(label: Label, layout: Layout) -> None:
    again = dataclasses.replace(label, is_reprint=True, has_declared_value=True)
    first, second = (reading.told_by_pdf(pdf.render([each], layout)) for each in (label, again))
    assert "REPRINT" not in first
    assert "VALUE" not in first
    assert "REPRINT" in second


def test_zpl_has_barcodes_as_commands_and_texts_as_bitmaps(label: Label, layout: Layout) -> None:
    [written] = zpl.render([label], layout, dpi=203)
    text = written.decode("ascii")
    assert text.startswith("^XA")
    assert text.endswith("^XZ\n")
    assert "^BCN," in text
    assert f"^FD{label.number}^FS" in text
    assert f"^FDMA,{label.address}^FS" in text
    assert text.count("^GFA,") >= 15
    assert "^A" not in text
    assert reading.told_by_zpl(written).count("^FD") == 2


def test_texts_that_repeat_are_in_a_pdf_once(label: Label, layout: Layout) -> None:
    many = pdf.render([label] * 50, layout)
    assert len(many) < 50 * len(pdf.render([label], layout)) / 8
