"""The floors: the necessary changes of the same rows by bare SQL, with the same role and policies.

Each is rolled back. Import after django.setup().
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from django.db import transaction

from alliance.tenancy import Actor, Scope, raw_rows, scope
from slas.commitments.sql_counts import COUNTS
from slas.models import OnTimeRate

_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
_SWEEP = """
WITH due AS (
    UPDATE slas_commitment SET outcome = 'overdue' WHERE outcome = 'pending' AND due_at < %(now)s RETURNING *
)
INSERT INTO slas_breach (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, opened_at)
SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, %(now)s FROM due
RETURNING 1
"""
_COUNTED = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)
_LANE = "kind, tier_id, origin_id, destination_id, due_date"
_CELLS = """
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, {lane}, {counts})
    SELECT {organisation}, {counterpart}, {lane}, {sums} FROM taken GROUP BY {by}, {lane}
    ORDER BY {organisation}, due_date, kind, tier_id, {counterpart}, origin_id, destination_id
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET {added}"""


def _cells(organisation: str, counterpart: str, by: str) -> str:
    return _CELLS.format(
        organisation=organisation,
        counterpart=counterpart,
        by=by,
        lane=_LANE,
        counts=", ".join(_COUNTED),
        sums=", ".join(f"sum({name})" for name in _COUNTED),
        added=", ".join(f"{name} = r.{name} + excluded.{name}" for name in _COUNTED),
    )


_FOLD = f"""
WITH taken AS (DELETE FROM slas_tally RETURNING *),
couriers AS ({_cells("courier_id", "NULL::bigint", "courier_id")}),
merchants AS ({_cells("merchant_id", "courier_id", "merchant_id, courier_id")})
SELECT count(*) FROM taken
"""
_PROGRESS = """
WITH taken AS (DELETE FROM slas_progresstally RETURNING *),
moved AS (
    INSERT INTO moved (courier_id, due_date, tier_id, origin_id, destination_id, marks, counts)
    SELECT courier_id, due_date, tier_id, origin_id, destination_id, marks, marks FROM taken
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM taken
"""
_CREDITS = """
WITH taken AS (DELETE FROM slas_creditcheck RETURNING *),
written AS (
    INSERT INTO slas_creditentry (parcel_id, kind, merchant_id, courier_id, tier_id, schedule_id, amount_fen,
        cause, late_by, due_at, at, month)
    SELECT parcel_id, kind, merchant_id, courier_id, 1, 1, 125, 'overdue', 3600, now(), now(),
        date_trunc('month', now())
    FROM taken
)
SELECT count(*) FROM taken
"""


def sweeps_a_second(now: datetime) -> float:
    """Return how many commitments per second are marked overdue and get a breach."""
    with _rolled_back():
        raw_rows(_BY_INDEX)
        begun = time.perf_counter()
        return len(raw_rows(_SWEEP, {"now": now})) / (time.perf_counter() - begun)


@contextmanager
def set_aside(queue: str) -> Iterator[None]:
    """Empty a queue while the block runs, which puts it back part by part."""
    with scope(Scope.everything()):
        raw_rows(f"CREATE TEMPORARY TABLE aside AS SELECT *, row_number() OVER () AS place FROM {queue}")  # noqa: S608 -- one of ours
        raw_rows(f"DELETE FROM {queue}")  # noqa: S608
        raw_rows(f"CREATE TEMPORARY TABLE part (LIKE {queue})")
    yield
    raw_rows("DROP TABLE aside")
    raw_rows("DROP TABLE part")


def take_part(turn: int, turns: int) -> None:
    """Choose the part of the queue for put_back() and for the floors."""
    with scope(Scope.everything()):
        raw_rows("TRUNCATE part")
        [(columns,)] = raw_rows(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = 'part'::regclass AND attnum > 0"
        )
        raw_rows(f"INSERT INTO part SELECT {columns} FROM aside WHERE place %% %s = %s", [turns, turn])  # noqa: S608


def put_back(queue: str) -> None:
    """Put the part into the queue."""
    with scope(Scope.everything()):
        raw_rows(f"INSERT INTO {queue} SELECT * FROM part")  # noqa: S608


def folds_a_second() -> float:
    """Return how many tallies of the part per second are added to the cells, without histograms."""
    with _rolled_back():
        raw_rows("INSERT INTO slas_tally SELECT * FROM part")
        return _items_a_second(_FOLD)


def progress_a_second() -> float:
    """Return how many progress tallies of the part per second are moved to a table without merging."""
    with _rolled_back():
        raw_rows("INSERT INTO slas_progresstally SELECT * FROM part")
        raw_rows("CREATE TABLE moved (LIKE slas_progress INCLUDING ALL)")
        return _items_a_second(_PROGRESS)


def credits_a_second() -> float:
    """Return how many checks of the part per second are deleted and get a ledger entry, of any amount."""
    with _rolled_back():
        raw_rows("INSERT INTO slas_creditcheck SELECT * FROM part")
        return _items_a_second(_CREDITS)


def cells_since(actor: Actor, first: date) -> int:
    """Count the cells that an actor's figures since a day sum up."""
    return (
        OnTimeRate.objects.in_grain(actor, by_merchant=actor.is_merchant).filter(due_date__gte=first).count()
    )


@contextmanager
def _rolled_back() -> Iterator[None]:
    with scope(Scope.everything()):
        yield
        transaction.set_rollback(True)


def _items_a_second(statement: str) -> float:
    begun = time.perf_counter()
    [(items,)] = raw_rows(statement)
    return float(items) / (time.perf_counter() - begun)
