"""Uploads: sound ones, and every kind of broken one."""

import io
import struct
import zipfile
import zlib

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject


def pdf(*, pages: int = 1, mark: str = "") -> bytes:
    writer = PdfWriter()
    for _page in range(pages):
        writer.add_blank_page(width=595, height=842)
    writer.add_metadata({"/Title": mark})
    return _written(writer)


def encrypted_pdf(*, algorithm: str = "RC4-128", password: str = "secret") -> bytes:
    """A PDF that opens with a password only; without one, a PDF that merely restricts its readers."""
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    writer.encrypt(password, owner_password="owner", algorithm=algorithm)
    return _written(writer)


def pdf_with(entry: dict[str, object]) -> bytes:
    """A PDF with a dictionary somewhere in it, out of the way of its pages."""
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    writer.root_object[NameObject("/Odd")] = writer._add_object(_dictionary(entry))
    return _written(writer)


def pdf_with_attachment() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    writer.add_attachment("invoice.xml", b"<invoice/>")
    return _written(writer)


def _dictionary(entry: dict[str, object]) -> DictionaryObject:
    result = DictionaryObject()
    for key, value in entry.items():
        is_dictionary = isinstance(value, dict)
        result[NameObject(key)] = _dictionary(value) if is_dictionary else NameObject(str(value))
    return result


def pdf_with_script() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    script = DictionaryObject()
    script[NameObject("/S")] = NameObject("/JavaScript")
    script[NameObject("/JS")] = TextStringObject("app.alert(1)")
    writer.root_object[NameObject("/OpenAction")] = script
    return _written(writer)


def image(kind: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise(size, 60).save(stream, kind)
    return stream.getvalue()


def blank_image(mode: str) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (301, 77)).save(stream, "PNG")
    return stream.getvalue()


def flat_jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(stream, "JPEG", progressive=progressive)
    return stream.getvalue()


def bomb(width: int = 30_000, height: int = 30_000, *, pixels: int = 10_000) -> bytes:
    """A PNG of a few hundred bytes that claims 900 million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("licence.txt", "not a licence")
    return stream.getvalue()


def upload(name: str = "licence.pdf", content: bytes | None = None, claims: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, pdf() if content is None else content, claims or "application/pdf")


def _written(writer: PdfWriter) -> bytes:
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()
