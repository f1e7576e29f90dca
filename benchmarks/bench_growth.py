"""Work that may grow with the size of the alliance: sweep, fold, dashboards, watch list, credits."""

from collections.abc import Iterator, Sequence

from benchmarks.database import own_database
from benchmarks.rows import Row

NAME = "bench_growth"
# Numbers of commitments. A benchmark with sizes creates its own database, which grows during the run.
OWN_SIZES = (250_000, 2_000_000)


def run(sizes: Sequence[int]) -> Iterator[Row]:
    """Measure at each size, smallest first."""
    with own_database(NAME):
        from benchmarks import growth_measures  # noqa: PLC0415 -- after django.setup()

        yield from growth_measures.measure(sorted(sizes))
