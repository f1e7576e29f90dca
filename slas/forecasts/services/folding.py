"""Fold progress tallies into the histograms that forecasts are made from.

Separate from folding the on-time rates: each delivery adds up to nine marks, and they are not needed before
the day is over, as forecasts read only the days before today.
"""

from datetime import date, timedelta
from typing import Final

from django.utils import timezone

from alliance.locks import Lock
from alliance.tenancy import raw_rows
from slas.rates.services.folding import BATCH, BUDGET_SECONDS, BY_INDEX, Folded, fold, oldest

# Late parcels change days of some weeks ago; after that no forecast reads the day.
KEPT: Final = timedelta(days=60)

_CELL: Final = "courier_id, due_date, tier_id, origin_id, destination_id"
# Marks that cancel out, within a batch or with what a cell holds, leave no row behind.
_FOLD: Final = f"""
WITH taken AS (
    DELETE FROM slas_progresstally WHERE {oldest("slas_progresstally")} RETURNING *
),
counted AS (
    SELECT {_CELL}, abs(mark) AS mark, sum(sign(mark))::int AS count
    FROM taken, unnest(marks) AS m (mark)
    GROUP BY {_CELL}, abs(mark) HAVING sum(sign(mark)) <> 0
),
added AS (
    INSERT INTO slas_progress AS p ({_CELL}, marks, counts)
    SELECT {_CELL}, array_agg(mark), array_agg(count) FROM counted GROUP BY {_CELL} ORDER BY {_CELL}
    ON CONFLICT ({_CELL}) DO UPDATE SET (marks, counts) = (
        SELECT coalesce(array_agg(mark), '{{}}'), coalesce(array_agg(count), '{{}}')
        FROM (
            SELECT mark, sum(count)::int AS count
            FROM unnest(p.marks || excluded.marks, p.counts || excluded.counts) AS m (mark, count)
            GROUP BY mark HAVING sum(count) <> 0
        ) AS merged
    )
    RETURNING 1
)
SELECT count(*) FROM taken
"""  # noqa: S608 -- built of constants


def fold_progress(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Fold waiting progress tallies until none is left or the time is up."""
    return fold(_FOLD, planner_settings=BY_INDEX, lock=Lock.FOLD_PROGRESS, limit=limit, budget=budget)


def kept_from() -> date:
    """Return the due date from which progress is kept: forecasts look back 28 days."""
    return timezone.localdate() - KEPT


def forget_progress() -> int:
    """Delete progress older than any forecast reads; return the number of cells."""
    return len(raw_rows("DELETE FROM slas_progress WHERE due_date < %s RETURNING 1", [kept_from()]))
