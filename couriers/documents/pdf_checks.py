"""Check that a PDF can be opened by everybody and does nothing but show pages."""

import io
from collections.abc import Iterator
from typing import Final

import structlog
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pypdf import PasswordType, PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from couriers.documents.refusals import DocumentRefused

log = structlog.get_logger(__name__)

MAX_PAGES: Final = 200
# A page of text has dozens; reading more than this would keep a request's thread for seconds.
MAX_OBJECTS: Final = 20_000
# The standard lets %PDF stand after other bytes: mail gateways and editors put a mark or lines before it.
MOST_BEFORE: Final = 1_024
SIGNATURE: Final = b"%PDF-"
_MOST_DEPTH: Final = 50
_PROGRAM: Final = gettext_lazy("The PDF contains a program. Print it to a new PDF and upload that.")
_FORM: Final = gettext_lazy("The PDF is an interactive form (XFA). Print it to a new PDF and upload that.")
_FILES: Final = gettext_lazy("The PDF contains other files. Print it to a new PDF and upload that.")
_KEYS: Final[dict[str, Promise]] = {
    "/JS": _PROGRAM,
    "/JavaScript": _PROGRAM,
    "/XFA": _FORM,
    "/EmbeddedFiles": _FILES,
    "/EF": _FILES,
    "/RichMediaContent": _FILES,
}
_ACTIONS: Final[dict[str, Promise]] = {
    "/JavaScript": _PROGRAM,
    "/Launch": _PROGRAM,
    "/ImportData": _PROGRAM,
    "/SubmitForm": _PROGRAM,
    "/Rendition": _PROGRAM,
    "/GoToE": _FILES,
    "/GoToR": _FILES,
}


def check_pdf(content: bytes) -> None:
    """Raise DocumentRefused for a PDF that needs a password, is broken, or does more than show pages.

    One that only restricts printing or copying opens without a password, and is accepted.
    """
    # pypdf repairs truncated files, but an incomplete licence must be refused.
    if b"%%EOF" not in content[-2048:]:
        raise DocumentRefused(_("The PDF is incomplete. Export or download it again."))
    try:
        reader = PdfReader(io.BytesIO(content[content.index(SIGNATURE) :]), strict=False)
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise DocumentRefused(_("The PDF is protected by a password. Print it to a new PDF without one."))
        pages = len(reader.pages)
        if pages:
            reader.pages[0].mediabox  # noqa: B018 -- reading it is the check
        problem = _more_than_pages(reader)
    except DocumentRefused:
        raise
    except Exception as error:  # pypdf raises all kinds of errors for broken files
        log.info("document refused", reason=repr(error)[:200])
        raise DocumentRefused(_("The PDF is damaged and cannot be opened.")) from error
    if not 1 <= pages <= MAX_PAGES:
        raise DocumentRefused(_("A document has 1 to 200 pages; this one has %(pages)d.") % {"pages": pages})
    if problem:
        raise DocumentRefused(str(problem))


def _more_than_pages(reader: PdfReader) -> Promise | str | None:
    """Say what a PDF contains that is more than pages, wherever in the file it is."""
    for count, entry in enumerate(_objects(reader), start=1):
        if count > MAX_OBJECTS:
            return _("The PDF has too many parts. Print it to a new PDF and upload that.")
        if problem := _problem_of(entry):
            return problem
    return None


def _objects(reader: PdfReader) -> Iterator[object]:
    yield reader.trailer
    for generation, offsets in reader.xref.items():
        for number in offsets:
            yield reader.get_object(IndirectObject(number, generation, reader))
    for number in reader.xref_objStm:
        yield reader.get_object(IndirectObject(number, 0, reader))


def _problem_of(entry: object, depth: int = 0) -> Promise | None:
    """What an object does, itself or by one written within it; those it refers to are looked at apart."""
    if depth > _MOST_DEPTH or not isinstance(entry, (DictionaryObject, ArrayObject)):
        return None
    if isinstance(entry, DictionaryObject):
        for key in entry:
            if problem := _KEYS.get(str(key)):
                return problem
        action = entry.raw_get("/S") if "/S" in entry else ""
        if problem := _ACTIONS.get(str(action)):
            return problem
    within = dict.values(entry) if isinstance(entry, DictionaryObject) else list.__iter__(entry)
    return next((problem for value in within if (problem := _problem_of(value, depth + 1))), None)
