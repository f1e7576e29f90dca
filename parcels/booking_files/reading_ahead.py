"""Workbooks of a request, read before its transaction begins."""

from contextlib import AbstractContextManager, nullcontext

from alliance.choices import Capability
from alliance.web.requests import ActorRequest
from parcels.booking_files.columns import MAX_BYTES
from parcels.booking_files.tables import read_ahead


def uploaded_workbook(request: ActorRequest) -> AbstractContextManager[None]:
    """Read the field `file` of a request if it is a workbook, of whom may book from files.

    The view asks for it once it has checked all else, and is told then what is wrong with it.
    """
    actor = request.actor
    if request.method != "POST" or request.content_type != "multipart/form-data":
        return nullcontext()
    if not (actor.is_merchant and actor.can(Capability.BOOK_PARCELS)):
        return nullcontext()
    upload = request.FILES.get("file")
    if upload is None or (upload.size or 0) > MAX_BYTES:
        return nullcontext()
    return read_ahead(upload)
