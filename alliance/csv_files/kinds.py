"""Recognise files that are no CSV by how they begin, to say what they are. Pure."""

import codecs
import re
from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_WORKBOOK: Final = _("an Excel workbook")
_SPREADSHEET: Final = _("a spreadsheet")
_DOCUMENT: Final = _("a text document")
_PICTURE: Final = _("a picture")
_ARCHIVE: Final = _("an archive")
_KINDS: Final[Mapping[bytes, Promise]] = {
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"\x09\x08\x10\x00": _WORKBOOK,
    b"%PDF": _("a PDF"),
    b"\x89PNG": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF8": _PICTURE,
    b"\x1f\x8b": _ARCHIVE,
    b"Rar!": _ARCHIVE,
    b"7z\xbc\xaf": _ARCHIVE,
    b"BZh": _ARCHIVE,
    b"\xfd7zXZ": _ARCHIVE,
    b"{\\rtf": _DOCUMENT,
}
# What a ZIP archive contains near its beginning, by the program that wrote it.
_ZIPPED: Final[Mapping[bytes, Promise]] = {
    b"xl/": _WORKBOOK,
    b"word/": _DOCUMENT,
    b"opendocument.spreadsheet": _SPREADSHEET,
    b"opendocument.text": _DOCUMENT,
    b"Index/": _SPREADSHEET,
    b"[Content_Types].xml": _WORKBOOK,
    b"_rels/": _WORKBOOK,
}
_BEGINNING: Final = 64 * 1024
_FIRST_LINE: Final = 512
# Control characters that no text begins with; further down they cost their own row.
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]{3}")


def kind_of(head: bytes) -> str:
    """What a file is that is no CSV, for a message: "an Excel workbook"; empty for anything else."""
    head = head.removeprefix(codecs.BOM_UTF8)
    for signature, kind in _KINDS.items():
        if head.startswith(signature):
            return str(kind)
    if head.startswith(b"PK\x03\x04"):
        beginning = head[:_BEGINNING]
        return str(next((kind for part, kind in _ZIPPED.items() if part in beginning), _("a ZIP archive")))
    text = head[:1024].lstrip()
    if text.startswith(b"<"):
        # Many systems call a table in HTML an Excel file.
        return str(_("a web page or XML"))
    if text.startswith((b"{", b"[")):
        return "JSON"
    return str(_("a program or binary data")) if _BINARY.search(head[:_FIRST_LINE]) else ""
