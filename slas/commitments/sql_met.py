"""PL/pgSQL that settles one commitment of which nothing is known but that it is pending, and which is met.

Nearly all are. It is what `slas.commitments.sql.settlement` does with such a one, and has its expressions: no
breach opens or closes, nothing is paid, there are no marks of lateness. What was before is NULL, and the
planner leaves out what that decides.
"""

from collections.abc import Mapping
from typing import Final

from slas.choices import CommitmentKind
from slas.commitments.landmarks import sql_margin
from slas.commitments.sql import COUNTED, DIMENSIONS, MILESTONES, progressing, tallying
from slas.commitments.sql_counts import sql_progress_changes

_UNTOUCHED: Final = " AND ".join(
    ["c.outcome = 'pending'", "NOT c.excused", *(f"c.{name} IS NULL" for name in MILESTONES)]
)
_COLUMNS: Final = (*DIMENSIONS.replace("c.", "").split(", "), "fee_fen", "ready_at", *MILESTONES, "margin")
_BEFORE: Final = ", ".join(
    [
        "'pending'::text AS before, 'met'::text AS after, false AS excused, false AS was_excused",
        "''::text AS excuse_reason, ''::text AS was_excuse_reason, NULL::int AS was_margin",
        *(f"NULL::timestamptz AS was_{name}" for name in MILESTONES),
    ]
)


def meeting(kind: CommitmentKind, *, parcel_id: str, times: Mapping[str, str], record: str) -> str:
    """Return the statements that settle one commitment, or leave it alone; then `record` has only NULLs.

    `times` has the expression of each of MILESTONES that was reached. `record` is the name of a variable.
    """
    columns = ", ".join(f"{record}.{name} AS {name}" for name in _COLUMNS)

    def changed(more: str) -> str:
        return f"""
            WITH sla_changed AS (
                SELECT *, {more}
                FROM (
                    SELECT {parcel_id} AS parcel_id, '{kind}'::text AS kind, {columns}, {_BEFORE}
                ) AS sla_judged
            )"""  # noqa: S608 -- built of constants

    tally = f"{changed(f'true AS moved, NULL::int[] AS marks, {COUNTED}')}{tallying(of_one=True)};"
    progress = f"{changed(f'{sql_progress_changes()} AS progress')}{progressing(of_one=True)};"
    return f"""
        UPDATE slas_commitment c
        SET outcome = 'met', {", ".join(f"{name} = {time}" for name, time in times.items())}
        WHERE c.parcel_id = {parcel_id} AND c.kind = '{kind}' AND {_UNTOUCHED}
            AND {times["reached_at"]} <= c.due_at
        RETURNING {DIMENSIONS}, c.fee_fen, c.ready_at, {", ".join(f"c.{name}" for name in MILESTONES)},
            {sql_margin()} AS margin
        INTO {record};
        IF FOUND THEN{tally}{progress if kind == CommitmentKind.DELIVERY else ""}
        END IF;"""  # noqa: S608 -- built of constants
