"""Which rows of a file are written together on a cluster."""

from datetime import UTC, datetime, timedelta

import pytest

from alliance.homes import home_of
from alliance.models import City
from parcels.history import shares
from parcels.history.ids import first_id
from parcels.history.names import ResolvedRow
from parcels.history.rows import HistoryRow
from parcels.history.shares import Share

BOOKED_AT = datetime(2026, 10, 1, tzinfo=UTC)


def resolved(line: int, reference: str) -> ResolvedRow:
    row = HistoryRow(
        line=line,
        reference=reference,
        merchant="lotus",
        courier="swift",
        tier="standard",
        origin="",
        destination="",
        booked_at=BOOKED_AT + timedelta(minutes=line),
        promised_by=BOOKED_AT + timedelta(days=9),
    )
    return ResolvedRow(row, 1, 2, 3, City(), City())


@pytest.fixture
def rows() -> list[ResolvedRow]:
    """Sixty rows, of which ten references are there twice."""
    return [resolved(number, f"r{number % 50}") for number in range(60)]


def test_chunk_has_few_homes_and_all_rows_of_its_references(
    monkeypatch: pytest.MonkeyPatch, rows: list[ResolvedRow]
) -> None:
    monkeypatch.setattr(shares, "is_distributed", lambda: True)
    monkeypatch.setattr(shares, "CHUNK", 7)
    chunks = [[*chunk] for chunk in Share(rows).chunks()]
    assert sorted(row.row.line for chunk in chunks for row in chunk) == [*range(60)]
    references = [{row.row.reference for row in chunk} for chunk in chunks]
    assert sum(map(len, references)) == len(set().union(*references)) == 50
    lines: dict[str, int] = {}
    homes = []
    for row in (row for chunk in chunks for row in chunk):
        # The row that came first in the file comes first.
        if row.row.reference not in lines:
            homes.append(home_of(first_id(row)))
        assert lines.setdefault(row.row.reference, row.row.line) <= row.row.line
    assert homes == sorted(homes)


def test_one_server_stores_a_share_as_it_is(rows: list[ResolvedRow], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "is_distributed", lambda: False)
    monkeypatch.setattr(shares, "CHUNK", 7)
    assert [*Share(rows).chunks()] == [rows]
