"""The details of a sheet of an .xlsx file, read from its XML only where its styles or text have any."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import fromstring
from xml.parsers.expat import ParserCreate
from zipfile import ZipFile

from alliance.workbooks.details import AS_TEXT, Details, says_zeros, shown

_CHUNK: Final = 1 << 20
_MOST_STYLES: Final = 32 << 20
# Hidden rows, cells that are errors, and formulas without a result: their program has not worked them out.
_WORTH_READING: Final = re.compile(
    rb"""hidden\s*=\s*["'](?:1|true)|\bt\s*=\s*["']e["']"""
    rb"""|<(?:\w+:)?(?:/(?:\w+:)?f|f\b[^>]*/)>\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_OVERLAP: Final = 64
_NOT_WORKED_OUT: Final = "="
_TEXT_FORMAT: Final = "49"


def details_of(book: ZipFile, sheet_name: str) -> Details:
    details = Details()
    path = _path_of(book, sheet_name)
    if not path:
        return details
    formats = _formats(book)
    if formats or _has_details(book, path):
        _Reader(details, formats).read(book, path)
    return details


def _path_of(book: ZipFile, sheet_name: str) -> str:
    """The file of a sheet in the archive; "" if the workbook does not say."""
    names = set(book.namelist())
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return ""
    sheets = _elements(book, "xl/workbook.xml", "sheet")
    wanted = next((sheet for sheet in sheets if sheet.get("name") == sheet_name), {})
    relation = next((value for key, value in wanted.items() if key.endswith("}id")), "")
    targets = {
        item.get("Id"): item.get("Target", "")
        for item in _elements(book, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    target = targets.get(relation, "")
    path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return path if path in names else ""


def _elements(book: ZipFile, path: str, tag: str) -> Iterator[dict[str, str]]:
    with book.open(path) as file:
        root = fromstring(file.read(_MOST_STYLES))  # noqa: S314 -- expat refuses expanding entities
    for element in root.iter():
        if element.tag.rpartition("}")[2] == tag:
            yield element.attrib


def _formats(book: ZipFile) -> dict[str, str]:
    """Styles whose number format decides about zeros, by their numbers in the sheet."""
    if "xl/styles.xml" not in book.namelist():
        return {}
    with book.open("xl/styles.xml") as file:
        root = fromstring(file.read(_MOST_STYLES))  # noqa: S314 -- as above
    codes = {_TEXT_FORMAT: AS_TEXT}
    result: dict[str, str] = {}
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name == "numFmt":
            codes[element.get("numFmtId", "")] = element.get("formatCode", "")
        elif name == "cellXfs":
            for number, style in enumerate(element):
                code = codes.get(style.get("numFmtId", ""), "")
                if says_zeros(code):
                    result[str(number)] = code
    return result


def _has_details(book: ZipFile, path: str) -> bool:
    tail = b""
    with book.open(path) as file:
        while chunk := file.read(_CHUNK):
            if _WORTH_READING.search(tail + chunk):
                return True
            tail = chunk[-_OVERLAP:]
    return False


class _Reader:
    """Follows the cells of a sheet; those without an address stand after the one before."""

    def __init__(self, details: Details, formats: dict[str, str]) -> None:
        self._details, self._formats = details, formats
        self._row, self._column = -1, -1
        self._format = ""
        self._is_error = self._is_value = self._has_formula = self._has_result = self._is_text = False
        self._text: list[str] = []

    def read(self, book: ZipFile, path: str) -> None:
        parser = ParserCreate(namespace_separator="}")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        with book.open(path) as file:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name == "c":
            address = attributes.get("r", "")
            self._column = _column(address) if address else self._column + 1
            kind = attributes.get("t", "n")
            self._is_text = kind == "str"
            self._is_error = kind == "e"
            self._has_formula = self._has_result = False
            self._format = self._formats.get(attributes.get("s", ""), "") if kind == "n" else ""
        elif name == "f":
            self._has_formula = True
        elif name == "v":
            self._is_value = bool(self._format) or self._is_error or self._has_formula
        elif name == "row":
            self._row = int(attributes["r"]) - 1 if attributes.get("r", "").isdigit() else self._row + 1
            self._column = -1
            if attributes.get("hidden") in ("1", "true"):
                self._details.hidden.add(self._row)

    def _characters(self, text: str) -> None:
        if self._is_value:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if name == "c" and self._has_formula and not self._has_result:
            self._details.fail(self._row, self._column, _NOT_WORKED_OUT)
        if not self._is_value or name != "v":
            return
        text = "".join(self._text)
        self._text, self._is_value = [], False
        # A formula whose result is an empty text is marked as one.
        self._has_result = bool(text) or self._is_text
        if self._is_error:
            self._details.fail(self._row, self._column, text)
        elif self._format:
            self._details.show(self._row, self._column, shown(text, self._format))


def _column(address: str) -> int:
    """The column of B7 is 1."""
    number = 0
    for letter in address:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number - 1
