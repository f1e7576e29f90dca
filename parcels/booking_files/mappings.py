"""Which of a file's columns are which of ours, and the values for what the file does not say. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from alliance.csv_cells import read_cell, read_code
from alliance.csv_files.columns import REMARK, column_key
from alliance.texts import is_blank
from alliance.workbooks.cells import MARK, CellKind, SheetRow, mark_of, marked, text_in
from parcels.booking_files.addresses import address_of, city_in
from parcels.booking_files.columns import COLUMNS, FORMAT, REQUIRED

# What a file's column may be beside one of ours.
WEIGHT_KG: Final = "weight_kg"
ADDRESS_WITH_CITY: Final = "address_with_city"
TARGETS: Final = (*COLUMNS, WEIGHT_KG, ADDRESS_WITH_CITY)
# Columns that several of the file make together: a first and a last name, two lines of an address.
JOINED: Final = frozenset({"recipient_name", "recipient_address", ADDRESS_WITH_CITY})
# What a template may give a value.
VALUES: Final = ("tier", "origin", "weight_g", "courier", "pickup_address", "if_full", "declared_value")
_TEXTS: Final = frozenset({"reference", "recipient_name", "recipient_phone", "recipient_address"})
_MOMENTS: Final = frozenset({"ready_at", "expected_deliver_by"})
# Whole as they are: numbers of mobile phones and hotlines, and six digits of a postcode.
WHOLE_PHONE: Final = re.compile(r"(?:86)?1[3-9][0-9]{9}|[48]00[0-9]{7}")
_POSTCODE: Final = re.compile(r"[1-9][0-9]{5}")
_PIECES: Final = COLUMNS.index("pieces")
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How a file's columns become ours.

    `columns` are pairs of a name in the file and one of TARGETS, the first of several first. A value of
    `values` fills what the file leaves empty. With `one_row_each`, as shops' exports have a row for each
    article, the rows of a reference that follow its first one are left out.
    """

    columns: tuple[tuple[str, str], ...]
    values: Mapping[str, str] = field(default_factory=dict)
    takes_numbers: bool = False
    one_row_each: bool = False

    @property
    def missing(self) -> list[str]:
        """What neither a column nor a value gives."""
        given = {target for _name, target in self.columns} | {
            name for name, text in self.values.items() if text
        }
        if WEIGHT_KG in given:
            given.add("weight_g")
        if ADDRESS_WITH_CITY in given:
            given |= {"recipient_address", "destination"}
        if "pickup_address" in given:
            given.add("origin")
        return [name for name in REQUIRED if name not in given]


def fitted(mapping: ColumnMapping, header: Sequence[str]) -> ColumnMapping:
    """A template's mapping for one file: ours where it has those alone, otherwise what is there of it."""
    if own := own_mapping(header):
        return replace(own, values=mapping.values)
    keys = set(map(column_key, header))
    return replace(mapping, columns=tuple(pair for pair in mapping.columns if column_key(pair[0]) in keys))


def own_mapping(header: Sequence[str]) -> ColumnMapping | None:
    """The mapping of a file with columns of ours alone; None for any other."""
    found = [FORMAT.by_key.get(column_key(name), "") for name in header if name]
    if not found or "" in found or len(set(found)) < len(found):
        return None
    pairs = tuple((name, FORMAT.by_key[column_key(name)]) for name in header if name)
    return ColumnMapping(tuple(pair for pair in pairs if pair[1] != REMARK))


def converted(
    header: Sequence[str],
    rows: Iterable[SheetRow],
    mapping: ColumnMapping,
    is_closed: Callable[[Sequence[str]], bool] = lambda _cells: False,
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row under COLUMNS, with its number; a row that is nobody's parcel is left out.

    A row whose cells `is_closed` is of an order that is not to be sent: it is marked. Under our columns a row
    may be the same as the one before it although the file's were not: it gets a number of parcels, as it is
    no copy.
    """
    sources = _places(header, mapping)
    others = _other_places(header, sources)
    last, before = "", _Said([], [])
    for row in rows:
        cells = {target: _cell(target, places, row.cells, mapping) for target, places in sources.items()}
        _derive(cells)
        if mapping.one_row_each:
            reference = cells.get("reference", "")
            if reference and reference == last:
                continue
            last = reference
        for name, value in mapping.values.items():
            if value and is_blank(cells.get(name, "")):
                cells[name] = value
        result = [cells.get(name, "") for name in COLUMNS]
        said = _Said(result, [row.cells[place] for place in others if place < len(row.cells)])
        if result == before.ours and said.rest != before.rest and not result[_PIECES]:
            result = [*result[:_PIECES], "1", *result[_PIECES + 1 :]]
        before = said
        if mark_of(next(iter(row.cells), "")) is CellKind.UNREADABLE_ROW:
            result = [row.cells[0], *result[1:]]
        elif row.is_hidden:
            result = [marked(CellKind.HIDDEN_ROW, text_in(result[0])), *result[1:]]
        elif is_closed(row.cells):
            result = [marked(CellKind.CLOSED_ROW, text_in(result[0])), *result[1:]]
        yield row.number, result


class _Said(NamedTuple):
    """What a row has under our columns, and under those of which nothing is taken."""

    ours: list[str]
    rest: list[str]


def _other_places(header: Sequence[str], sources: Mapping[str, Sequence[int]]) -> list[int]:
    """Where the cells are of which nothing is taken, but for our own remarks."""
    taken = {place for places in sources.values() for place in places}
    remarks = {place for place, name in enumerate(header) if FORMAT.by_key.get(column_key(name)) == REMARK}
    return [place for place in range(len(header)) if place not in taken | remarks]


def _places(header: Sequence[str], mapping: ColumnMapping) -> dict[str, list[int]]:
    """Where the cells of each target are in a row."""
    by_key: dict[str, int] = {}
    for place, name in enumerate(header):
        by_key.setdefault(column_key(name), place)
    result: dict[str, list[int]] = {}
    for name, target in mapping.columns:
        if (found := by_key.get(column_key(name))) is not None:
            result.setdefault(target, []).append(found)
    return result


def _cell(target: str, places: Sequence[int], cells: Sequence[str], mapping: ColumnMapping) -> str:
    if len(places) == 1:
        [place] = places
        cell = cells[place] if place < len(cells) else ""
        return _readable(target, cell, mapping) if cell[:1] == MARK else cell
    texts = [_readable(target, cells[place], mapping) for place in places if place < len(cells)]
    # Shops put what keeps a spreadsheet from reading a number into empty cells as well.
    filled = [text for text in texts if not is_blank(text if mark_of(text) else read_cell(text))]
    if len(filled) < 2 or target not in JOINED:
        return filled[0] if filled else ""
    if unreadable := next((text for text in filled if mark_of(text)), ""):
        return unreadable
    parts = list(dict.fromkeys(read_cell(text).strip() for text in filled))
    if target == ADDRESS_WITH_CITY:
        return address_of(parts)
    return ("" if _CHINESE.search(parts[0][-1:]) else " ").join(parts)


def _readable(target: str, cell: str, mapping: ColumnMapping) -> str:
    """A cell without its mark where that does not matter."""
    kind, text = mark_of(cell), text_in(cell)
    if kind is None or kind in (CellKind.ERROR, CellKind.SHORTENED):
        return cell
    if kind is CellKind.NUMBER:
        return cell if target in _TEXTS and not _is_whole(target, text, mapping) else text
    return text if kind is CellKind.DATE and target in _MOMENTS else cell


def _is_whole(target: str, number: str, mapping: ColumnMapping) -> bool:
    if target == "recipient_phone":
        return WHOLE_PHONE.fullmatch(number) is not None
    if target == "recipient_address":
        return _POSTCODE.fullmatch(number) is not None
    return target == "reference" and mapping.takes_numbers and number.isdigit()


def _derive(cells: dict[str, str]) -> None:
    """Fill our columns from what is another one's: kilograms, and the city within an address."""
    kilograms, address = cells.pop(WEIGHT_KG, ""), cells.pop(ADDRESS_WITH_CITY, "")
    if kilograms and is_blank(cells.get("weight_g", "")):
        cells["weight_g"] = _grams(kilograms)
    if address:
        cells.setdefault("recipient_address", address)
        if is_blank(cells.get("destination", "")):
            cells["destination"] = city_in(read_cell(address))


def _grams(text: str) -> str:
    """Whole grams of a number of kilograms; what is no number stays, to be rejected as it is."""
    try:
        grams = Decimal(read_code(text).lower().removesuffix("kg").rstrip()) * 1000
    except InvalidOperation:
        return text
    return str(int(grams.to_integral_value())) if grams.is_finite() else text
