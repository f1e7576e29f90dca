"""Scans while all of the product runs: beat, and a worker that folds, sweeps and calculates credits."""

from collections.abc import Iterator

from benchmarks import servers
from benchmarks.clients import run_parallel
from benchmarks.rows import WORKER, Row
from benchmarks.scan_bodies import BATCH
from benchmarks.scan_loads import CLIENTS, jobs, over_http
from benchmarks.world import World

BATCHES = 20


def run(world: World) -> Iterator[Row]:
    """Run the load for several rounds of the fold, which runs every five seconds."""
    [(before,)] = world.rows("SELECT count(*) FROM slas_tally")
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        with world.watch.usage() as usage:
            result = run_parallel(over_http, jobs(world, world.port, BATCHES, BATCH))
        del world.watch.roots[WORKER]
    [(after,)] = world.rows("SELECT count(*) FROM slas_tally")
    yield Row(
        f"scans over HTTP, JSON, {BATCH:,} a batch, {CLIENTS} clients, worker and beat running",
        result.rate,
        notes={"tallies waiting before": before, "after": after, **result.latencies},
        memory=usage.memory,
        cost=usage.cost(result.items + result.before),
    )
