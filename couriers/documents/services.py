"""Add documents to an application after an inspection of their content, and remove them with their file."""

from datetime import datetime, timedelta
from functools import partial

import structlog
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.database.slices import in_slices
from alliance.errors import FieldError, InvalidInput, NotFound
from alliance.file_names import name_set
from alliance.stored_files import delete_unnamed
from alliance.tenancy import Actor
from couriers.applications.services.applications import lock_application
from couriers.choices import DocumentKind
from couriers.documents.files import inspect, private_storage, shown_name
from couriers.documents.models import Document
from couriers.documents.refusals import DocumentRefused

log = structlog.get_logger(__name__)

MOST_DOCUMENTS = 20
# A newer file without a row may belong to an upload that is not committed yet.
ORPHAN_AFTER = timedelta(days=1)


def add_document(
    *, actor: Actor, application_id: int, kind: DocumentKind | str, upload: "File[bytes]"
) -> Document:
    """Add a document to an application that is open for changes, or to that of a member: none is replaced.

    The same file of the same kind returns the first document. Raises InvalidInput unless it is a valid PDF,
    PNG or JPEG of at most 10 MB, and for more than 20 documents.
    """
    if kind not in DocumentKind.values:
        raise InvalidInput(errors=[FieldError("/kind", _("Choose the kind of document."), "choice")])
    try:
        # Before the lock: parsing a large PDF takes a moment.
        content = inspect(upload.file or upload, size=upload.size)
    except DocumentRefused as refusal:
        raise InvalidInput(errors=[FieldError("/file", str(refusal), "refused")]) from refusal
    with transaction.atomic():
        application = lock_application(
            actor=actor, application_id=application_id, editable=True, or_approved=True
        )
        same = application.documents.filter(kind=kind, sha256=content.sha256).first()
        if same is not None:
            return same
        if application.documents.count() >= MOST_DOCUMENTS:
            message = _("An application has at most %(limit)d documents.") % {"limit": MOST_DOCUMENTS}
            raise InvalidInput(errors=[FieldError("/file", message, "too_many")])
        document = Document(
            organisation_id=application.organisation_id,
            application=application,
            kind=kind,
            name=shown_name(upload.name or ""),
            content_type=content.content_type,
            size=content.size,
            sha256=content.sha256,
            uploaded_by_id=actor.user_id,
        )
        _store(document, upload)
        _record(actor, document, "document.added")
    return document


@transaction.atomic
def remove_document(*, actor: Actor, document_id: int) -> None:
    """Remove a document and its file from an application that is open for changes.

    Raises NotFound for a missing or removed one, Conflict when the application is closed.
    """
    application_ids = (
        Document.objects.visible_to(actor).filter(pk=document_id).values_list("application_id", flat=True)
    )
    application_id = application_ids.first()
    if application_id is None:
        raise NotFound
    application = lock_application(actor=actor, application_id=application_id, editable=True)
    # Read it again under the lock: another tab may have removed it.
    document = application.documents.filter(pk=document_id).first()
    if document is None:
        raise NotFound
    discard_document(actor=actor, document=document, verb="document.removed")


def discard_document(*, actor: Actor, document: Document, verb: str) -> None:
    """Delete a document and its file, in the caller's transaction, which decided that it goes."""
    _record(actor, document, verb)
    name = document.file.name
    document.delete()
    # After the commit: deleting a file cannot be rolled back.
    transaction.on_commit(partial(private_storage().delete, str(name)), robust=True)


def forget_orphaned_files(*, now: datetime | None = None) -> int:
    """Delete stored files without a document: an upload's transaction may have been rolled back."""
    before = (now or timezone.now()) - ORPHAN_AFTER
    with name_set() as names:
        names.add(str(document.file.name) for document in in_slices(Document.objects.only("file")))
        return delete_unnamed("documents", before=before, named=names.those_of)


def _store(document: Document, upload: "File[bytes]") -> None:
    upload.seek(0)
    document.file.save(upload.name or "", File(upload.file or upload), save=False)
    try:
        # A savepoint, so that the file is deleted when the row is refused.
        with transaction.atomic():
            document.save(force_insert=True)
    except Exception:
        document.file.delete(save=False)
        raise


def _record(actor: Actor, document: Document, verb: str) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        object_type="application",
        object_id=document.application_id,
        organisation_id=document.organisation_id,
        detail={"kind": document.kind, "name": document.name, "sha256": document.sha256},
    )
