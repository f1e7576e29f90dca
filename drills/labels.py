"""Print hostile labels and read them back: `python -m drills labels 10000`.

Each is printed as PDF (by pdfium, at 203 dpi) and as ZPL (by zplkit), and read by zxing-cpp, clean and worn.
Ends with 1 if one clean label is not read, if fewer than 99 in a hundred worn ones are, if a text leaves its
label, or if a phone can be told.
"""

import argparse
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import django

WORN_SHARE: Final = 0.99
DPI: Final = 203
_SLICE: Final = 50
_SHOWN: Final = 20


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="drills labels")
    parser.add_argument("count", type=int, nargs="?", default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    seeds = range(options.seed, options.seed + options.count)
    found: Counter[str] = Counter()
    with ProcessPoolExecutor(options.workers, initializer=django.setup) as workers:
        for faults in workers.map(
            faults_of, [[*seeds[start : start + _SLICE]] for start in range(0, len(seeds), _SLICE)]
        ):
            for seed, fault in faults:
                found[fault] += 1
                if found[fault] <= _SHOWN:
                    print(f"label {seed}: {fault}")  # noqa: T201 -- a drill reports
    return _verdict(options.count, found)


def faults_of(seeds: list[int]) -> list[tuple[int, str]]:
    """Print some labels and return what is wrong with each. Every other one is a wide label."""
    # Not before Django is set up.
    from drills.label_checks import faults_of_label  # noqa: PLC0415 -- see above

    return [(seed, fault) for seed in seeds for fault in faults_of_label(seed, dpi=DPI)]


def _verdict(count: int, found: Counter[str]) -> int:
    """Report, and return the program's exit code."""
    hard = {fault: times for fault, times in found.items() if "worn" not in fault}
    for kind in ("PDF", "ZPL"):
        worn = found[f"worn {kind} not read"]
        print(f"{kind}: {count - found[f'{kind} not read']} of {count} read clean, {count - worn} worn")  # noqa: T201
        if worn > count * (1 - WORN_SHARE):
            hard[f"worn {kind}"] = worn
    print(f"Other faults: {sum(hard.values())}")  # noqa: T201
    return 1 if hard else 0
