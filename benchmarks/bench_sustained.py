"""Scans with everything of the product running: beat, and a worker that folds, sweeps and pays meanwhile."""

from collections.abc import Iterator

from benchmarks import servers
from benchmarks.bench_scans import BATCH, CLIENTS, JSON, jobs, over_http
from benchmarks.clients import together
from benchmarks.rows import WORKER, Row
from benchmarks.world import World

BATCHES = 30


def run(world: World) -> Iterator[Row]:
    """Load for some rounds of the fold, which runs every five seconds."""
    [(before,)] = world.rows("SELECT count(*) FROM slas_tally")
    with servers.worker() as process, servers.beat():
        world.watch.roots[WORKER] = process
        with world.watch.taken() as taken:
            done = together(over_http, jobs(world, world.port, BATCHES, BATCH, JSON))
        del world.watch.roots[WORKER]
    [(after,)] = world.rows("SELECT count(*) FROM slas_tally")
    yield Row(
        f"scans over HTTP, JSON, {BATCH:,} a batch, {CLIENTS} clients, worker and beat running",
        done.rate,
        notes={"tallies waiting before": before, "after": after, **done.latencies},
        memory=taken.memory,
        cost=taken.cost(done.items + done.before),
    )
