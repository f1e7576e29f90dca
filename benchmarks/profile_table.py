"""Tables of the profiles of a scan and of a tracking call. Pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import DATABASE, WEB, markdown

Part = Mapping[str, Any]


def table(parts: Sequence[Part], *, item: str = "scan") -> str:
    """Return a table of microseconds per scan or call, by part, from outer to inner."""
    total = sum(part["us"] for part in parts)
    body = [(part["where"], f"{part['us']:.2f}", f"{part['us'] / total:.0%}") for part in parts]
    return markdown(("where", f"us a {item}", "share"), [*body, ("all", f"{total:.2f}", "")] if body else [])


def plan_table(parts: Sequence[Part]) -> str:
    """Return a table of the statement's parts by CTE, from EXPLAIN (ANALYZE, BUFFERS, WAL)."""
    body = [
        (
            f"`{part['cte']}`",
            part["does"],
            f"{part['us']:.2f}",
            f"{part['buffers']:.2f}",
            f"{part['wal_records']:.2f}",
            f"{part['wal_bytes']:,.0f}",
        )
        for part in parts
    ]
    heads = ("part", "does", "us a scan", "pages touched", "WAL records", "WAL bytes")
    return markdown(heads, body)


def middleware_table(rows: Sequence[Part]) -> str:
    """Return a table of microseconds a call, by middleware and class of call."""
    calls = list(dict.fromkeys(call for row in rows for call in row["us"]))
    body = [(row["where"], *(_microseconds(row["us"].get(call)) for call in calls)) for row in rows]
    sums = [sum(row["us"].get(call, 0.0) for row in rows) for call in calls]
    return markdown(("us a call", *calls), [*body, ("all", *map(_microseconds, sums))] if body else [])


def _microseconds(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def limit_text(run: Mapping[str, Any]) -> str:
    """Return a text about the cost of a scan, the possible rate, and the most expensive parts."""
    row = next((row for row in run["rows"] if row["what"].startswith(_SCANS) and row["cost"]), None)
    if row is None:
        return ""
    web, database = (row["cost"].get(f"{name} us", 0.0) for name in (WEB, DATABASE))
    cores = run["machine"]["cores"]
    most = cores * 1e6 / (web + database)
    text = (
        f"A scan in a batch of 2,000 takes {web:.1f} us of the web server and {database:.1f} us of the"
        f" database. {cores} cores do\n{most:,.0f} a second of that at most, with clients that cost nothing;"
        f" {row['ours']:,.0f} are done."
    )
    parts = sorted(run.get("plan", []), key=lambda part: -part["us"])
    if not parts:
        return text
    total = sum(part["us"] for part in parts)
    largest = ", ".join(f"{part['does']} {part['us'] / total:.0%}" for part in parts[:4])
    pages, wal = (sum(part[name] for part in parts) for name in ("buffers", "wal_bytes"))
    return (
        f"{text}\n\nOf the statement, these take most: {largest}. A scan touches {pages:.0f} pages and leaves"
        f" {wal:,.0f} bytes of WAL."
    )


_SCANS = "scans over HTTP, JSON, 2,000 a batch"
