"""Write a table as an .xlsx file, each cell a text that no spreadsheet takes for a formula or a number."""

import tempfile
from collections.abc import Iterable, Sequence
from typing import IO, Final

import xlsxwriter
from django.conf import settings

CONTENT_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What a cell holds at most.
_MOST_LETTERS: Final = 32_767
_WIDTH: Final = 18
_AS_TEXT: Final = {"num_format": "@"}


def write_workbook(rows: Iterable[Sequence[str]]) -> IO[bytes]:
    """Return an open temporary file with the rows, of which the first names the columns.

    Rows are written as they come, so that memory stays constant. What is typed into a cell later stays a
    text, too: a number keeps the zeros that it begins with.
    """
    folder = settings.FILE_UPLOAD_TEMP_DIR
    target = tempfile.NamedTemporaryFile(suffix=".upload.xlsx", dir=folder)  # noqa: SIM115 -- the caller closes it
    try:
        _write(target, rows, str(folder))
    except BaseException:
        # No caller will close it.
        target.close()
        raise
    target.seek(0)
    return target


def _write(target: IO[bytes], rows: Iterable[Sequence[str]], folder: str) -> None:
    options = {"constant_memory": True, "tmpdir": folder}
    with xlsxwriter.Workbook(target, options) as book:
        sheet = book.add_worksheet()
        plain, bold = book.add_format(_AS_TEXT), book.add_format({**_AS_TEXT, "bold": True})
        sheet.freeze_panes(1, 0)
        for number, cells in enumerate(rows):
            if not number:
                sheet.set_column(0, len(cells) - 1, _WIDTH, plain)
            for column, text in enumerate(cells):
                if text:
                    sheet.write_string(number, column, text[:_MOST_LETTERS], plain if number else bold)
