"""What can be wrong with one hostile label."""

from collections.abc import Iterator
from functools import lru_cache

from django.utils import translation

from drills import label_reading as reading
from drills.hostile_labels import hostile_label
from parcels.choices import LabelSize
from parcels.labels import pdf, zpl
from parcels.labels.layout import Layout
from parcels.labels.rules import file_name
from parcels.labels.texts import words


def faults_of_label(seed: int, *, dpi: int) -> Iterator[str]:
    """Print the label of a seed as PDF and as ZPL, and name each fault."""
    label, phone = hostile_label(seed)
    layout = _layout([*LabelSize][seed % len(LabelSize)], ("en", "zh-hans")[seed // 2 % 2])
    page = pdf.render([label], layout)
    [drawn] = reading.pictures_of_pdf(page, dpi=dpi)
    [written] = zpl.render([label], layout, dpi=dpi)
    printed = reading.picture_of_zpl(written, layout, dpi=dpi)
    for kind, picture in (("PDF", drawn), ("ZPL", printed)):
        if not reading.is_read(picture, label):
            yield f"{kind} not read"
        if not reading.is_read(reading.worn(picture), label):
            yield f"worn {kind} not read"
        if not reading.edge_is_clear(picture, dpi=dpi):
            yield f"{kind} has ink at its edge"
    if reading.texts_outside(page):
        yield "a text is not on the page"
    if reading.tells(reading.told_by_pdf(page), phone, label=label):
        yield "the PDF tells the phone"
    if reading.tells(reading.told_by_zpl(written), phone, label=label):
        yield "the ZPL tells the phone"
    if reading.tells(file_name([label.number]), phone, label=label):
        yield "the file's name tells the phone"


@lru_cache(maxsize=4)
def _layout(size: LabelSize, language: str) -> Layout:
    with translation.override(language):
        return Layout(size, words())
