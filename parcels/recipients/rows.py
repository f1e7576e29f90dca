"""The format of files of recipients, and the reader of their rows."""

from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from alliance.cities import CityFinder, UnknownCity
from alliance.csv_cells import read_cell, read_code
from alliance.csv_files.columns import FileFormat
from alliance.csv_files.records import RowProblem, detail_and_remedy
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.text_faults import fault_of
from alliance.texts import one_line, shortened
from alliance.workbooks.cells import CellKind, SheetRow, mark_of, text_in
from parcels.booking_files.mappings import WHOLE_PHONE
from parcels.recipients.rules import Entry, problems_of

COLUMNS: Final = ("name", "phone", "city", "address", "remark")
# Worked through in the request: the worst, whose phones are all wrong, take some seconds.
MAX_ROWS: Final = 10_000
MAX_BYTES: Final = 4 * 1024 * 1024
SAMPLE: Final = ("王小明", "138 0000 1101", "CN-HGH", "文三路 90 号 1203 室", "")
_NAMES: Final = {
    "name": "recipient, recipient name, receiver, consignee, contact, full name, 收件人, 收货人, 联系人,"
    " 收货人姓名, 姓名",
    "phone": "recipient phone, phone number, mobile, mobile phone, tel, telephone, 手机, 手机号, 手机号码,"
    " 电话, 联系电话, 收货电话, 收货人电话",
    "city": "destination, recipient city, to city, 城市, 收件城市, 收货城市, 目的城市",
    "address": "recipient address, street, street address, 地址, 详细地址, 收货地址, 收货人地址",
    "remark": "note, notes, comment, remarks, 说明, 备忘",
}
# What the columns are called in files for Chinese readers comes last: those are written, all are read.
FORMAT: Final = FileFormat(
    columns=COLUMNS,
    required=COLUMNS[:4],
    max_lines=10 * MAX_ROWS,
    labels={
        **{other.strip(): column for column, names in _NAMES.items() for other in names.split(",")},
        "收件人姓名": "name",
        "收件人电话": "phone",
        "收件人城市": "city",
        "收件人地址": "address",
        "备注": "remark",
    },
)
_SHOWN: Final = 40
_NOWHERE: Final = City()


class RowReader:
    """Reads the rows of one file; each city is looked up once."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._cities = CityFinder()

    def read(self, row: SheetRow) -> tuple[str, Entry | InvalidInput]:
        """Return a row's name as it stands there, and its recipient or all that is wrong with it."""
        if mark_of(next(iter(row.cells), "")) is CellKind.UNREADABLE_ROW:
            problem = RowProblem(text_in(row.cells[0]))
            return "", InvalidInput(errors=[FieldError("", detail_and_remedy(problem), problem.value)])
        cells = dict(zip(self._columns, row.cells, strict=False))
        name = shortened(one_line(text_in(cells.get("name", ""))), _SHOWN)
        if row.is_hidden:
            message = _("This row is hidden in the workbook.") + " " + _("Show the row, or delete it.")
            return name, InvalidInput(errors=[FieldError("", message, CellKind.HIDDEN_ROW.name.lower())])
        errors = [error for column, cell in cells.items() for error in _damage(column, cell)]
        city = self._city(read_code(text_in(cells.get("city", ""))), errors)
        entry = Entry.written(
            name=read_cell(text_in(cells.get("name", ""))),
            phone=text_in(cells.get("phone", "")),
            city=city,
            address=read_cell(text_in(cells.get("address", ""))),
            remark=read_cell(text_in(cells.get("remark", ""))),
        )
        damaged = {error.field for error in errors}
        errors += [error for error in problems_of(entry) if error.field not in damaged]
        return name, InvalidInput(errors=errors) if errors else entry

    def _city(self, text: str, errors: list[FieldError]) -> City:
        if not text:
            errors.append(FieldError("/city", _("This field is required."), "required"))
            return _NOWHERE
        if fault := fault_of(text):
            errors.append(FieldError("/city", fault.message, fault.code))
            return _NOWHERE
        try:
            return self._cities.find(text)
        except UnknownCity as unknown:
            errors.append(FieldError("/city", str(unknown), unknown.code))
            return _NOWHERE


def _damage(column: str, cell: str) -> list[FieldError]:
    """What a spreadsheet has made of a cell."""
    kind, text = mark_of(cell), text_in(cell)
    is_phone = column == "phone"
    if kind is CellKind.ERROR:
        message = _("This is an error of a spreadsheet, not a value.")
    elif kind is CellKind.SHORTENED:
        message = _("A spreadsheet has shortened this number.")
        message += " " + _("Format the column as text, then enter the number again.")
    elif kind is CellKind.NUMBER and is_phone and not WHOLE_PHONE.fullmatch(text):
        message = _("This cell is a number: zeros at its beginning may be lost.")
        message += " " + _("Format the column as text, then check the number.")
    elif kind is CellKind.DATE and column != "remark":
        message = _("This cell is a date, not a text.")
        message += " " + _("Format the column as text, then enter it again.")
    else:
        return []
    return [FieldError(f"/{column}", message, kind.name.lower())]
