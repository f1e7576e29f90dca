"""The details of a sheet of an .ods file: its XML has each number also as a person sees it."""

import re
from typing import Final
from xml.parsers.expat import ParserCreate
from zipfile import ZipFile

from alliance.workbooks.details import Details

_CHUNK: Final = 1 << 20
_ZEROS_FIRST: Final = re.compile(r"0[0-9]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_ANYTHING: Final = re.compile(r".*", re.DOTALL)
_TABLE: Final = "urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_STYLE: Final = "urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_OFFICE: Final = "urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_CALC: Final = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
# A repeated row or cell of nothing fills the sheet to its end.
_MOST_REPEATED: Final = 1_000


def details_of(book: ZipFile, sheet_name: str) -> Details:
    reader = _Reader(sheet_name)
    parser = ParserCreate(namespace_separator="}")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    with book.open("content.xml") as file:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk)
    return reader.details


class _Reader:
    """Follows the rows and cells of one sheet."""

    def __init__(self, sheet_name: str) -> None:
        self.details = Details()
        self._sheet_name = sheet_name
        self._is_inside = False
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._kind = ""
        self._text: list[str] = []
        # Formats that show a number as text, and the styles of cells that have one.
        self._text_formats: set[str] = set()
        self._text_styles: set[str] = set()
        self._styles: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name == "table":
            self._is_inside = attributes.get(f"{_TABLE}name") == self._sheet_name
            self._row = 0
            self._text_styles = {style for style, code in self._styles.items() if code in self._text_formats}
        elif not self._is_inside:
            self._note_style(name, attributes)
        elif name == "table-row":
            self._column = 0
            self._rows = _count(attributes, "number-rows-repeated")
            if attributes.get(f"{_TABLE}visibility") in ("collapse", "filter"):
                self.details.hidden.update(range(self._row, self._row + min(self._rows, _MOST_REPEATED)))
        elif name in ("table-cell", "covered-table-cell"):
            self._begin_cell(attributes)

    def characters(self, text: str) -> None:
        if self._kind:
            self._text.append(text)

    def end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if not self._is_inside:
            return
        if name in ("table-cell", "covered-table-cell"):
            self._end_cell()
        elif name == "table-row":
            self._row += self._rows
        elif name == "table":
            self._is_inside = False

    def _note_style(self, name: str, attributes: dict[str, str]) -> None:
        if name == "text-style":
            self._text_formats.add(attributes.get(f"{_STYLE}name", ""))
        elif name == "style":
            self._styles[attributes.get(f"{_STYLE}name", "")] = attributes.get(f"{_STYLE}data-style-name", "")

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._columns = _count(attributes, "number-columns-repeated")
        kind = attributes.get(f"{_OFFICE}value-type", "")
        is_formula = f"{_TABLE}formula" in attributes
        # A formula without a result was never worked out.
        is_error = attributes.get(f"{_CALC}value-type") == "error" or (is_formula and not kind)
        is_text = attributes.get(f"{_TABLE}style-name") in self._text_styles
        self._kind = "error" if is_error else "" if kind != "float" else "text" if is_text else "number"
        spanned = _count(attributes, "number-rows-spanned")
        if spanned > 1:
            self.details.merged.append((self._row, self._row + spanned - 1, self._column))

    def _end_cell(self) -> None:
        text = "".join(self._text)
        wanted = {"error": _ANYTHING, "number": _ZEROS_FIRST, "text": _DIGITS}.get(self._kind)
        if wanted and wanted.fullmatch(text):
            note = self.details.fail if self._kind == "error" else self.details.show
            for row in range(self._row, self._row + min(self._rows, _MOST_REPEATED)):
                for column in range(self._column, self._column + min(self._columns, _MOST_REPEATED)):
                    note(row, column, text)
        self._column += self._columns
        self._kind, self._text = "", []


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(f"{_TABLE}{name}", "1")
    return int(text) if text.isdigit() and len(text) < 8 else 1
