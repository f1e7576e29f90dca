"""Scans per second as the tables grow: the same batches with more and more history."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench_scans import JSON, in_batches
from benchmarks.rows import Goal, Row
from benchmarks.world import World

# Run at each of --sizes instead of once at --parcels.
AT_EACH_SIZE = True


def run(world: World) -> Iterator[Row]:
    """Measure at the current size of the tables."""
    [row] = in_batches(world, JSON, rounds=3)
    yield replace(row, what=f"{row.what}, as parcels grow", goal=Goal(kept=0.85), size=world.size)
