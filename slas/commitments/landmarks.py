"""How far parcels had come some hours before their promise, and when they were attempted at last.

At each of nine moments before a promise, the landmarks, a parcel that had not been attempted yet had come
as far as some stage. A histogram of each landmark and stage holds by how much such parcels were early or late
in the end; forecasts are made from these. Its measure is PROGRESS + 10 * landmark + place of the stage; its
bins are those of `slas.commitments.histograms`, of how early with EARLY added, so that the promise itself is
an edge.

Counted before the promise and not since a stage, because couriers drive by the clock: a parcel picked up in
the evening is no later at the door than one picked up that morning. docs/forecasts.md has the figures.
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
# Where a commitment or a parcel has when it came so far; in the order of the stages.
STAGE_COLUMNS: Final = ("ready_at", "picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at")
EARLY: Final = 500
_PER_LANDMARK: Final = 10


class Journey(NamedTuple):
    """When a parcel was first seen at each stage, or None."""

    ready_at: datetime | None
    picked_up_at: datetime | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    out_for_delivery_at: datetime | None = None

    def stage_at(self, moment: datetime) -> Stage | None:
        """The furthest stage it had come to by then; None before it was ready."""
        return next((stage for stage, at in self._furthest_first() if at is not None and at <= moment), None)

    @property
    def furthest(self) -> tuple[Stage, datetime | None]:
        """The furthest stage there is a time of, and that time; booked without one when there is none."""
        seen = (pair for pair in self._furthest_first() if pair[1] is not None)
        return next(seen, (Stage.BOOKED, None))

    def _furthest_first(self) -> Iterator[tuple[Stage, datetime | None]]:
        return zip(reversed(STAGES), reversed(self), strict=True)


def measure_of(landmark: int, stage: Stage) -> int:
    """Return the measure of the parcels that had come to a stage by a landmark."""
    return Measure.PROGRESS + _PER_LANDMARK * landmark + STAGES.index(stage)


def spell(measure: int) -> str:
    """Say in a log what a measure of progress is of."""
    landmark, stage = divmod(measure - Measure.PROGRESS, _PER_LANDMARK)
    return f"{HOURS[landmark]} h before, {STAGES[stage].value}"


def margin_bin(margin: timedelta) -> int:
    """Return the bin of so much time after the promise, or before it when negative."""
    return bin_of(margin) if margin > timedelta(0) else EARLY + bin_of(-margin)


def margin_bounds(number: int) -> tuple[timedelta, timedelta]:
    """Return a bin's edges. Raises ValueError for a number no bin has."""
    if number < EARLY:
        return bounds(number)
    nearer, farther = bounds(number - EARLY)
    return -farther, -nearer


def progress_marks(journey: Journey, *, due_at: datetime, reached_at: datetime) -> Iterator[int]:
    """The marks of a delivery: one a landmark at which it was ready and not attempted yet."""
    margin = margin_bin(reached_at - due_at)
    for number, before in enumerate(LANDMARKS):
        stage = journey.stage_at(due_at - before)
        if stage is not None and reached_at > due_at - before:
            yield measure_of(number, stage) * MEASURE_STEP + margin


def sql_margin(was: str = "") -> str:
    """Return the SQL of the bin of a delivery's margin; NULL where it was not attempted."""
    reached = f"{was}reached_at"
    late, early = sql_bin(f"({reached} - due_at)"), sql_bin(f"(due_at - {reached})")
    return f"CASE WHEN {reached} > due_at THEN {late} WHEN {reached} <= due_at THEN {EARLY} + {early} END"


def sql_progress_marks(outcome: str, was: str = "", *, margin: str = "") -> dict[int, str]:
    """The marks over the columns of a commitment: one a landmark, NULL where it has none.

    `margin` names a column that holds sql_margin() already.
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
