"""Inspect uploaded documents by their content, and store and serve them.

The file name and content type sent by the browser are never trusted.
"""

import hashlib
import threading
import uuid
from dataclasses import dataclass
from typing import IO

from django.core.files.storage import FileSystemStorage
from django.http import FileResponse
from django.utils.translation import gettext as _

from couriers.documents.image_checks import check_image
from couriers.documents.pdf_checks import MOST_BEFORE, SIGNATURE, check_pdf
from couriers.documents.refusals import DocumentRefused

MAX_BYTES = 10 * 1024 * 1024
# A check may need 300 MB: files are checked one after the other, in each process.
_CHECKING = threading.Lock()
_PATIENCE = 20
ACCEPT = ".pdf,.png,.jpg,.jpeg,application/pdf,image/png,image/jpeg"
EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
# A document may only render itself: no scripts, requests or forms.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)
_SIGNATURES = {SIGNATURE: "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# What programs open as something else than a PDF, though %PDF comes later in it.
_OTHER_KINDS = (
    b"PK",
    b"MZ",
    b"\x7fELF",
    b"GIF8",
    b"BM",
    b"RIFF",
    b"II*",
    b"MM",
    b"<",
    b"#!",
    b"{",
    b"Rar!",
    b"7z",
)


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
    if not _CHECKING.acquire(timeout=_PATIENCE):
        raise DocumentRefused(_("Many files are being checked. Upload this one again in a minute."))
    try:
        if content_type == "application/pdf":
            check_pdf(content)
        else:
            check_image(content, content_type)
    finally:
        _CHECKING.release()
    return Inspected(content_type, len(content), hashlib.sha256(content).hexdigest())


def _recognise(content: bytes) -> str:
    for signature, content_type in _SIGNATURES.items():
        if content.startswith(signature):
            return content_type
    before, found, _rest = content[: MOST_BEFORE + len(SIGNATURE)].partition(SIGNATURE)
    if found and not before.lstrip(b"\xef\xbb\xbf\0\r\n\t ").startswith(_OTHER_KINDS):
        return "application/pdf"
    if content.startswith(b"PK\x03\x04"):
        raise DocumentRefused(
            _("This is a ZIP archive or an Office document. Save it as PDF and upload that.")
        )
    raise DocumentRefused(_("The file's content is not PDF, PNG or JPEG."))


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
