"""Files of recipients: read into a merchant's address book, each row with a result of its own, and written.

The file is gone when it was read: nothing of it is kept but the recipients that were added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.csv_cells import safe_cell
from alliance.csv_files.encodings import is_utf16
from alliance.csv_files.kinds import kind_of
from alliance.csv_files.reading import make_utf8
from alliance.csv_files.refusals import refused
from alliance.errors import FieldError, InvalidInput
from alliance.locks import Lock, wait_for
from alliance.tenancy import Actor, require
from alliance.workbooks.reading import is_workbook
from parcels.booking_files.tables import NoHeader, Table, read_text, read_workbook
from parcels.recipients.models import SavedRecipient
from parcels.recipients.rows import FORMAT, MAX_BYTES, MAX_ROWS, RowReader
from parcels.recipients.rules import MOST_SAVED, Entry, full_text
from parcels.recipients.services.saving import columns_of, require_keeper

_HEAD: Final = 64 * 1024
_SLICE: Final = 1_000


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row of a file: added, known or rejected."""

    line: int
    outcome: str
    # As in the file, for the person who corrects it.
    name: str
    errors: tuple[FieldError, ...] = ()


def read_file(upload: "UploadedFile[Any]") -> Table:
    """Read an upload as a table, which is on the disk until `import_recipients` has read it.

    Needs no database: a workbook takes seconds. Raises InvalidInput for the field `file`.
    """
    if (upload.size or 0) > MAX_BYTES:
        most = MAX_BYTES // 1024 // 1024
        raise refused(_("The file is larger than %(most)d MB. Split it.") % {"most": most})
    upload.seek(0)
    head = upload.read(_HEAD)
    if not head:
        raise refused(_("The file is empty."))
    if is_workbook(head):
        return read_workbook(upload)
    make_utf8(upload, FORMAT)
    upload.seek(0)
    head = upload.read(_HEAD)
    kind = kind_of(head)
    if kind or is_utf16(head):
        message = _("This is %(kind)s, not a CSV file. Save it as “CSV UTF-8” and upload that.")
        raise refused(message % {"kind": kind or "UTF-16"})
    try:
        return read_text(upload)
    except NoHeader:
        raise refused(_("The first line must name the columns, separated by commas.")) from None


def import_recipients(*, actor: Actor, table: Table, at: datetime) -> list[RowResult]:
    """Add the recipients of a table, and return a result for each of its rows; the table is gone afterwards.

    Those that are there already stay as they are. Raises InvalidInput for a table with other columns than
    ours, or with too many rows: nothing is added.
    """
    try:
        merchant_id = require_keeper(actor)
        columns = FORMAT.columns_of(table.header)
        rows = []
        for row in table.rows():
            rows.append(row)
            if len(rows) > MAX_ROWS:
                message = _("The file has more than %(most)s rows. Split it.")
                raise refused(message % {"most": f"{MAX_ROWS:,}"})
    finally:
        table.path.unlink(missing_ok=True)
    reader = RowReader(columns)
    found = [(row, *reader.read(row)) for row in rows]
    with transaction.atomic():
        wait_for(Lock.SAVE_RECIPIENT, of=merchant_id)
        book = _Book(actor, merchant_id, at)
        results = []
        for row, name, read in found:
            if isinstance(read, InvalidInput):
                results.append(RowResult(row.number, "rejected", name, tuple(read.errors)))
            else:
                results.append(book.add(row.number, name, read))
        book.write()
        added = sum(result.outcome == "added" for result in results)
        audit.record(
            actor=actor,
            verb="recipients.imported",
            object_type="recipient",
            object_id="",
            detail={"rows": len(results), "added": added},
        )
    return results


def export_rows(*, actor: Actor) -> Iterator[list[str]]:
    """Yield the address book as rows of a file that `import_recipients` takes, the columns' names first.

    In full, which is audited. Raises NotPermitted.
    """
    require_keeper(actor)
    require(actor, Capability.EXPORT)
    require(actor, Capability.UNMASK)
    rows = list(SavedRecipient.objects.visible_to(actor).select_related("city").order_by("pk"))
    audit.record(
        actor=actor,
        verb="recipients.exported",
        object_type="recipient",
        object_id="",
        detail={"count": len(rows)},
    )
    return _written(rows)


def _written(rows: Sequence[SavedRecipient]) -> Iterator[list[str]]:
    yield FORMAT.header()
    for row in rows:
        cells = (row.name, row.phone, row.city.code, row.address, row.remark)
        yield [safe_cell(cell) for cell in cells]


class _Book:
    """An address book while a file is read into it."""

    def __init__(self, actor: Actor, merchant_id: int, at: datetime) -> None:
        self._merchant_id, self._at = merchant_id, at
        digests = SavedRecipient.objects.visible_to(actor).values_list("digest", flat=True)
        self._known = set(digests)
        self._added: list[Entry] = []

    def add(self, line: int, name: str, entry: Entry) -> RowResult:
        digest = entry.digest
        if digest in self._known:
            return RowResult(line, "known", name)
        if len(self._known) >= MOST_SAVED:
            return RowResult(line, "rejected", name, (FieldError("", full_text(), "address_book_full"),))
        self._known.add(digest)
        self._added.append(entry)
        return RowResult(line, "added", name)

    def write(self) -> None:
        SavedRecipient.objects.bulk_create(
            [
                SavedRecipient(
                    merchant_id=self._merchant_id,
                    added_at=self._at,
                    last_used_at=self._at,
                    **columns_of(entry),
                )
                for entry in self._added
            ],
            batch_size=_SLICE,
        )
