"""The details of a sheet of an .xls file."""

from typing import Final

import xlrd

from alliance.workbooks.details import Details, says_zeros, shown


def details_of(path: str, sheet_name: str) -> Details:
    details = Details()
    with xlrd.open_workbook(path, formatting_info=True, on_demand=True) as book:
        sheet = book.sheet_by_name(sheet_name)
        codes = {
            number: code
            for number, style in enumerate(book.xf_list)
            if (known := book.format_map.get(style.format_key)) and says_zeros(code := known.format_str)
        }
        for row in range(sheet.nrows):
            if (info := sheet.rowinfo_map.get(row)) and info.hidden:
                details.hidden.add(row)
            kinds = sheet.row_types(row)
            for column, kind in enumerate(kinds):
                if kind == xlrd.XL_CELL_ERROR:
                    error = xlrd.error_text_from_code.get(sheet.cell_value(row, column), _ANY_ERROR)
                    details.fail(row, column, error)
                elif kind == xlrd.XL_CELL_NUMBER and (style := sheet.cell_xf_index(row, column)) in codes:
                    details.show(row, column, shown(str(sheet.cell_value(row, column)), codes[style]))
    return details


_ANY_ERROR: Final = "#N/A"
