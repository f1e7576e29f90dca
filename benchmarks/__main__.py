"""Run all benchmarks, or the named ones: `python -m benchmarks [NAME ...]`.

Each prints rows: our rate, the floor's rate in the same run, their ratio, and the peak memory (PSS) of web,
worker and database. One database is filled to each of --sizes in turn; benchmarks named `..._growing` are
measured at each size, all others at --parcels.
"""

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import benchmarks
from benchmarks import comparing, documents, machine, profile_table, rows, tables
from benchmarks.database import django_ready, print_progress
from benchmarks.rows import Row
from benchmarks.stopping import cleanly

# Not a row, but a profile of the time of a scan.
PROFILE = "profile"
# Sizes of the growing benchmarks: the last is sixteen times the first.
SIZES = (125_000, 2_000_000)
PARCELS = 1_000_000


def main() -> int:
    names = _names()
    options = _parser(names).parse_args()
    if unknown_names := set(options.names) - {*names, PROFILE}:
        unknown, known = ", ".join(sorted(unknown_names)), ", ".join([*names, PROFILE])
        sys.stderr.write(f"There is no benchmark {unknown}; there are: {known}.\n")
        return 2
    with cleanly(), django_ready():
        return _measure(names, options)


def _measure(names: Sequence[str], options: argparse.Namespace) -> int:
    begun = time.perf_counter()
    run = machine.describe()
    result_rows: list[Row] = []
    options.profile = PROFILE in options.names or not options.names
    selected = [name for name in options.names if name != PROFILE] if options.names else names
    modules = [importlib.import_module(f"benchmarks.bench_{name}") for name in selected]
    # Close the generator explicitly: at garbage collection, its connections would outlive the servers.
    with closing(_rows(modules, options, run)) as measurements:
        for row in measurements:
            sys.stdout.write(f"{row.text()}\n")
            sys.stdout.flush()
            result_rows.append(row)
    print_progress(f"{time.perf_counter() - begun:.0f} s in all")
    run["rows"] = [row.as_json() for row in result_rows]
    return _report(result_rows, run, options)


def _names() -> list[str]:
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name.removeprefix("bench_") for name in modules if name.startswith("bench_"))


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names)}, {PROFILE}; default: all"
    )
    parser.add_argument("--parcels", type=_count, default=PARCELS, help="parcels in the tables")
    parser.add_argument("--sizes", type=_counts, help="of what grows, sizes to measure at: 250_000,1_000_000")
    parser.add_argument(
        "--full", action="store_true", help="the whole million of a file of bookings, and the like"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file, too")
    parser.add_argument("--table", action="store_true", help="print the rows as tables for the docs")
    parser.add_argument(
        "--write-docs", action="store_true", help="store the run in docs, and write their tables"
    )
    parser.add_argument("--compare", type=Path, metavar="FILE", help="say what changed since a stored run")
    parser.add_argument(
        "--tolerance", type=float, default=comparing.TOLERANCE, metavar="SHARE",
        help="a ratio that fell by more makes the exit code 1 (default: %(default)s)",
    )  # fmt: skip
    return parser


def _count(text: str) -> int:
    return int(text.replace("_", "").replace(",", ""))


def _counts(text: str) -> list[int]:
    return sorted(int(size.replace("_", "")) for size in text.split(","))


def _rows(
    modules: Sequence[ModuleType], options: argparse.Namespace, run: dict[str, Any]
) -> Generator[Row, None, None]:
    """Run the benchmarks that share a world in one database, and the others in their own."""
    sharing = [module for module in modules if not hasattr(module, "OWN_SIZES")]
    if sharing or options.profile:
        yield from _in_one_world(sharing, options, run)
    for module in modules:
        if module not in sharing:
            full_sizes = getattr(module, "FULL_SIZES", None) if options.full else None
            sizes = options.sizes or full_sizes or module.OWN_SIZES
            yield from _with_duration(module, module.run(sizes))


def _in_one_world(
    modules: Sequence[ModuleType], options: argparse.Namespace, run: dict[str, Any]
) -> Iterator[Row]:
    from benchmarks import profile, profile_middleware, profile_reads  # noqa: PLC0415 -- sets the environment
    from benchmarks.world import ROAD, open_world  # noqa: PLC0415

    growing = [module for module in modules if hasattr(module, "AT_EACH_SIZE")]
    # Reads before writes, so that autovacuum and checkpoints after writes do not slow them down.
    once = sorted(
        (module for module in modules if module not in growing),
        key=lambda module: not getattr(module, "ONLY_READS", False),
    )
    sizes = set(options.sizes or SIZES) if growing else set()
    with open_world(full=options.full) as world:
        for size in sorted(sizes | ({options.parcels} if once or options.profile else set())):
            is_main = size == options.parcels and bool(once or options.profile)
            world.grow(size, road=ROAD["once"] * is_main + ROAD["growing"] * (size in sizes))
            here = (growing if size in sizes else []) + (once if is_main else [])
            for module in here:
                yield from _with_duration(module, module.run(world))
            if is_main:
                run["parcels"] = size
                if options.profile:
                    run.update(middleware=profile_middleware.measure(world))
                    run.update(reads=profile_reads.measure(world), **profile.measure(world))
                run.update(tables=tables.measure(world))


def _with_duration(module: ModuleType, measurements: Iterator[Row]) -> Iterator[Row]:
    begun = time.perf_counter()
    yield from measurements
    print_progress(f"[{module.__name__.rpartition('bench_')[2]}: {time.perf_counter() - begun:.0f} s]")


def _report(measurements: Sequence[Row], run: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        options.json.write_text(json.dumps(run, indent=1) + "\n")
    if "profile" in run:
        sys.stdout.write(
            f"\n{profile_table.table(run['profile'])}\n\n{profile_table.plan_table(run['plan'])}\n"
            f"\n{profile_table.table(run['reads'], item='call')}\n"
            f"\n{profile_table.middleware_table(run['middleware'])}\n"
        )
    if options.write_docs:
        documents.store(documents.merge(documents.stored_run(), run, options.names))
    if options.table:
        for table in (rows.table(measurements), rows.growth_table(measurements)):
            sys.stdout.write(f"\n{table}\n" if table else "")
    for name in rows.missed(measurements):
        sys.stdout.write(f"MISSED: {name}\n")
    if not options.compare:
        return 0
    stored_rows = [Row.from_json(row) for row in json.loads(options.compare.read_text())["rows"]]
    report, is_worse = comparing.report(stored_rows, measurements, tolerance=options.tolerance)
    sys.stdout.write(f"\n{report}\n")
    return int(is_worse)


if __name__ == "__main__":
    sys.exit(main())
