"""Which rows are written together, by which writer, and what is stored of their references already."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from alliance.database.cluster import is_distributed
from alliance.homes import homes_of
from alliance.tenancy import raw_rows
from parcels.history.ids import Stored, first_id
from parcels.history.names import Identity, ResolvedRow

CHUNK = 1_000
# Chunks of each writer that are read at a time on a cluster. A file is in no order of homes: a chunk of rows
# as they come would touch every shard, and call it for thirty rows.
_CHUNKS_AT_A_TIME = 16

# Without an array of constants, which the planner would compare with the statistics of each month.
_BY_REFERENCE = """
SELECT id, merchant_id, courier_id, reference FROM parcels_parcel
WHERE reference = ANY(ARRAY(SELECT unnest(%s::text[]))) AND reference <> '' AND source = 'history'
"""


class Share:
    """The rows of one writer, of those that are read at a time, in chunks."""

    def __init__(self, rows: Sequence[ResolvedRow]) -> None:
        # One server stores them in one transaction.
        self._rows, self._chunk = (_by_home(rows), CHUNK) if is_distributed() else (rows, len(rows))

    @cached_property
    def stored(self) -> Stored:
        """The parcels with these references. Asked once, by the writer: on a cluster, of all shards."""
        return raw_rows(_BY_REFERENCE, [[row.row.reference for row in self._rows]])

    def chunks(self) -> Iterator[Sequence[ResolvedRow]]:
        """Yield chunks, all rows of one reference in one of them."""
        begin, rows = 0, self._rows
        while begin < len(rows):
            end = begin + self._chunk
            while end < len(rows) and rows[end].identity == rows[end - 1].identity:
                end += 1
            yield rows[begin:end]
            begin = end


def rows_at_a_time(writers: int) -> int:
    """Return how many rows to read before they are divided among writers."""
    return CHUNK * writers * (_CHUNKS_AT_A_TIME if is_distributed() else 1)


def shares(rows: Sequence[ResolvedRow], writers: int) -> list[Share]:
    """Divide rows among writers. A reference may be in a file twice: one writer has to see both."""
    divided: list[list[ResolvedRow]] = [[] for _writer in range(writers)]
    for row in rows:
        divided[hash(row.identity) % writers].append(row)
    return [Share(share) for share in divided]


def _by_home(rows: Sequence[ResolvedRow]) -> list[ResolvedRow]:
    """Sort rows by the home that their parcels most likely get; those of one reference follow each other."""
    places: dict[Identity, tuple[int, int]] = {}
    for row, home in zip(rows, homes_of([first_id(row) for row in rows]), strict=True):
        places.setdefault(row.identity, (home, row.row.line))
    return sorted(rows, key=lambda row: places[row.identity])
