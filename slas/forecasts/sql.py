"""SQL of the fold of progress tallies: see slas.rates.sql."""

from typing import Final

from slas.rates.sql import BY_INDEX, Queue, oldest, taken_before, taking

_CELL: Final = "courier_id, due_date, tier_id, origin_id, destination_id"
# Marks that cancel out, within a batch or with what a cell holds, leave no row behind.
_COUNTED: Final = f"""
    SELECT {_CELL}, abs(mark) AS mark, sum(sign(mark))::int AS count
    FROM taken, unnest(marks) AS m (mark)
    GROUP BY {_CELL}, abs(mark) HAVING sum(sign(mark)) <> 0"""  # noqa: S608 -- built of constants
_ADDED: Final = f"""added AS (
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
)"""  # noqa: S608 -- built of constants
_COLUMNS: Final = {
    **{"courier_id": "bigint", "due_date": "date"},
    **{"tier_id": "int", "origin_id": "int", "destination_id": "int", "mark": "int", "count": "int"},
}

PROGRESS: Final = Queue(
    planning=BY_INDEX,
    fold=f"""
WITH taken AS (
    DELETE FROM slas_progresstally WHERE {oldest("slas_progresstally")} RETURNING *
),
counted AS ({_COUNTED}
),
{_ADDED}
SELECT count(*) FROM taken
""",  # noqa: S608 -- built of constants
    take=taking("slas_take_progress", queue="slas_progresstally", sums=_COUNTED, columns=_COLUMNS),
    add=f"WITH counted AS ({taken_before(_COLUMNS)}), {_ADDED} SELECT 1",  # noqa: S608 -- of constants
)
