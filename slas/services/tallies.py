"""The fold: waiting tallies are consumed and added to the on-time rates and the histograms."""

import time
from datetime import date, timedelta
from typing import NamedTuple

from django.utils import timezone

from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import Measure
from slas.counting import COUNTS
from slas.histograms import MEASURE_STEP

# Tallies a transaction, and how long one call may go on before it leaves the rest to the next. The more at
# once, the more of them fall into the same cells.
BATCH = 50_000
BUDGET_SECONDS = 60.0
_LOCK = 5_264_003
# Parcels that come late change cohorts of some weeks ago; then those are nobody's forecast.
DURATIONS_KEPT = timedelta(days=60)


class Folded(NamedTuple):
    """How many tallies were consumed, in how many transactions, and whether another fold was at it."""

    tallies: int = 0
    batches: int = 0
    busy: bool = False


_SUMMED = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)
_SUMS = ", ".join(f"sum({name})" for name in _SUMMED)
_ADDED = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _SUMMED)
_LANE = "kind, tier_id, origin_id, destination_id, due_date"
# The queue by its key. It is mostly empty, and full of what was consumed: its statistics say nothing.
_BY_INDEX = """
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off
"""


def _cells(organisation: str, counterpart: str, by: str) -> str:
    # In the order of the key: neighbours are found, and laid down, on the same pages.
    return f"""
    INSERT INTO slas_ontimerate AS r (organisation_id, counterpart_id, {_LANE}, {", ".join(_SUMMED)})
    SELECT {organisation}, {counterpart}, {_LANE}, {_SUMS} FROM taken GROUP BY {by}, {_LANE}
    ORDER BY {organisation}, due_date, kind, tier_id, {counterpart}, origin_id, destination_id
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET {_ADDED}
    RETURNING 1"""  # noqa: S608 -- built of constants


def _bins(organisation: str, counterpart: str, by: str, which: str) -> str:
    # What went up and down again in one batch leaves no bin of nothing behind.
    return f"""
    INSERT INTO slas_histogrambin AS r (organisation_id, counterpart_id, {_LANE}, measure, bin, count)
    SELECT {organisation}, {counterpart}, {_LANE}, measure, bin, sum(step)
    FROM marked WHERE {which} GROUP BY {by}, {_LANE}, measure, bin HAVING sum(step) <> 0
    ORDER BY {organisation}, measure, due_date, kind, tier_id, {counterpart}, origin_id, destination_id, bin
    ON CONFLICT (organisation_id, measure, due_date, kind, tier_id, counterpart_id, origin_id,
        destination_id, bin)
    DO UPDATE SET count = r.count + excluded.count
    RETURNING 1"""  # noqa: S608 -- built of constants


# Oldest first, so that a count never falls below zero on the way: a change's tally has a higher
# id than the one it builds on.
_FOLD = f"""
WITH taken AS (
    DELETE FROM slas_tally
    WHERE id <= coalesce((SELECT id FROM slas_tally ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {2**63 - 1})
    RETURNING *
),
marked AS (
    SELECT merchant_id, courier_id, {_LANE}, sign(mark)::int AS step,
        abs(mark) / {MEASURE_STEP} AS measure, abs(mark) %% {MEASURE_STEP} AS bin
    FROM taken, unnest(marks) AS m (mark)
    WHERE mark IS NOT NULL
),
couriers AS ({_cells("courier_id", "NULL::bigint", "courier_id")}),
merchants AS ({_cells("merchant_id", "courier_id", "merchant_id, courier_id")}),
courier_bins AS ({_bins("courier_id", "NULL::bigint", "courier_id", "true")}),
-- How long couriers take is kept of couriers alone.
merchant_bins AS ({
    _bins("merchant_id", "courier_id", "merchant_id, courier_id", f"measure < {Measure.PROGRESS}")
})
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
            raw_rows(_BY_INDEX)
            [(taken,)] = raw_rows(_FOLD, {"limit": limit})
        tallies += taken
        batches += 1 if taken else 0
        if taken < limit or time.monotonic() > until:
            return Folded(tallies, batches)


def durations_kept_from() -> date:
    """Return the due date from which histograms of durations are kept: forecasts look back 28 days."""
    return timezone.localdate() - DURATIONS_KEPT


def forget_durations() -> int:
    """Drop the histograms of durations that no forecast looks at any more; return how many bins."""
    rows = raw_rows(
        "DELETE FROM slas_histogrambin WHERE measure >= %s AND due_date < %s RETURNING 1",
        [Measure.PROGRESS, durations_kept_from()],
    )
    return len(rows)
