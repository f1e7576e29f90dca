"""Where the time of a scan, and of a look at a parcel, goes, as tables. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import DATABASE, WEB, markdown

Part = Mapping[str, Any]


def table(parts: Sequence[Part], *, item: str = "scan") -> str:
    """Microseconds of each scan, or call, by part of the way, in the order of the way."""
    total = sum(part["us"] for part in parts)
    body = [(part["where"], f"{part['us']:.2f}", f"{part['us'] / total:.0%}") for part in parts]
    return markdown(("where", f"us a {item}", "share"), [*body, ("all", f"{total:.2f}", "")] if body else [])


def plan_table(parts: Sequence[Part]) -> str:
    """The statement's own parts, by name of the CTE, as EXPLAIN (ANALYZE, BUFFERS, WAL) tells them."""
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


def limit_text(run: Mapping[str, Any]) -> str:
    """Say what a scan takes of the machine, how many that allows at most, and what most of it is for."""
    row = next((row for row in run["rows"] if row["what"].startswith(_SCANS) and row["cost"]), None)
    if row is None:
        return ""
    web, database = (row["cost"].get(f"{name} us", 0.0) for name in (WEB, DATABASE))
    cores = run["machine"]["cores"]
    most = cores * 1e6 / (web + database)
    said = (
        f"A scan in a batch of 2,000 takes {web:.1f} us of the web server and {database:.1f} us of the"
        f" database. {cores} cores do\n{most:,.0f} a second of that at most, with clients that cost nothing;"
        f" {row['ours']:,.0f} are done."
    )
    parts = sorted(run.get("plan", []), key=lambda part: -part["us"])
    if not parts:
        return said
    whole = sum(part["us"] for part in parts)
    largest = ", ".join(f"{part['does']} {part['us'] / whole:.0%}" for part in parts[:4])
    pages, wal = (sum(part[name] for part in parts) for name in ("buffers", "wal_bytes"))
    return (
        f"{said}\n\nOf the statement, these take most: {largest}. A scan touches {pages:.0f} pages and leaves"
        f" {wal:,.0f} bytes of WAL."
    )


_SCANS = "scans over HTTP, JSON, 2,000 a batch"
