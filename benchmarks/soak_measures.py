"""The statistics of a soak test per minute: sizes, dead rows, vacuums, HOT updates, WAL, transaction age."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alliance.database.table_storage import PARAMETERS

QUEUES = ("slas_tally", "slas_creditcheck")
_TABLES = """
SELECT coalesce(p.relname, c.relname), sum(s.n_tup_ins - s.n_tup_del)::bigint, sum(s.n_dead_tup)::bigint,
    sum(s.n_tup_upd)::bigint, sum(s.n_tup_hot_upd)::bigint, sum(s.autovacuum_count)::bigint,
    sum(s.autoanalyze_count)::bigint, sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE coalesce(p.relname, c.relname) = ANY(%s) GROUP BY 1
"""
_SERVER = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, pg_database_size(current_database()),
    (SELECT max(age(relfrozenxid)) FROM pg_class WHERE relkind = 'r'),
    coalesce((SELECT max(age(backend_xmin)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()), 0)
"""
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """Statistics of one table, summed over its months. Counts are since the creation of the database."""

    rows: int
    dead: int
    updated: int
    hot: int
    vacuums: int
    analyses: int
    heap: int
    indexes: int

    @property
    def hot_share(self) -> float:
        return self.hot / self.updated if self.updated else 1.0

    @property
    def dead_share(self) -> float:
        return self.dead / max(1, self.rows + self.dead)

    def per_row(self) -> tuple[float, float]:
        """Bytes of heap and of indexes per live row."""
        return self.heap / max(1, self.rows), self.indexes / max(1, self.rows)


@dataclass(frozen=True, slots=True)
class Minute:
    """The state at the end of a minute, and the work done in it."""

    number: int
    seconds: float
    booked: int
    scanned: int
    tables: dict[str, Table]
    wal: int
    size: int
    frozen_age: int
    oldest_snapshot: int
    # Median and worst milliseconds of the minute's batches of bookings and of scans.
    waits: dict[str, float]


def look(cursor: Any) -> tuple[dict[str, Table], tuple[int, int, int, int]]:
    """Read the statistics of the hot tables and of the server."""
    cursor.execute(_TABLES, [list(PARAMETERS)])
    tables = {row[0]: Table(*row[1:]) for row in cursor.fetchall()}
    cursor.execute(_SERVER)
    wal, size, age, snapshot = cursor.fetchone()
    return tables, (int(wal), size, age, snapshot)


def line(minute: Minute, before: Minute | None) -> str:
    """Return a minute as one line."""
    wal = (minute.wal - before.wal) / MB if before else 0.0
    rows = minute.booked + minute.scanned
    queues = sum(minute.tables[name].heap + minute.tables[name].indexes for name in QUEUES) / MB
    vacuums = sum(table.vacuums for table in minute.tables.values())
    parcels, commitments = minute.tables["parcels_parcel"], minute.tables["slas_commitment"]
    waits = ", ".join(f"{name} {value:.0f} ms" for name, value in minute.waits.items())
    return (
        f"{minute.number:3d} min: {minute.booked / minute.seconds:,.0f} bookings/s,"
        f" {minute.scanned / minute.seconds:,.0f} scans/s; {waits};"
        f" WAL {wal:,.0f} MB ({wal * MB / max(1, rows):,.0f} B a row); database {minute.size / MB:,.0f} MB;"
        f" queues {queues:.1f} MB; dead parcels {parcels.dead_share:.1%},"
        f" commitments {commitments.dead_share:.1%}; HOT parcels {parcels.hot_share:.0%};"
        f" {vacuums} autovacuums; xid age {minute.frozen_age:,}, oldest snapshot {minute.oldest_snapshot:,}"
    )


def table_of(first: Minute, last: Minute) -> str:
    """Return a table of every hot table, early in the run and at its end, for the docs."""
    lines = [
        "| table | rows | dead | HOT updates | autovacuums | heap B/row | index B/row | size |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, now in sorted(last.tables.items()):
        then = first.tables[name]
        (heap_then, index_then), (heap, index) = then.per_row(), now.per_row()
        queue = name in QUEUES
        lines.append(
            f"| `{name}` | {now.rows:,} | {then.dead_share:.1%} → {now.dead_share:.1%}"
            f" | {f'{now.hot_share:.0%} of {now.updated:,}' if now.updated else ''} | {now.vacuums}"
            f" | {'' if queue else f'{heap_then:,.0f} → {heap:,.0f}'}"
            f" | {'' if queue else f'{index_then:,.0f} → {index:,.0f}'}"
            f" | {(then.heap + then.indexes) / MB:,.1f} → {(now.heap + now.indexes) / MB:,.1f} MB |"
        )
    return "\n".join(lines)


def judge(minutes: Sequence[Minute]) -> list[str]:
    """Return what was not flat from the second quarter of the run to the last."""
    quarter = max(1, len(minutes) // 4)
    early, late = minutes[quarter : 2 * quarter] or minutes[:1], minutes[-quarter:]
    findings = []
    for what in ("booked", "scanned"):
        before, after = (sum(getattr(m, what) for m in part) / len(part) for part in (early, late))
        if after < 0.9 * before:
            findings.append(f"{what} a minute fell from {before:,.0f} to {after:,.0f}")
    for name, now in late[-1].tables.items():
        findings += _judge_table(name, [m.tables[name] for m in early], [m.tables[name] for m in late], now)
    return findings


def _judge_table(name: str, early: list[Table], late: list[Table], now: Table) -> list[str]:
    findings = []
    if name in QUEUES:
        before, after = (max(t.heap + t.indexes for t in part) for part in (early, late))
        if after > max(1.5 * before, before + 2 * MB):
            findings.append(f"{name} grew from {before / MB:.1f} to {after / MB:.1f} MB")
        return findings
    # With fewer rows, a share is not significant.
    if early[0].rows < 5_000:
        return findings
    worst = max(table.dead_share for table in late)
    if worst > 0.25:
        findings.append(f"{name}: {worst:.0%} of its rows are dead")
    for what, place in (("heap", 0), ("indexes", 1)):
        before, after = (min(table.per_row()[place] for table in part) for part in (early, late))
        if after > 1.15 * before:
            findings.append(f"{name}: {what} grew from {before:,.0f} to {after:,.0f} bytes a row")
    before, after = early[-1].hot_share, now.hot_share
    if after < before - 0.05:
        findings.append(f"{name}: HOT updates fell from {before:.0%} to {after:.0%}")
    return findings
