"""Numbers in docs come from a command: tables between marks are written from the stored run.

`python -m benchmarks.documents` writes them anew from docs/benchmarks.json, without measuring.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import capacity, machine, profile_table, rows
from benchmarks.capacity_model import Model
from benchmarks.rows import Row

DOCS = Path(__file__).resolve().parents[1] / "docs"
STORED = DOCS / "benchmarks.json"
_PART = re.compile(
    r"(<!-- (?P<name>[a-z ]+): written by `make bench ARGS=--write-docs` -->\n).*?(<!-- end -->)", re.DOTALL
)
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
        "statement": lambda run: profile_table.plan_table(run.get("plan", [])),
    },
    "scale.md": {
        "machine": machine.sentence,
        **{
            name: lambda run, table=table: table(Model.of(run))  # type: ignore[misc]
            for name, table in capacity.TABLES.items()
        },
    },
}


def stored_run() -> dict[str, Any]:
    """Return the run that the docs were last written from; an empty one before the first."""
    found: dict[str, Any] = json.loads(STORED.read_text()) if STORED.is_file() else {"rows": []}
    return found


def merged(stored: Run, run: Run, names: Sequence[str]) -> dict[str, Any]:
    """Put what was measured anew in the place of what was stored; a run of everything replaces it whole."""
    if not names:
        return dict(run)
    fresh = {row.key: row for row in _rows(run)}
    kept = [row for row in _rows(stored) if row.key not in fresh]
    again = {"date": run["date"], "commit": run["commit"], "names": list(names)}
    parts = {name: run[name] for name in ("tables", "profile", "reads", "plan", "parcels") if name in run}
    since = {} if stored.get("date") else {name: run[name] for name in run if name != "rows"}
    every = [row.as_json() for row in [*kept, *fresh.values()]]
    return {**stored, **since, **parts, "measured again": again, "rows": every}


def store(run: Run) -> None:
    """Keep a run beside the docs and write them from it."""
    STORED.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    for name in PARTS:
        page = DOCS / name
        page.write_text(written(page.read_text(), run, PARTS[name]))


def written(text: str, run: Run, parts: Mapping[str, Callable[[Run], str]]) -> str:
    """Return a page with its parts written from the run. Raises KeyError for a mark that means nothing."""
    return _PART.sub(lambda found: f"{found[1]}{parts[found['name']](run)}\n{found[3]}", text)


def main() -> None:
    store(stored_run())


if __name__ == "__main__":
    sys.exit(main())
