"""Split a plan of EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT JSON) by CTE. Pure functions.

PostgreSQL counts the time of a CTE in its first reader, too: here it is counted only in the CTE.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

Node = dict[str, Any]
# Descriptions of the parts of the scan statement; others are shown without one.
_DOES = {
    "": "the statement's own end: what is answered",
    "line": "columns to lines",
    "locked": "looking parcels up, locking them",
    "parcel": "one row for each id asked for",
    "good": "lines of parcels of ours",
    "written": "insert of the scans",
    "touched": "what each parcel's new scans say",
    "winner": "which status stands",
    "folded": "each parcel as it is to be",
    "moved": "update of the parcels",
    "announced": "events of changed statuses",
    "milestones": "what was reached",
    "sla_reached": "one row a promise",
    "sla_locked": "looking promises up, locking them",
    "sla_judged": "kept or broken",
    "sla_changed": "counts and bins of each change",
    "sla_stored": "update of the promises",
    "sla_progress": "how far deliveries had come",
    "sla_breaches": "breaches opened and withdrawn",
    "sla_tallies": "tallies",
    "sla_credits": "credits to work out",
    "sla_events": "events of breaches",
}
_SMALLEST = 0.005


def parts_of_plan(plan: dict[str, Any], *, scans: int) -> list[dict[str, Any]]:
    """Return microseconds, pages and WAL per scan of each part, in the order of the statement."""
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    first_readers = _first_readers(plan["Plan"])
    ctes = _ctes(plan["Plan"])
    for name, node in _nodes(plan["Plan"], ""):
        children = [child for child in node.get("Plans", []) if not _is_cte(child)]
        inside = [*children, *([ctes[node["CTE Name"]]] if id(node) in first_readers else [])]
        for measure, of in _MEASURES.items():
            totals[name][measure] += max(0.0, of(node) - sum(map(of, inside))) / scans
    return [
        {"cte": name or "SELECT", "does": _DOES.get(name, ""), **totals[name]}
        for name in [*ctes, ""]
        if totals[name]["us"] >= _SMALLEST
    ]


def _milliseconds(node: Node) -> float:
    return float(node.get("Actual Total Time", 0.0)) * float(node.get("Actual Loops", 1))


def _pages(node: Node) -> float:
    return float(node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0))


# Each value of a node includes its children.
_MEASURES: dict[str, Callable[[Node], float]] = {
    "us": lambda node: 1000 * _milliseconds(node),
    "buffers": _pages,
    "wal_records": lambda node: float(node.get("WAL Records", 0)),
    "wal_bytes": lambda node: float(node.get("WAL Bytes", 0)),
}


def _is_cte(node: Node) -> bool:
    return str(node.get("Subplan Name", "")).startswith("CTE ")


def _name(node: Node, outer: str) -> str:
    """Return the CTE of a node: its own, else that of its parent."""
    subplan = str(node.get("Subplan Name", ""))
    return subplan.removeprefix("CTE ") if subplan.startswith("CTE ") else outer


def _nodes(node: Node, outer: str) -> Iterator[tuple[str, Node]]:
    name = _name(node, outer)
    yield name, node
    for child in node.get("Plans", []):
        yield from _nodes(child, name)


def _ctes(root: Node) -> dict[str, Node]:
    return {
        name: node for name, node in _nodes(root, "") if node.get("Subplan Name") == f"CTE {name}" and name
    }


def _first_readers(root: Node) -> set[int]:
    """Return the slowest scan of each CTE: the first one, which waits for its rows."""
    readers: dict[str, Node] = {}
    for _name_of, node in _nodes(root, ""):
        if node["Node Type"] == "CTE Scan":
            slowest = readers.get(node["CTE Name"])
            if slowest is None or _milliseconds(node) > _milliseconds(slowest):
                readers[node["CTE Name"]] = node
    return {id(node) for node in readers.values()}
