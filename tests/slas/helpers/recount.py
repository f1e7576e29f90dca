"""Cells and bins counted from commitments in Python without tallies: the expected result of the SQL."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from slas.choices import ExcuseReason, Measure
from slas.commitments.histograms import MEASURE_STEP, bin_of
from slas.commitments.landmarks import STAGE_COLUMNS, Journey, progress_marks
from slas.commitments.rules import is_breach
from slas.models import Commitment, HistogramBin, OnTimeRate, Progress

Cell = tuple[Any, ...]
COUNTS = (
    "pending", "met", "late", "overdue", "void", "excused", "attempted", "first_attempt", "within_48h",
    "within_72h",
)  # fmt: skip


def cells_of(commitment: Commitment) -> tuple[Cell, Cell]:
    """The courier's cell and the merchant's that a commitment belongs to."""
    lane = (commitment.kind, commitment.tier_id, commitment.origin_id, commitment.destination_id)
    where = (*lane, commitment.due_date)
    return (commitment.courier_id, None, *where), (commitment.merchant_id, commitment.courier_id, *where)


def counted_as(commitment: Commitment) -> set[str]:
    """The counts of a cell that include the commitment."""
    counts = {str(commitment.outcome)}
    if commitment.outcome == "void":
        return counts
    if commitment.excused and is_breach(commitment.outcome):
        counts.add("excused")
    if commitment.attempted_at:
        counts.add("attempted")
    if commitment.delivered_at:
        if commitment.attempted_at and commitment.delivered_at <= commitment.attempted_at:
            counts.add("first_attempt")
        for hours in (48, 72):
            picked_up = commitment.picked_up_at
            if picked_up and commitment.delivered_at - picked_up <= timedelta(hours=hours):
                counts.add(f"within_{hours}h")
    return counts


def bins_of(commitment: Commitment) -> Iterator[tuple[int, int]]:
    """The bins the commitment is in."""
    if commitment.outcome == "late":
        yield Measure.LATENESS, bin_of(commitment.reached_at - commitment.due_at)
    if commitment.excused and is_breach(commitment.outcome):
        yield Measure.EXCUSED, ExcuseReason.values.index(commitment.excuse_reason)
    if commitment.kind == "delivery" and commitment.outcome in ("met", "late"):
        journey = Journey(*(getattr(commitment, column) for column in STAGE_COLUMNS))
        marks = progress_marks(journey, due_at=commitment.due_at, reached_at=commitment.reached_at)
        yield from (divmod(mark, MEASURE_STEP) for mark in marks)


def expected() -> tuple[Counter[Cell], Counter[Cell]]:
    """The expected cells and bins of all commitments in scope."""
    cells: Counter[Cell] = Counter()
    bins: Counter[Cell] = Counter()
    for commitment in Commitment.objects.all():
        courier, merchant = cells_of(commitment)
        for name in counted_as(commitment):
            cells[(*courier, name)] += 1
            cells[(*merchant, name)] += 1
        for measure, number in bins_of(commitment):
            bins[(*courier, measure, number)] += 1
            if measure in (Measure.LATENESS, Measure.EXCUSED):
                bins[(*merchant, measure, number)] += 1
    return cells, bins


def folded() -> tuple[Counter[Cell], Counter[Cell]]:
    """The actual cells and bins, without zeros."""
    key = ("organisation_id", "counterpart_id", "kind", "tier_id", "origin_id", "destination_id", "due_date")
    cells = Counter(
        {
            (*row[: len(key)], name): n
            for row in OnTimeRate.objects.values_list(*key, *COUNTS)
            for name, n in zip(COUNTS, row[len(key) :], strict=True)
            if n
        }
    )
    bins: Counter[Cell] = Counter()
    for *place, count in HistogramBin.objects.values_list(*key, "measure", "bin", "count"):
        bins[tuple(place)] += count
    for row in Progress.objects.all():
        lane = (
            row.courier_id,
            None,
            "delivery",
            row.tier_id,
            row.origin_id,
            row.destination_id,
            row.due_date,
        )
        for mark, count in zip(row.marks, row.counts, strict=True):
            bins[(*lane, *divmod(mark, MEASURE_STEP))] += count
    return cells, Counter({place: count for place, count in bins.items() if count})
