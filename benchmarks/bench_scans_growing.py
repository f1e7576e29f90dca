"""Scans per second as the tables grow: the same batches with more and more history."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench_scans import DIRECTLY, batch_row, in_batches
from benchmarks.rows import Goal, Row
from benchmarks.scan_loads import JSON
from benchmarks.world import World

# Run at each of --sizes instead of once at --parcels.
AT_EACH_SIZE = True


def run(world: World) -> Iterator[Row]:
    """Measure at the current size of the tables."""
    sides = in_batches(world, JSON, DIRECTLY)
    row = batch_row(sides[JSON], sides[DIRECTLY])
    yield replace(row, what=f"{row.what}, as parcels grow", goal=Goal(kept=0.85), size=world.size)
