"""SQL of what a commitment adds to the rates besides its outcome: counts, and marks in histograms.

Expressions over the columns of a commitment. The same columns prefixed with `was_` are the commitment before
a change; the rates change by the difference. The audit counts with the same expressions, and
`tests/slas/helpers/recount.py` is the same rule in Python.
"""

from collections.abc import Mapping
from typing import Final

from slas.choices import ExcuseReason, Measure
from slas.commitments.histograms import MEASURE_STEP, sql_bin
from slas.commitments.landmarks import sql_margin, sql_progress_marks

_BREACH: Final = "('overdue', 'late')"
# Deliveries, whatever the outcome; cancelled ones are not counted.
_COUNTED: Final = {
    "attempted": "{was}attempted_at IS NOT NULL",
    "first_attempt": "{was}delivered_at <= {was}attempted_at",
    "within_48h": "{was}delivered_at - {was}picked_up_at <= interval '48 hours'",
    "within_72h": "{was}delivered_at - {was}picked_up_at <= interval '72 hours'",
}
COUNTS: Final = tuple(_COUNTED)


def counted(name: str, outcome: str, was: str = "") -> str:
    """Return the SQL that is 1 if a commitment of that outcome is in one of COUNTS, else 0."""
    return f"coalesce({_COUNTED[name].format(was=was)} AND {outcome} <> 'void', false)::int"


def marks(outcome: str, was: str = "") -> dict[int, str]:
    """Return the SQL of the mark of each measure kept in cells, for a commitment of that outcome; NULL for
    none."""
    reasons = ", ".join(f"'{reason}'" for reason in ExcuseReason.values)
    place = f"array_position(ARRAY[{reasons}], {was}excuse_reason::text) - 1"
    late = sql_bin(f"({was}reached_at - due_at)")
    return {
        Measure.LATENESS: f"CASE WHEN {outcome} = 'late' THEN {Measure.LATENESS * MEASURE_STEP} + {late} END",
        Measure.EXCUSED: f"CASE WHEN {was}excused AND {outcome} IN {_BREACH}"
        f" THEN {Measure.EXCUSED * MEASURE_STEP} + {place} END",
    }


# Computed once per row, as each landmark's mark contains it.
MARGINS: Final = f"{sql_margin()} AS margin, {sql_margin('was_')} AS was_margin"


def sql_mark_changes() -> str:
    """Return the array of cell marks that a change from `before` to `after` makes; NULL for none."""
    return _difference(marks("after"), marks("before", "was_"))


def sql_progress_changes() -> str:
    """Return the array of progress marks that a change makes, over the columns of MARGINS."""
    return _difference(
        sql_progress_marks("after", margin="margin"),
        sql_progress_marks("before", "was_", margin="was_margin"),
    )


def _difference(new: Mapping[int, str], old: Mapping[int, str]) -> str:
    up = (f"nullif({new[measure]}, {old[measure]})" for measure in new)
    # Compared only if there is a mark to take back, which is rare.
    down = (
        f"CASE WHEN {old[measure]} IS NOT NULL THEN -nullif({old[measure]}, {new[measure]}) END"
        for measure in new
    )
    return f"nullif(array_remove(ARRAY[{', '.join([*up, *down])}], NULL), '{{}}')"
