"""The files that applications name."""

from collections.abc import Iterator

from alliance.stored_files import Expected, FileKind
from couriers.documents.models import Document


def files_of_document(document: Document) -> Iterator[Expected]:
    yield Expected(str(document.file.name), size=document.size, sha256=document.sha256)


STORED_FILES = {"couriers.Document": FileKind("MEDIA_ROOT", Document.objects.all, files_of_document)}
