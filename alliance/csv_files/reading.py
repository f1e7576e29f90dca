"""Examine a CSV file before any of its rows is processed, and read its first line."""

import codecs
import hashlib
import io
import re
import tempfile
from dataclasses import dataclass
from typing import IO, Any, Final

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alliance.csv_files.columns import FileFormat
from alliance.csv_files.encodings import NO_ENCODING, encoding_of, is_utf16, wide_encoding
from alliance.csv_files.kinds import kind_of
from alliance.csv_files.records import Record, Records, RowProblem
from alliance.csv_files.refusals import refused
from alliance.texts import plain

_CHUNK: Final = 1024 * 1024
# What stands between columns instead of commas, and what it is called.
_SEPARATORS: Final = {
    ";": gettext_lazy("semicolons"),
    "\t": gettext_lazy("tabs"),
    "|": gettext_lazy("vertical bars"),
    "，": gettext_lazy("full-width commas"),
    "；": gettext_lazy("full-width semicolons"),
    "、": gettext_lazy("full-width commas"),
}


_ANY_SEPARATOR: Final = f"[,{''.join(map(re.escape, _SEPARATORS))}]"
# Of a first line: as many names of columns make it certain that it is one.
_LEAST_KNOWN: Final = 2


@dataclass(frozen=True, slots=True)
class FileShape:
    """The encoding, size and digest of a file, determined before any row is processed."""

    encoding: str
    lines: int
    size: int
    digest: str


def write_utf8(file: IO[bytes], target: IO[bytes], form: FileFormat) -> bool:
    """Write a file that is in UTF-16 or UTF-32 in UTF-8; return whether it is. Rows are found by their bytes.

    What cannot be read becomes a mark that costs its row.
    """
    file.seek(0)
    encoding = wide_encoding(file.read(_CHUNK), lambda line: _names_columns(line, form))
    file.seek(0)
    if not encoding:
        return False
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while chunk := file.read(_CHUNK):
        target.write(decoder.decode(chunk).encode())
    target.write(decoder.decode(b"", final=True).encode())
    target.seek(0)
    return True


def make_utf8(upload: "UploadedFile[Any]", form: FileFormat) -> None:
    """Put a file in UTF-8 in place of an uploaded one in UTF-16 or UTF-32, in memory or on disk as that."""
    on_disk = isinstance(upload, TemporaryUploadedFile)
    target: IO[bytes] = io.BytesIO()
    if on_disk:
        folder = settings.FILE_UPLOAD_TEMP_DIR
        target = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115 -- closed as the upload
    if not write_utf8(upload, target, form):
        target.close()
        return
    upload.close()
    upload.file, upload.size = target, target.seek(0, io.SEEK_END)
    target.seek(0)


def examine(file: IO[bytes], form: FileFormat) -> FileShape:
    """Read a file once from end to end. Raises InvalidInput for the field `file` if it is unusable."""
    file.seek(0)
    head = file.read(_CHUNK)
    _require_csv(head)
    digest, size, breaks, returns, is_utf8, last = hashlib.sha256(), 0, 0, 0, True, b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = head
    while chunk:
        digest.update(chunk)
        size += len(chunk)
        breaks += chunk.count(b"\n")
        returns += chunk.count(b"\r")
        is_utf8 = is_utf8 and _decodes(decoder, chunk)
        last = chunk
        chunk = file.read(_CHUNK)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    if returns > 2 * breaks:
        raise refused(_("The file uses old Mac line endings. Save it as “CSV UTF-8”."))
    lines = breaks + (not last.endswith(b"\n"))
    encoding = encoding_of(file, is_utf8=is_utf8)
    columns, records = read_header(file, encoding, form)
    if lines > form.max_lines:
        raise refused(
            _("The file has %(lines)s lines; the limit is %(most)s. Split it.")
            % {"lines": f"{lines:,}", "most": f"{form.max_lines:,}"}
        )
    if all(record.is_blank for record in records):
        raise refused(_("The file has a header but no rows."))
    return FileShape(encoding, lines, size, digest.hexdigest())


def read_header(file: IO[bytes], encoding: str, form: FileFormat) -> tuple[list[str], Records]:
    """Return the columns, and the reader positioned after them. Raises InvalidInput.

    Blank lines before the first line are passed over, and the line that tells Excel the separator.
    """
    file.seek(0)
    head = file.read(_CHUNK)
    _require_csv(head)
    has_mark = head.startswith(codecs.BOM_UTF8)
    records = Records(
        file, encoding, offset=len(codecs.BOM_UTF8) if has_mark else 0, row_lines=form.row_lines
    )
    first = next((record for record in records if not _is_passed_over(record)), None)
    if first is None:
        raise refused(_("The first line must name the columns, separated by commas."))
    if first.problem is RowProblem.NOT_TEXT:
        raise refused(str(NO_ENCODING))
    if first.problem is RowProblem.TOO_LONG:
        raise refused(_("The first line is too long: it must name the columns, separated by commas."))
    if first.problem:
        raise refused(_("The first line must name the columns, separated by commas."))
    _require_commas(first, form)
    columns = form.columns_of(first.cells)
    records.width = len(columns)
    return columns, records


def _names_columns(line: str, form: FileFormat) -> bool:
    return form.knows(re.split(_ANY_SEPARATOR, line)) >= _LEAST_KNOWN


def _is_passed_over(record: Record) -> bool:
    return record.is_blank or (bool(record.cells) and plain(record.cells[0]).lower().startswith("sep="))


def _require_csv(head: bytes) -> None:
    if not head.removeprefix(codecs.BOM_UTF8):
        raise refused(_("The file is empty."))
    if kind := kind_of(head):
        message = _("This is %(kind)s, not a CSV file. Save it as “CSV UTF-8” and upload that.")
        raise refused(message % {"kind": kind})
    if is_utf16(head):
        raise refused(_("This file is in UTF-16. Save it as “CSV UTF-8” and upload that."))


def _require_commas(first: Record, form: FileFormat) -> None:
    text = ",".join(first.cells)
    for mark, name in _SEPARATORS.items():
        parts = text.split(mark)
        is_only = len(first.cells) == 1 and len(parts) > 1
        if is_only or form.knows(parts) > form.knows(first.cells):
            message = _(
                "The columns are separated by %(found)s; they must be separated by commas. "
                "Save the file as “CSV UTF-8”."
            )
            raise refused(message % {"found": name})


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True
