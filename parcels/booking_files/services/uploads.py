"""Uploads in any form, as the one file that is booked from: a CSV in UTF-8 with our columns.

A row keeps its number, so that what is said of it names the row that the merchant sees. A CSV that has our
columns already stays as it is.
"""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from alliance.csv_files.columns import bare_name
from alliance.csv_files.encodings import UTF8, encoding_of, is_utf16
from alliance.csv_files.kinds import kind_of
from alliance.csv_files.reading import make_utf8, read_header
from alliance.csv_files.refusals import refused
from alliance.errors import InvalidInput
from alliance.workbooks.reading import is_workbook
from parcels.booking_files.columns import COLUMNS, FORMAT
from parcels.booking_files.guesses import guess
from parcels.booking_files.mappings import ColumnMapping, converted, fitted, own_mapping
from parcels.booking_files.shops import closed_orders, shop_of
from parcels.booking_files.tables import NoHeader, Table, read_text, read_workbook

_HEAD: Final = 64 * 1024


class ColumnsUnknown(InvalidInput):
    """A file whose columns must be named first. `table` is on the disk until it is closed."""

    def __init__(self, table: Table, problem: InvalidInput) -> None:
        super().__init__(errors=problem.errors)
        self.table = table


def prepare(upload: "UploadedFile[Any]", mapping: ColumnMapping | None) -> None:
    """Put the file that is booked from in place of an upload, if that is another one.

    Raises InvalidInput for a file that cannot be read, or lacks what no template gives; ColumnsUnknown where
    a person could name the columns: then its table is left to the caller.
    """
    table = _table_of(upload, mapping)
    if table is None:
        return
    try:
        chosen = fitted(mapping, table.header) if mapping else own_mapping(table.header)
        if chosen is None or (chosen.missing and mapping is None):
            raise ColumnsUnknown(table, problem_of_columns(table))
        if chosen.missing:
            raise refused(missing_text(chosen))
        write_converted(upload, table, chosen)
    except ColumnsUnknown:
        raise
    except BaseException:
        table.path.unlink()
        raise
    table.path.unlink()


def _table_of(upload: "UploadedFile[Any]", mapping: ColumnMapping | None) -> Table | None:
    """Read an upload as a table; None for a file that is booked from, or refused, as it is."""
    upload.seek(0)
    head = upload.read(_HEAD)
    if is_workbook(head):
        return read_workbook(upload)
    make_utf8(upload, FORMAT)
    upload.seek(0)
    head = upload.read(_HEAD)
    if kind_of(head) or is_utf16(head) or (mapping is None and _has_our_columns(upload)):
        return None
    try:
        return read_text(upload)
    except NoHeader:
        return None


def problem_of_columns(table: Table) -> InvalidInput:
    """What is wrong with the columns of a table that is not in ours."""
    if shop := shop_of(table.header):
        text = _("This is an export of %(shop)s, which does not say: %(missing)s. Give them in a template.")
        missing = ", ".join(guess(table.header).missing)
        return refused(text % {"shop": shop.name, "missing": missing})
    try:
        FORMAT.columns_of([bare_name(name) for name in table.header if name])
    except InvalidInput as problem:
        return problem
    return refused(missing_text(guess(table.header)))


def missing_text(mapping: ColumnMapping) -> str:
    text = _("Neither a column nor a value of the template gives: %(names)s.")
    return text % {"names": ", ".join(mapping.missing)}


def write_converted(upload: "UploadedFile[Any]", table: Table, mapping: ColumnMapping) -> None:
    """Put a table under our columns in place of an upload."""
    folder = settings.FILE_UPLOAD_TEMP_DIR
    target: IO[bytes] = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115 -- closed as the upload
    try:
        count = _write_rows(target, table, mapping)
        if not count:
            raise refused(_("The file has a header but no rows."))
    except BaseException:
        target.close()
        raise
    upload.close()
    upload.file, upload.size = target, target.tell()
    target.seek(0)


def _write_rows(target: IO[bytes], table: Table, mapping: ColumnMapping) -> int:
    """Write the rows, each on the line of its number, and return how many."""
    with _text_of(target) as text:
        writer = csv.writer(text, lineterminator="\n")
        text.write("\n" * (table.header_row - 1))
        writer.writerow(COLUMNS)
        line, count = table.header_row, 0
        for number, cells in converted(table.header, table.rows(), mapping, closed_orders(table.header)):
            text.write("\n" * (number - line - 1))
            writer.writerow(
                " ".join(cell.splitlines()) if "\n" in cell or "\r" in cell else cell for cell in cells
            )
            line, count = number, count + 1
    return count


@contextmanager
def _text_of(target: IO[bytes]) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(target, "utf-8", errors="replace", newline="", write_through=False)
    try:
        yield text
    finally:
        # The file stays open: it is the upload.
        text.detach()


def _has_our_columns(upload: IO[bytes]) -> bool:
    """Whether a file is a CSV with commas, and with columns of ours."""
    try:
        # Most names are in ASCII: the file need not be read to its end to tell its encoding.
        read_header(upload, UTF8, FORMAT)
    except InvalidInput:
        pass
    else:
        return True
    try:
        read_header(upload, encoding_of(upload, is_utf8=False), FORMAT)
    except InvalidInput:
        return False
    return True
