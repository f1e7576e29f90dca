"""Write the tables between marks in the docs from the stored run.

`python -m benchmarks.documents` writes them again from docs/benchmarks.json, without measuring.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import capacity, machine, profile_table, rows
from benchmarks.capacity_cluster import PREFIX
from benchmarks.capacity_model import Model
from benchmarks.rows import Row

DOCS = Path(__file__).resolve().parents[1] / "docs"
STORED = DOCS / "benchmarks.json"
_PART = re.compile(
    r"(<!-- (?P<name>[a-z ]+): written by `make bench ARGS=--write-docs` -->\n).*?(<!-- end -->)", re.DOTALL
)
# Of a run, what is measured besides rows.
_PARTS_OF_RUN = ("tables", "profile", "reads", "middleware", "plan", "parcels")
Run = Mapping[str, Any]


def _rows(run: Run) -> list[Row]:
    return [Row.from_json(row) for row in run["rows"]]


PARTS: dict[str, dict[str, Callable[[Run], str]]] = {
    "performance.md": {
        "machine": machine.sentence,
        "rows": lambda run: rows.table(_rows(run)),
        "costs": lambda run: rows.cost_table(_rows(run)),
        "growth": lambda run: rows.growth_table(_rows(run)),
        "missed": lambda run: rows.missed_list(_rows(run)),
        "profile": lambda run: profile_table.table(run.get("profile", [])),
        "limit": profile_table.limit_text,
        "reads": lambda run: profile_table.table(run.get("reads", []), item="call"),
        "middleware": lambda run: profile_table.middleware_table(run.get("middleware", [])),
        "statement": lambda run: profile_table.plan_table(run.get("plan", [])),
    },
    "scale.md": {
        "machine": machine.sentence,
        **{
            name: lambda run, table=table: table(Model.of(run))  # type: ignore[misc]
            for name, table in capacity.TABLES.items()
        },
        **capacity.CLUSTER_TABLES,
    },
}


def stored_run() -> dict[str, Any]:
    """Return the stored run of the docs; an empty one if there is none."""
    run: dict[str, Any] = json.loads(STORED.read_text()) if STORED.is_file() else {"rows": []}
    return run


def merge(stored: Run, run: Run, names: Sequence[str]) -> dict[str, Any]:
    """Replace stored rows by newly measured ones; a run of all benchmarks replaces the whole run.

    Only rows of a cluster outlive it where there was no cluster to measure.
    """
    if not names:
        of_cluster = [row for row in stored["rows"] if row["what"].startswith(PREFIX)]
        has_cluster = any(row["what"].startswith(PREFIX) for row in run["rows"])
        return {**run, "rows": [*run["rows"], *([] if has_cluster else of_cluster)]}
    fresh = {row.key: row for row in _rows(run)}
    unchanged = [row for row in _rows(stored) if row.key not in fresh]
    again = {name: {"date": run["date"], "commit": run["commit"]} for name in names}
    parts = {name: run[name] for name in _PARTS_OF_RUN if name in run}
    since = {} if stored.get("date") else {name: run[name] for name in run if name != "rows"}
    every = [row.as_json() for row in [*unchanged, *fresh.values()]]
    again = {**stored.get("measured again", {}), **again}
    return {**stored, **since, **parts, "measured again": again, "rows": every}


def store(run: Run) -> None:
    """Store a run in docs/ and write the docs from it."""
    STORED.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    for name in PARTS:
        page = DOCS / name
        page.write_text(render(page.read_text(), run, PARTS[name]))


def render(text: str, run: Run, parts: Mapping[str, Callable[[Run], str]]) -> str:
    """Return a page with its parts rendered from the run. Raises KeyError for an unknown mark."""
    return _PART.sub(lambda match: f"{match[1]}{parts[match['name']](run)}\n{match[3]}", text)


def main() -> None:
    store(stored_run())


if __name__ == "__main__":
    sys.exit(main())
