"""Add the entries of the ledger to the sums that statements are read from."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from alliance.database.literals import numbers
from alliance.tenancy import raw_rows
from slas.credits.models import ClosedMonth, CreditFold
from slas.credits.months import next_month

# Entries that are read from the ledger at once.
SLICE: Final = 20_000
_ROW: Final = 1
_LAST: Final = "SELECT coalesce(pg_sequence_last_value('slas_creditentry_id_seq'), 0)"
_ADDED_UP: Final = """
SELECT month, merchant_id, courier_id, tier_id, cause, count(*),
    coalesce(sum(amount_fen) FILTER (WHERE amount_fen > 0), 0)::bigint,
    coalesce(sum(amount_fen) FILTER (WHERE amount_fen < 0), 0)::bigint
FROM slas_creditentry
WHERE id > %(after)s AND id <= %(until)s AND month >= %(since)s
GROUP BY month, merchant_id, courier_id, tier_id, cause
"""
_ADD: Final = """
INSERT INTO slas_creditsum (month, merchant_id, courier_id, tier_id, cause, entry_count, credited_fen,
    taken_back_fen)
SELECT * FROM unnest(%(month)s::date[], %(merchant_id)s::bigint[], %(courier_id)s::bigint[],
    %(tier_id)s::int[], %(cause)s::text[], %(entry_count)s::int[], %(credited_fen)s::bigint[],
    %(taken_back_fen)s::bigint[])
ON CONFLICT (merchant_id, month, courier_id, tier_id, cause) DO UPDATE SET
    entry_count = slas_creditsum.entry_count + excluded.entry_count,
    credited_fen = slas_creditsum.credited_fen + excluded.credited_fen,
    taken_back_fen = slas_creditsum.taken_back_fen + excluded.taken_back_fen
"""
_COLUMNS: Final = (
    *("month", "merchant_id", "courier_id", "tier_id", "cause"),
    *("entry_count", "credited_fen", "taken_back_fen"),
)
_TEXTS: Final = {"month", "cause"}


class Amount(NamedTuple):
    """What one entry adds to the sums."""

    month: date
    merchant_id: int
    courier_id: int
    tier_id: int
    cause: str
    fen: int


def add_entries(*, limit: int = SLICE) -> bool:
    """Add the entries that the sums do not have yet, at most so many; return whether there are more.

    Needs the lock of those who write entries: ids are in the order of commits then. Reads the ledger, on a
    cluster of all workers: entries from before there were sums, those of a release that wrote none, and the
    ids of a batch that was undone.
    """
    fold, _made = CreditFold.objects.get_or_create(pk=_ROW, defaults={"since": _first_open()})
    [(last_id,)] = raw_rows(_LAST)
    if fold.last_id >= last_id and fold.is_complete:
        return False
    until = min(last_id, fold.last_id + limit)
    rows = raw_rows(_ADDED_UP, {"after": fold.last_id, "until": until, "since": fold.since})
    if rows:
        raw_rows(_ADD, _columns(rows))
    fold.last_id, fold.is_complete = until, fold.is_complete or until == last_id
    fold.save(update_fields=["last_id", "is_complete"])
    return until < last_id


def level_fold() -> CreditFold | None:
    """Return how far the ledger is added up, if all of it is; needs the lock of add_entries()."""
    [(last_id,)] = raw_rows(_LAST)
    return CreditFold.objects.filter(pk=_ROW, is_complete=True, last_id__gte=last_id).first()


def add_written(fold: CreditFold, amounts: Iterable[Amount]) -> None:
    """Add the entries that this transaction has written since level_fold(), without reading any."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for *key, fen in amounts:
        added = sums.setdefault(tuple(key), [0, 0, 0])
        added[0] += 1
        added[1 if fen > 0 else 2] += fen
    raw_rows(_ADD, _columns([(*key, *added) for key, added in sorted(sums.items())]))
    [(fold.last_id,)] = raw_rows(_LAST)
    fold.save(update_fields=["last_id"])


def _first_open() -> date:
    closed = ClosedMonth.objects.order_by("-month").first()
    return date.min if closed is None else next_month(closed.month)


def _columns(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    return {
        name: list(column) if name in _TEXTS else numbers(column)
        for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    }
