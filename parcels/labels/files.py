"""Files of labels, in the format and on the paper asked for."""

from collections.abc import Iterator, Sequence

from parcels.choices import LabelFormat
from parcels.labels import pdf, zpl
from parcels.labels.layout import Layout
from parcels.labels.rules import Label, LabelStyle
from parcels.labels.texts import words


class LabelFile:
    """Labels that are read, to be drawn into one file.

    Apart, because drawing takes seconds, and whoever notes a print holds the parcels' rows until the
    transaction ends: a file is drawn as it is sent, after that. All its words are known before.
    """

    def __init__(self, labels: Sequence[Label], style: LabelStyle) -> None:
        self._labels, self._style = labels, style
        self._layout = Layout(style.size, words())

    def parts(self) -> Iterator[bytes]:
        """Draw the labels in their order: nothing for a page of a PDF, all of it at the end; ZPL at once."""
        if self._style.format == LabelFormat.PDF:
            yield from pdf.render_parts(self._labels, self._layout)
        else:
            yield from zpl.render(self._labels, self._layout, dpi=self._style.dpi)
