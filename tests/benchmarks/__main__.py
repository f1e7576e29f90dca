"""Run all benchmarks, or those named: `python -m tests.benchmarks [--parcels N] [--json FILE] [NAME ...]`.

What grows is measured in a database of its own, at `--sizes`; the others share one of `--parcels`.
"""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests import benchmarks
from tests.benchmarks import harness


def main() -> None:
    names = sorted(
        module.name.removeprefix("bench_")
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name.startswith("bench_")
    )
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}; default: all")
    parser.add_argument("--parcels", type=int, default=1_000_000, help="parcels in the tables")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size.replace("_", "")) for size in text.split(",")],
        help="of what grows, sizes to measure at: 250_000,1_000_000",
    )
    parser.add_argument("--json", type=Path, help="write the rows to a file, too")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    rows = []
    for row in _run(options.names or names, options):
        sys.stdout.write(f"{row.text()}\n")
        sys.stdout.flush()
        rows.append(row)
    for found in (harness.table(rows), harness.growth_table(rows)):
        sys.stdout.write(f"\n{found}\n" if found else "")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


def _run(names: Sequence[str], options: argparse.Namespace) -> Iterator[harness.Row]:
    """Run those that share a world in one, the others in their own."""
    modules = [importlib.import_module(f"tests.benchmarks.bench_{name}") for name in names]
    sharing = [module for module in modules if not hasattr(module, "SIZES")]
    if sharing:
        with harness.world(parcels=options.parcels) as world:
            for module in sharing:
                yield from module.run(world)
    for module in modules:
        if module not in sharing:
            yield from module.run(options.sizes or module.SIZES)


if __name__ == "__main__":
    sys.exit(main())
