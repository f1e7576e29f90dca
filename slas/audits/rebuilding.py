"""Rebuild the histograms from the commitments, after a release that changes how they are counted.

Counts of outcomes are not changed: their rule stays the same. Each histogram is rebuilt by one statement, so
from one snapshot: changes waiting to be folded are in the commitments already, later ones bring their own
marks.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from alliance.database.retirement import retired_through
from alliance.tenancy import Scope, raw_rows, scope
from slas.commitments.landmarks import sql_progress_marks
from slas.commitments.sql_counts import COUNTS, marks
from slas.forecasts.services.folding import kept_from

# Blocks folds; readers and inserts into the queues continue.
_LOCK: Final = "LOCK TABLE slas_ontimerate, slas_progress IN SHARE ROW EXCLUSIVE MODE"
_LANE: Final = "kind, tier_id, origin_id, destination_id, due_date"
_KEY: Final = f"organisation_id, counterpart_id, {_LANE}"
_COUNTS: Final = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)


def _of(alias: str, columns: str) -> str:
    """Return columns of a table: subqueries of a cluster have to say whose they are."""
    return ", ".join(f"{alias}.{column}" for column in columns.split(", "))


# A missing cell has changes waiting to be folded: its counts come with them.
_CELLS: Final = f"""
WITH waiting AS (UPDATE slas_tally SET marks = NULL WHERE marks IS NOT NULL AND due_date > %(after)s),
marked AS MATERIALIZED (
    SELECT merchant_id, courier_id, {_LANE}, mark
    FROM slas_commitment, unnest(ARRAY[{", ".join(marks("outcome").values())}]) AS m (mark)
    WHERE mark IS NOT NULL AND due_date > %(after)s
),
expected AS MATERIALIZED (
    SELECT {_KEY}, array_agg(mark) AS marks FROM (
        SELECT courier_id AS organisation_id, NULL::bigint AS counterpart_id, {_LANE}, mark FROM marked
        UNION ALL SELECT merchant_id, courier_id, {_LANE}, mark FROM marked
    ) AS x GROUP BY {_KEY}
),
emptied AS (
    UPDATE slas_ontimerate r SET marks = NULL
    WHERE marks IS NOT NULL AND due_date > %(after)s AND NOT EXISTS (
        SELECT 1 FROM expected e
        WHERE (e.organisation_id, coalesce(e.counterpart_id, 0), {_of("e", _LANE)})
            = (r.organisation_id, coalesce(r.counterpart_id, 0), {_of("r", _LANE)}))
),
written AS (
    INSERT INTO slas_ontimerate ({_KEY}, marks, {", ".join(_COUNTS)})
    SELECT {_KEY}, marks, {", ".join("0" for _count in _COUNTS)} FROM expected
    ON CONFLICT (organisation_id, due_date, kind, tier_id, counterpart_id, origin_id, destination_id)
    DO UPDATE SET marks = excluded.marks
    RETURNING 1
)
SELECT count(*) FROM written
"""  # noqa: S608 -- built of constants

_DAY: Final = "courier_id, due_date, tier_id, origin_id, destination_id"
_PROGRESS: Final = f"""
WITH waiting AS (DELETE FROM slas_progresstally WHERE due_date > %(after)s),
counted AS (
    SELECT {_DAY}, mark, count(*)::int AS count
    FROM slas_commitment, unnest(ARRAY[{", ".join(sql_progress_marks("outcome").values())}]) AS m (mark)
    WHERE mark IS NOT NULL AND due_date > %(after)s GROUP BY {_DAY}, mark
),
expected AS MATERIALIZED (
    SELECT {_DAY}, array_agg(mark) AS marks, array_agg(count) AS counts FROM counted GROUP BY {_DAY}
),
emptied AS (
    DELETE FROM slas_progress p WHERE due_date > %(after)s AND NOT EXISTS (
        SELECT 1 FROM expected e WHERE ({_of("e", _DAY)}) = ({_of("p", _DAY)}))
),
written AS (
    INSERT INTO slas_progress ({_DAY}, marks, counts) SELECT {_DAY}, marks, counts FROM expected
    ON CONFLICT ({_DAY}) DO UPDATE SET marks = excluded.marks, counts = excluded.counts
    RETURNING 1
)
SELECT count(*) FROM written
"""  # noqa: S608 -- built of constants


class Rebuilt(NamedTuple):
    """How many cells have marks of lateness or excuses, and how many have progress."""

    cells: int
    progress: int


def rebuild_histograms() -> Rebuilt:
    """Rebuild lateness, excuses and progress from the commitments in the database.

    May run at any time, and again. Days that include retired parcels stay as they are.
    """
    with scope(Scope.everything()):
        raw_rows(_LOCK)
        after = retired_through()
        [(cells,)] = raw_rows(_CELLS, {"after": after})
        [(progress,)] = raw_rows(_PROGRESS, {"after": max(after, kept_from() - timedelta(days=1))})
    return Rebuilt(cells, progress)
