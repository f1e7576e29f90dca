"""The hardware needed for a number of parcels per year: `python -m benchmarks.capacity [FILE]`.

Prints the tables of docs/scale.md, calculated from a stored run.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import capacity_cluster
from benchmarks.capacity_cluster import Measured
from benchmarks.capacity_model import TABLES as GROWING
from benchmarks.capacity_model import Limit, Model, limits
from benchmarks.rows import DATABASE, WEB, WORKER, markdown, number

STORED = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.json"
PARCELS = (1e6, 1e9, 1e11)
CLUSTERED = (1e9, 1e10, 1e11)
_DESCRIPTIONS = {
    "scans": "scans a parcel (25,000 beside 3,170 bookings a second)",
    "scans_a_call": "scans a call: batches, as measured, each of parcels of one home",
    "bookings_a_call": "bookings a call",
    "looks": "looks of people at a parcel's tracking page",
    "calls": "calls of programs that track a parcel",
    "peak": "busiest hour of a sales day beside the year's average",
    "busy": "how busy a core may be at that hour",
    "late": "share of parcels that come late",
    "months": "months of parcels kept in the database; older ones are files of Parquet",
    "scan_bytes": "bytes of a scan on the network, in a batch",
    "booking_bytes": "bytes of a booking in a batch, with its answer",
    "look_bytes": "bytes of a look with its page; what it is styled by is kept by browsers",
    "call_bytes": "bytes of a tracking call with its answer",
    "database_cores": "cores of a large database machine",
    "database_bytes": "bytes of its disks",
    "database_wal": "bytes of WAL a second it and its standby keep up with",
    "web_cores": "cores of a large web machine",
    "partition_bytes": "bytes of the largest partition that is still easy to vacuum and copy",
    "connections": "connections that PostgreSQL serves well without a pooler",
    "threads": "threads of a core of a web machine (`WEB_THREADS`), each with a connection",
    "valkey_calls": "calls a second of one Valkey",
    "refresh": "seconds between two refreshes of the watch list",
    "near": "hours before its promise from which on each of them looks at a parcel",
    "turns": "refreshes of which one looks at a parcel before that",
    "shares": "shares of couriers, folded side by side",
}  # fmt: skip


def assumptions_table(model: Model) -> str:
    values = {name: getattr(model.assumed, name) for name in _DESCRIPTIONS}
    body = [
        (_DESCRIPTIONS[name], bytes_text(value) if "bytes" in _DESCRIPTIONS[name] else f"{value:,g}")
        for name, value in values.items()
    ]
    return markdown(("assumed", "value"), body)


def costs_table(model: Model) -> str:
    """Return the measured costs per item."""
    body = [
        (name, *(_figure(getattr(cost, part)) for part in (WEB, DATABASE, WORKER, "wal")))
        for name, cost in {
            **model.costs,
            "a parcel's life": model.parcel,
            "its refreshes of the watch list": model.watching,
        }.items()
    ]
    return markdown(("each", "web us", "database us", "worker us", "WAL bytes"), body)


def tables_table(model: Model) -> str:
    """Return the growth of each table."""
    body = []
    for table, (_rows, how) in GROWING.items():
        if table in model.bytes:
            heap, indexes = model.bytes[table]
            rows = model.rows_of(table)
            yearly = [bytes_text((heap + indexes) * rows * parcels) for parcels in PARCELS]
            body.append((f"`{table}`", f"{heap:,.0f}", f"{indexes:,.0f}", f"{rows:g}", how, *yearly))
    heads = (
        "table",
        "bytes a row",
        "of indexes",
        "rows a parcel",
        "grows",
        *(f"{_parcels(p)} a year" for p in PARCELS),
    )
    return markdown(heads, body)


def needs_table(model: Model) -> str:
    """Return the hardware needs of the sizes."""
    a = model.assumed
    needs = [model.needs(parcels) for parcels in PARCELS]
    lines: Sequence[tuple[str, Sequence[str]]] = (
        ("bookings a second, average", [number(n.bookings) for n in needs]),
        ("scans a second, average", [number(n.scans) for n in needs]),
        ("at the peak", [f"{number(n.scans * a.peak)} scans/s" for n in needs]),
        ("web cores", [number(n.web_cores) for n in needs]),
        ("worker cores", [number(n.worker_cores) for n in needs]),
        ("database cores", [number(n.database_cores) for n in needs]),
        (f"disk, {a.months:g} months", [bytes_text(n.disk) for n in needs]),
        ("WAL a day", [bytes_text(n.wal_a_day) for n in needs]),
        ("WAL at the peak", [f"{bytes_text(n.wal_at_peak)}/s" for n in needs]),
        ("network at the peak", [f"{bytes_text(n.network)}/s" for n in needs]),
        ("database machines, and as many standbys", [_database(n.database_nodes(a)) for n in needs]),
        ("web and worker machines", [f"{n.web_nodes(a):,}" for n in needs]),
    )
    return markdown(
        ("", *(f"{_parcels(p)} a year" for p in PARCELS)), [(name, *cells) for name, cells in lines]
    )


def limits_table(model: Model) -> str:
    """Return the size at which each part must be split, and how."""
    return _limits(limits(model))


def cluster_table(run: Mapping[str, Any]) -> str:
    """Return what a cluster needs for the sizes that one server is too small for."""
    measured = Measured.of(run)
    if measured is None:
        return "No cluster was measured."
    model = Model.of(run)
    found = [capacity_cluster.needs(model, measured, parcels) for parcels in CLUSTERED]
    lines: Sequence[tuple[str, Sequence[str]]] = (
        ("cores of workers", [number(n.worker_cores) for n in found]),
        ("workers, and as many standbys", [f"{n.workers:,}" for n in found]),
        ("homes of the fullest worker", [f"{n.homes_each:,}" for n in found]),
        ("bytes of a home's shard", [bytes_text(n.shard_bytes) for n in found]),
        ("calls at the peak", [f"{number(n.calls)}/s" for n in found]),
        ("cores of the coordinator, all calls through it", [number(n.all_cores) for n in found]),
        ("of them for what only it does", [number(n.own_cores) for n in found]),
        ("web and worker machines", [f"{n.web_machines:,}" for n in found]),
        ("machines in all, with one coordinator and standbys", [f"{n.machines:,}" for n in found]),
    )
    return markdown(
        ("", *(f"{_parcels(p)} a year" for p in CLUSTERED)), [(name, *cells) for name, cells in lines]
    )


def passing_table(run: Mapping[str, Any]) -> str:
    """Return what was measured of a cluster beside one server."""
    measured = Measured.of(run)
    if measured is None:
        return "No cluster was measured."
    body = [
        (
            kind,
            f"{measured.ratios[kind]:.2f}",
            number(measured.passing[kind]),
            number(measured.passed_on(kind)) if measured.passing[kind] else "",
        )
        for kind in measured.ratios
    ]
    heads = (
        "on a cluster",
        "beside one server",
        "coordinator us each",
        "calls a second that a coordinator's core passes on",
    )
    return markdown(heads, body)


def cluster_limits_table(run: Mapping[str, Any]) -> str:
    """Return the size at which each part of a cluster must be split, and how."""
    measured = Measured.of(run)
    if measured is None:
        return "No cluster was measured."
    return _limits(capacity_cluster.limits(Model.of(run), measured))


def _limits(found: Sequence[Limit]) -> str:
    body = [(f"{_parcels(_round(limit.parcels))} a year", limit.what, limit.onto) for limit in found]
    return markdown(("from about", "what gives way", "split onto"), body)


# Those that need more of a run than the model.
CLUSTER_TABLES = {
    "cluster costs": passing_table,
    "cluster needs": cluster_table,
    "cluster limits": cluster_limits_table,
}
TABLES = {
    "assumptions": assumptions_table,
    "costs": costs_table,
    "tables": tables_table,
    "needs": needs_table,
    "limits": limits_table,
}


def bytes_text(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} PB"


def _database(nodes: int) -> str:
    """What one machine does not hold is not divided for nothing: a cluster's table says into what."""
    return "1" if nodes == 1 else "[a cluster](#a-cluster)"


def _figure(value: float) -> str:
    return number(value) if value else ""


def _round(value: float) -> float:
    """Round to two digits: more would be false precision."""
    return float(f"{value:.2g}")


def _parcels(count: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if count >= size:
            return f"{count / size:,.4g} {unit}"
    return f"{count:,.0f}"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else STORED
    run = json.loads(path.read_text())
    model = Model.of(run)
    tables = [table(model) for table in TABLES.values()] + [table(run) for table in CLUSTER_TABLES.values()]
    sys.stdout.write("\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
