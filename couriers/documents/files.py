"""Inspect uploaded documents by their content, and store and serve them.

The file name and content type sent by the browser are never trusted.
"""

import hashlib
import io
import uuid
import warnings
from dataclasses import dataclass
from typing import IO

import structlog
from django.core.files.storage import FileSystemStorage
from django.http import FileResponse
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

log = structlog.get_logger(__name__)

MAX_BYTES = 10 * 1024 * 1024
MAX_PAGES = 200
# A4 at 600 dpi is 35 million pixels, a large phone camera's picture 50.
MAX_PIXELS = 60_000_000
ACCEPT = ".pdf,.png,.jpg,.jpeg,application/pdf,image/png,image/jpeg"
EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
# A document may only render itself: no scripts, requests or forms.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)
_SIGNATURES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_PROGRAMS = {"/JavaScript", "/Launch", "/ImportData", "/SubmitForm"}


class DocumentRefused(Exception):
    """The file is no acceptable document; the message tells people why."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """The content type, size and hash of a document."""

    content_type: str
    size: int
    sha256: str

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.content_type]


def inspect(stream: IO[bytes], *, size: int) -> Inspected:
    """Inspect a file, or raise DocumentRefused. Leaves the stream at its start."""
    if size > MAX_BYTES:
        message = _("The file has %(size)s MB; at most 10 MB can be uploaded.")
        # Rounded up: a message that 10.0 MB is too large would be confusing.
        raise DocumentRefused(message % {"size": f"{-(-size * 10 // 1024 // 1024) / 10:.1f}"})
    stream.seek(0)
    content = stream.read(MAX_BYTES + 1)
    stream.seek(0)
    if not content:
        raise DocumentRefused(_("The file is empty."))
    content_type = _recognise(content)
    if content_type == "application/pdf":
        _check_pdf(content)
    else:
        _check_image(content, content_type)
    return Inspected(content_type, len(content), hashlib.sha256(content).hexdigest())


def _recognise(content: bytes) -> str:
    for signature, content_type in _SIGNATURES.items():
        if content.startswith(signature):
            return content_type
    if content.startswith(b"PK\x03\x04"):
        raise DocumentRefused(
            _("This is a ZIP archive or an Office document. Save it as PDF and upload that.")
        )
    raise DocumentRefused(_("The file's content is not PDF, PNG or JPEG."))


def _check_pdf(content: bytes) -> None:
    # pypdf repairs truncated files, but an incomplete licence must be refused.
    if b"%%EOF" not in content[-2048:]:
        raise DocumentRefused(_("The PDF is incomplete. Export or download it again."))
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        is_encrypted = reader.is_encrypted
        pages = 0 if is_encrypted else len(reader.pages)
        program = not is_encrypted and _runs_a_program(reader)
        if pages:
            reader.pages[0].mediabox  # noqa: B018 -- reading it is the check
    except Exception as error:  # pypdf raises all kinds of errors for broken files
        log.info("document refused", reason=repr(error)[:200])
        raise DocumentRefused(_("The PDF is damaged and cannot be opened.")) from error
    if is_encrypted:
        raise DocumentRefused(_("The PDF is protected by a password. Print it to a new PDF without one."))
    if not 1 <= pages <= MAX_PAGES:
        raise DocumentRefused(_("A document has 1 to 200 pages; this one has %(pages)d.") % {"pages": pages})
    if program:
        raise DocumentRefused(_("The PDF contains a program. Print it to a new PDF and upload that."))


def _runs_a_program(reader: PdfReader) -> bool:
    root = reader.root_object
    names = _resolve(root.get("/Names"))
    opening = _resolve(root.get("/OpenAction"))
    if isinstance(names, DictionaryObject) and "/JavaScript" in names:
        return True
    return isinstance(opening, DictionaryObject) and str(opening.get("/S", "")) in _PROGRAMS


def _resolve(value: object) -> object:
    return value.get_object() if isinstance(value, IndirectObject) else value


def _check_image(content: bytes, content_type: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
                width, height = image.size
                # Before decoding any pixels: a small file can hold a huge picture.
                if width * height > MAX_PIXELS:
                    raise DocumentRefused(_too_many_pixels(width, height))
                image.verify()
            # verify() checks only the structure and spoils the image: load() detects a truncated one.
            with Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as image:
                image.draft("L", (width // 8 or 1, height // 8 or 1))
                image.load()
    except DocumentRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DocumentRefused(_("The image has too many pixels. Scan it at 300 dpi.")) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        log.info("document refused", reason=repr(error)[:200], content_type=content_type)
        message = _("The image is damaged or incomplete. Scan or export it again.")
        raise DocumentRefused(message) from error


def _too_many_pixels(width: int, height: int) -> str:
    message = _("The image is %(width)d by %(height)d pixels, too large to open. Scan it at 300 dpi.")
    return message % {"width": width, "height": height}


def serve(stream: IO[bytes], *, name: str, extension: str, download: bool) -> FileResponse:
    """Return a document as a response, for viewing in the browser or for download.

    File extension and content type are those of the inspected content, never those of the upload.
    """
    stem = name.rsplit(".", 1)[0]
    response = FileResponse(
        stream,
        filename=f"{stem}.{extension}",
        content_type=CONTENT_TYPES[extension],
        as_attachment=download,
    )
    response["Content-Security-Policy"] = DOCUMENT_POLICY
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def private_storage() -> FileSystemStorage:
    """Return the storage of documents: it has no URL, and only our own user may read it."""
    return FileSystemStorage(file_permissions_mode=0o600, directory_permissions_mode=0o700)


def random_name(instance: object, filename: str) -> str:
    """Return the storage name of a document: random, without the name of its owner."""
    return random_file_name("documents", getattr(instance, "content_type", ""))


def random_file_name(folder: str, content_type: str) -> str:
    """Return a random file name in a folder, with the extension of the content type."""
    name = uuid.uuid4().hex
    return f"{folder}/{name[:2]}/{name}.{EXTENSIONS.get(content_type, 'bin')}"


def shown_name(name: str) -> str:
    """Return an uploaded file name that is safe to show and send: without path and control characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(char for char in last if char.isprintable() and char not in '"<>|*?:')
    # isprintable() also drops bidirectional overrides, which display "fdp.exe" as "exe.pdf".
    return text.strip(" .")[-160:] or "document"
