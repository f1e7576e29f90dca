"""Answers that are CSV or a workbook, for callers who ask for such by `Accept`."""

from alliance.workbooks.writing import CONTENT_TYPE
from parcels.api.labels import FileNegotiation


class SheetNegotiation(FileNegotiation):
    types = ("application/json", "text/csv", CONTENT_TYPE)
