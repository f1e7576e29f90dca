"""The fold: waiting tallies are consumed and added to the on-time rates."""

import time
from typing import NamedTuple

from alliance.tenancy import Scope, raw_rows, scope

# Tallies a transaction, and how long one call may go on before it leaves the rest to the next.
BATCH = 20_000
BUDGET_SECONDS = 60.0
_LOCK = 5_264_003


class Folded(NamedTuple):
    """How many tallies were consumed, in how many transactions, and whether another fold was at it."""

    tallies: int = 0
    batches: int = 0
    busy: bool = False


_COUNTS = ("pending", "met", "late", "overdue", "void", "excused")
_SUMS = ", ".join(f"sum({name})" for name in _COUNTS)
_LISTED = ", ".join(_COUNTS)
_ADDED = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _COUNTS)
_UPSERT = f"""
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, kind, tier_id, origin_id,
        destination_id, due_date, {_LISTED})
    SELECT %s, {_SUMS} FROM taken GROUP BY %s
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET {_ADDED}
    RETURNING 1"""  # noqa: S608 -- built of constants
_COURIER_CELL = "courier_id, NULL::bigint, kind, tier_id, origin_id, destination_id, due_date"
_MERCHANT_CELL = "merchant_id, courier_id, kind, tier_id, NULL::int, NULL::int, due_date"

# Oldest first, so that a count never falls below zero on the way: a change's tally has a higher
# id than the one it builds on.
_FOLD = f"""
WITH taken AS (
    DELETE FROM slas_tally
    WHERE id <= coalesce((SELECT id FROM slas_tally ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {2**63 - 1})
    RETURNING *
),
couriers AS ({_UPSERT % (_COURIER_CELL, "courier_id, kind, tier_id, origin_id, destination_id, due_date")}),
merchants AS ({_UPSERT % (_MERCHANT_CELL, "merchant_id, courier_id, kind, tier_id, due_date")})
SELECT count(*) FROM taken
"""  # noqa: S608 -- built of constants


def fold_tallies(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Add waiting tallies to the on-time rates until none is left or the time is up.

    May run twice, side by side, or be killed anywhere: a tally is consumed and counted in one
    statement, so it counts exactly once.
    """
    until = time.monotonic() + budget
    tallies = batches = 0
    while True:
        with scope(Scope.everything()):
            [(mine,)] = raw_rows("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            if not mine:
                return Folded(tallies, batches, busy=True)
            [(taken,)] = raw_rows(_FOLD, {"limit": limit})
        tallies += taken
        batches += 1 if taken else 0
        if taken < limit or time.monotonic() > until:
            return Folded(tallies, batches)
