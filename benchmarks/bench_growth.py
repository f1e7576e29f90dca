"""What grows with the alliance and what does not: sweep, fold, dashboards, watch list, credits."""

from collections.abc import Iterator, Sequence

from benchmarks.database import own_database
from benchmarks.rows import Row

NAME = "bench_growth"
# Commitments. A benchmark that has sizes makes a database of its own, which grows while it is measured.
OWN_SIZES = (250_000, 4_000_000)


def run(sizes: Sequence[int]) -> Iterator[Row]:
    """Measure at each size, smallest first, and say at the end how much each figure grew."""
    with own_database(NAME):
        from benchmarks import growth_measures  # noqa: PLC0415 -- after django.setup()

        yield from growth_measures.measure(sorted(sizes))
