"""The ids of imported parcels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.utils.translation import gettext as _

from alliance.identifiers import history_parcel_id, tracking_number
from alliance.tenancy import raw_rows
from parcels.bookings.models import Parcel
from parcels.history.names import Identity, ResolvedRow
from parcels.history.rows import Problem

# Id, merchant, courier and reference of parcels.
Stored = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row with its parcel's id, and whether a parcel of this identity was there before."""

    id: int
    of: ResolvedRow
    is_known: bool


class Ids:
    """Ids of a chunk's parcels: for each row, the first id of its sequence that no other parcel has."""

    def __init__(self, rows: Sequence[ResolvedRow], of_references: Stored) -> None:
        first = [first_id(row) for row in rows]
        of_ids: Stored = raw_rows(
            "SELECT id, merchant_id, courier_id, reference FROM parcels_parcel WHERE id = ANY(%s)", [first]
        )
        stored = [*of_ids, *of_references]
        self._owner: dict[int, Identity] = {row[0]: (row[1], row[2], row[3]) for row in stored}
        self._stored: dict[Identity, int] = {name: parcel_id for parcel_id, name in self._owner.items()}
        self._lines: dict[Identity, int] = {}

    def place(self, row: ResolvedRow, problems: list[Problem]) -> PlacedRow | None:
        """Return the row with its id; None, with a problem, if its reference belongs to another parcel."""
        identity, line = row.identity, row.row.line
        if identity in self._lines:
            message = _("Line %(line)d already has this reference of the same merchant and courier.")
            problems.append(Problem(line, "reference", message % {"line": self._lines[identity]}))
            return None
        parcel_id = self._free(row)
        stored_id = self._stored.get(identity)
        if stored_id not in (None, parcel_id):
            message = _("This reference was imported with a different booking time, as %(number)s.")
            number = tracking_number(stored_id)
            problems.append(Problem(line, "reference", message % {"number": number}))
            return None
        self._owner[parcel_id] = identity
        self._lines[identity] = line
        return PlacedRow(parcel_id, row, is_known=stored_id is not None)

    def _free(self, row: ResolvedRow) -> int:
        for attempt in count():
            parcel_id = _candidate(row, attempt)
            if attempt and parcel_id not in self._owner:
                self._look_up(parcel_id)
            if self._owner.get(parcel_id, row.identity) == row.identity:
                return parcel_id
        raise AssertionError("the sequence of ids does not end")

    def _look_up(self, parcel_id: int) -> None:
        stored = (
            Parcel.objects.filter(pk=parcel_id).values_list("merchant_id", "courier_id", "reference").first()
        )
        if stored is not None:
            self._owner[parcel_id] = stored
            self._stored[stored] = parcel_id


def first_id(row: ResolvedRow) -> int:
    """Return the id that a row's parcel has, if no other parcel has it."""
    return _candidate(row, 0)


def _candidate(row: ResolvedRow, attempt: int) -> int:
    # Derived from ids, not from names in the file: a merchant may be renamed between two imports.
    key = f"{row.merchant_id}|{row.courier_id}|{row.row.reference}"
    return history_parcel_id(row.row.booked_at, key, attempt=attempt)
