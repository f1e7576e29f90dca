"""Landmarks: how far a parcel had come some hours before its promise, and when it was attempted.

At each of nine times before a promise, the landmarks, a parcel not attempted yet had reached some stage. For
each landmark and stage a histogram counts how early or late such parcels were in the end; forecasts are made
from these. Its measure is PROGRESS + 10 * landmark + index of the stage; its bins are those of
`slas.commitments.histograms`, with EARLY added for early ones, so that the promise itself is an edge.

Time is counted before the promise and not since a stage, because couriers plan by the clock: a parcel picked
up in the evening is delivered no later than one picked up that morning. docs/forecasts.md has the figures.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from slas.choices import CommitmentKind, Measure, Stage
from slas.commitments.histograms import MEASURE_STEP, bin_of, bounds, sql_bin

# Hours before the promise, the farthest first.
HOURS: Final = (72, 48, 24, 20, 16, 12, 6, 3, 1)
LANDMARKS: Final = tuple(timedelta(hours=hours) for hours in HOURS)
STAGES: Final = tuple(Stage)
# The columns of a commitment or a parcel with the time of each stage, in the order of the stages.
STAGE_COLUMNS: Final = ("ready_at", "picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at")
EARLY: Final = 500
_PER_LANDMARK: Final = 10


class Journey(NamedTuple):
    """The time a parcel reached each stage, or None."""

    ready_at: datetime | None
    picked_up_at: datetime | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    out_for_delivery_at: datetime | None = None

    def stage_at(self, moment: datetime) -> Stage | None:
        """The furthest stage reached by then; None before the parcel was ready."""
        return next((stage for stage, at in self._furthest_first() if at is not None and at <= moment), None)

    @property
    def furthest(self) -> tuple[Stage, datetime | None]:
        """The furthest stage with a time, and that time; booked and None when there is none."""
        timed_stages = (pair for pair in self._furthest_first() if pair[1] is not None)
        return next(timed_stages, (Stage.BOOKED, None))

    def _furthest_first(self) -> Iterator[tuple[Stage, datetime | None]]:
        return zip(reversed(STAGES), reversed(self), strict=True)


def measure_of(landmark: int, stage: Stage) -> int:
    return Measure.PROGRESS + _PER_LANDMARK * landmark + STAGES.index(stage)


def measure_name(measure: int) -> str:
    """Name a measure of progress for logs."""
    landmark, stage = divmod(measure - Measure.PROGRESS, _PER_LANDMARK)
    return f"{HOURS[landmark]} h before, {STAGES[stage].value}"


def margin_bin(margin: timedelta) -> int:
    """Return the bin of a margin: time after the promise, or before it when negative."""
    return bin_of(margin) if margin > timedelta(0) else EARLY + bin_of(-margin)


def margin_bounds(number: int) -> tuple[timedelta, timedelta]:
    """Return a bin's edges. Raises ValueError for an unknown number."""
    if number < EARLY:
        return bounds(number)
    nearer, farther = bounds(number - EARLY)
    return -farther, -nearer


def progress_marks(journey: Journey, *, due_at: datetime, reached_at: datetime) -> Iterator[int]:
    """The marks of a delivery: one for each landmark at which it was ready and not attempted yet."""
    margin = margin_bin(reached_at - due_at)
    for number, before in enumerate(LANDMARKS):
        stage = journey.stage_at(due_at - before)
        if stage is not None and reached_at > due_at - before:
            yield measure_of(number, stage) * MEASURE_STEP + margin


def sql_margin(was: str = "") -> str:
    """Return the SQL of the bin of a delivery's margin; NULL if it was not attempted."""
    reached = f"{was}reached_at"
    late, early = sql_bin(f"({reached} - due_at)"), sql_bin(f"(due_at - {reached})")
    return f"CASE WHEN {reached} > due_at THEN {late} WHEN {reached} <= due_at THEN {EARLY} + {early} END"


def sql_progress_marks(outcome: str, was: str = "", *, margin: str = "") -> dict[int, str]:
    """The SQL of the marks, by measure, over the columns of a commitment; NULL for a landmark without one.

    `margin` is the name of a column that holds sql_margin() already.
    """
    columns = [name if name == "ready_at" else f"{was}{name}" for name in STAGE_COLUMNS]
    margin = margin or sql_margin(was)
    return {
        measure_of(number, Stage.BOOKED): f"CASE WHEN kind = '{CommitmentKind.DELIVERY}'"
        f" AND {outcome} IN ('met', 'late') AND {was}reached_at > due_at - interval '{hours} hours'"
        f" THEN {_sql_stage(number, columns)} + {margin} END"
        for number, hours in enumerate(HOURS)
    }


def _sql_stage(number: int, columns: Sequence[str]) -> str:
    moment = f"due_at - interval '{HOURS[number]} hours'"
    whens = [
        f"WHEN {column} <= {moment} THEN {measure_of(number, stage) * MEASURE_STEP}"
        for stage, column in zip(reversed(STAGES), reversed(columns), strict=True)
    ]
    return f"CASE {' '.join(whens)} END"
