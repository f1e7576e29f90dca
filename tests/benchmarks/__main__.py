"""Run all benchmarks, or those named: `python -m tests.benchmarks [--parcels N] [--json FILE] [NAME ...]`."""

import argparse
import importlib
import json
import pkgutil
import sys
from dataclasses import asdict
from pathlib import Path

from tests import benchmarks


def main() -> None:
    names = sorted(
        module.name.removeprefix("bench_")
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name.startswith("bench_")
    )
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}; default: all")
    parser.add_argument("--parcels", type=int, default=1_000_000, help="parcels in the tables")
    parser.add_argument("--json", type=Path, help="write the rows to a file, too")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    from tests.benchmarks import harness  # noqa: PLC0415 -- starts the servers

    rows = []
    with harness.world(parcels=options.parcels) as world:
        for name in options.names or names:
            for row in importlib.import_module(f"tests.benchmarks.bench_{name}").run(world):
                sys.stdout.write(f"{row.text()}\n")
                sys.stdout.flush()
                rows.append(row)
    sys.stdout.write(f"\n{harness.table(rows)}\n")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    sys.exit(main())
