"""Drafts: files whose columns a person names before they are booked."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from django.core.files import File
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from alliance.database.slices import for_each_slice
from alliance.errors import Conflict, NotFound
from alliance.stored_files import fresh_name
from alliance.tenancy import Actor
from alliance.workbooks.cells import text_in
from parcels.booking_files.models import BookingFile
from parcels.booking_files.tables import Table, table_of
from parcels.choices import BookingFileState

KEPT: Final = timedelta(days=1)
MOST_DRAFTS: Final = 20
SHOWN_ROWS: Final = 10


def start_draft(actor: Actor, name: str, table: Table) -> BookingFile:
    """Keep a table for its columns to be named. Raises Conflict while MOST_DRAFTS wait; the table is gone."""
    drafts = BookingFile.objects.visible_to(actor).filter(state=BookingFileState.DRAFT)
    try:
        if drafts.count() >= MOST_DRAFTS:
            detail = _("%(most)d files wait for their columns to be named. Book or discard them first.")
            raise Conflict(detail % {"most": MOST_DRAFTS}, code="drafts_waiting")
        with table.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            return BookingFile.objects.create(
                merchant_id=actor.tenant_id,
                uploaded_by_id=actor.user_id,
                name=name,
                content=File(content, name=fresh_name(".jsonl")),
                digest=digest,
                size=table.path.stat().st_size,
                lines=0,
                encoding="utf-8",
                state=BookingFileState.DRAFT,
                language=translation.get_language() or "en",
            )
    finally:
        table.path.unlink()


def draft_of(actor: Actor, file_id: int) -> tuple[BookingFile, Table]:
    """Return a draft of the merchant and its table. Raises NotFound."""
    drafts = BookingFile.objects.visible_to(actor).filter(state=BookingFileState.DRAFT)
    file = drafts.filter(pk=file_id).first()
    if file is None or not Path(file.content.path).exists():
        raise NotFound
    return file, table_of(Path(file.content.path))


def first_rows(table: Table) -> Sequence[Sequence[str]]:
    """The cells of a table's first rows, each with as many as there are columns."""
    width = len(table.header)
    rows = (list(map(text_in, row.cells)) for row in islice(table.rows(), SHOWN_ROWS))
    return [[*cells[:width], *[""] * (width - len(cells))] for cells in rows]


def discard_draft(*, actor: Actor, file_id: int) -> str:
    """Delete a draft with its file, and return its name. Raises NotFound."""
    file, _table = draft_of(actor, file_id)
    discard(file)
    return file.name


def forget_drafts(*, now: datetime) -> int:
    """Delete drafts that nobody booked within a day; return how many."""
    drafts = BookingFile.objects.filter(state=BookingFileState.DRAFT, uploaded_at__lt=now - KEPT)
    return for_each_slice(drafts, order="uploaded_at", do=discard)


def discard(file: BookingFile) -> None:
    with transaction.atomic():
        file.delete()
        transaction.on_commit(partial(Path(file.content.path).unlink, missing_ok=True), robust=True)
